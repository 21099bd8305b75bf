import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { freePort } from './freePort.ts'

const built = (path: string) => fileURLToPath(new URL(`../../server/${path}`, import.meta.url))
/** What people start: all modules in one file. */
const MAIN = built('bundle/main.js')
/** The same, module by module: what is preloaded reaches into them. */
const MODULES = built('dist/main.js')
const START_TIMEOUT_MS = 20_000

export interface ServerOptions {
  /** The store. */
  readonly folder: string
  /** Settings: `WEFT_…`. */
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** A module that is loaded before the server's own code: `faultPoints.mjs`. */
  readonly preload?: string
  /** Descriptors that the process may have. Default: as many as this one. */
  readonly descriptors?: number
  /** Default: a free one, the same after a restart. */
  readonly port?: number
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The real server, built and in a process of its own, on one folder and one port for as many starts as a test wants. */
export class ServerProcess {
  readonly folder: string
  readonly port: number
  readonly #env: Readonly<Record<string, string>>
  readonly #args: readonly string[]
  readonly #options: ServerOptions
  #child: ChildProcess | null = null
  #output = ''
  /** More of the environment, for starts to come. */
  extraEnv: Readonly<Record<string, string>> = {}
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null })

  private constructor(options: ServerOptions, port: number) {
    this.folder = options.folder
    this.port = port
    this.#options = options
    this.#env = options.env ?? {}
    this.#args = options.args ?? []
  }

  /** Resolves when it listens. @throws when it ends instead, with all it printed */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const server = new ServerProcess(options, options.port ?? (await freePort()))
    await server.start()
    return server
  }

  /** Runs it until it ends by itself: for starts that must fail, and for `--help`. */
  static async run(options: ServerOptions): Promise<Exit & { output: string }> {
    const server = new ServerProcess(options, options.port ?? (await freePort()))
    const exit = server.#spawn()
    const timer = setTimeout(() => server.#child?.kill('SIGKILL'), START_TIMEOUT_MS)
    const ended = await exit
    clearTimeout(timer)
    return { ...ended, output: server.#output }
  }

  /** All it printed, on both streams, over all starts. */
  get output(): string {
    return this.#output
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('the server does not run')
    return pid
  }

  /** `http://127.0.0.1:port`, or `https:` where it has a certificate. */
  get url(): string {
    return `http${this.#isEncrypted ? 's' : ''}://127.0.0.1:${this.port}`
  }

  /** `ws://127.0.0.1:port`, or `wss:` where it has a certificate. */
  get socketUrl(): string {
    return `ws${this.#isEncrypted ? 's' : ''}://127.0.0.1:${this.port}`
  }

  get #isEncrypted(): boolean {
    return this.#env.WEFT_TLS_CERT !== undefined
  }

  /** Resolves when the process has ended. */
  get exit(): Promise<Exit> {
    return this.#exit
  }

  /** Starts it (again). Resolves when it listens. */
  async start(): Promise<void> {
    const from = this.#output.length
    const exit = this.#spawn()
    const child = this.#child
    let timer: NodeJS.Timeout | undefined
    const listening = new Promise<void>((resolve, reject) => {
      const look = () => {
        if (this.#output.slice(from).includes('Weft is at http')) resolve()
      }
      child?.stdout?.on('data', look)
      exit.then(
        ({ code, signal }) =>
          reject(new Error(`the server ended (${code ?? signal}) before it listened:\n${this.#output.slice(from)}`)),
        reject,
      )
      timer = setTimeout(() => {
        child?.kill('SIGKILL')
        reject(new Error(`the server does not listen after ${START_TIMEOUT_MS} ms:\n${this.#output.slice(from)}`))
      }, START_TIMEOUT_MS)
    })
    await listening.finally(() => clearTimeout(timer))
  }

  /** SIGKILL: no code of it runs any more. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exit
  }

  /** Asks it to end, and tells how it did. */
  async stop(signal: 'SIGTERM' | 'SIGINT' | 'SIGHUP' = 'SIGTERM'): Promise<Exit> {
    this.#child?.kill(signal)
    return this.#exit
  }

  /** SIGSTOP: it stands still with all its sockets open. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  #spawn(): Promise<Exit> {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`)
    const inherited = Object.entries(process.env).filter(
      ([name]) => !name.startsWith('WEFT_') && name !== 'NODE_OPTIONS',
    )
    const { preload, descriptors } = this.#options
    const main = preload === undefined ? [MAIN] : ['--import', preload, MODULES]
    const command = [process.execPath, ...main, ...this.#args]
    if (descriptors !== undefined) command.unshift('bash', '-c', `ulimit -n ${descriptors}; exec "$0" "$@"`)
    const [program = '', ...args] = command
    const child = spawn(program, args, {
      env: {
        ...Object.fromEntries(inherited),
        WEFT_HOST: '127.0.0.1',
        WEFT_PORT: String(this.port),
        WEFT_DATA: this.folder,
        WEFT_METRICS_PORT: '0',
        WEFT_LOG_LEVEL: 'warn',
        // Tests are not about how much space their machine has left.
        WEFT_MIN_FREE_BYTES: '0',
        WEFT_MIN_FREE_PERCENT: '0',
        ...this.#env,
        ...this.extraEnv,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        this.#output += text
      })
    }
    this.#exit = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve({ code, signal }))
    })
    return this.#exit
  }
}
