import { type ChildProcess, spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'
import type { Target } from '../load/Client.ts'
import { ProcessUsage } from './ProcessUsage.ts'
import type { ServerKind } from './ServerKind.ts'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 60_000

/** A server under test, in a process of its own, on one folder and one port for as many starts as a scenario wants. */
export class ServerProcess {
  readonly kind: ServerKind
  readonly port: number
  readonly folder: string
  readonly #settings: Readonly<Record<string, string>>
  #child: ChildProcess | null = null
  #exit: Promise<void> = Promise.resolve()
  #output = ''
  #hasEnded = true

  private constructor(kind: ServerKind, folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.kind = kind
    this.folder = folder
    this.port = port
    this.#settings = settings
  }

  /** @param settings environment variables that the scenario needs for this kind of server */
  static async start(
    kind: ServerKind,
    folder: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<ServerProcess> {
    const server = new ServerProcess(kind, folder, await freePort(), settings)
    await server.start()
    return server
  }

  get target(): Target {
    return { port: this.port, dialect: this.kind.dialect }
  }

  get usage(): ProcessUsage {
    const pid = this.#child?.pid
    if (pid === undefined || this.#hasEnded) throw new Error(`${this.kind.name} does not run:\n${this.#output}`)
    return new ProcessUsage(pid)
  }

  /** @returns ms from the start of the process until it took a connection */
  async start(): Promise<number> {
    const begin = performance.now()
    const { command, env } = this.kind.launch(this.port, this.folder)
    const [program = '', ...args] = command
    const inherited = Object.entries(process.env).filter(([name]) => !/^(WEFT_|NODE_OPTIONS$|VITEST)/u.test(name))
    const child = spawn(program, args, {
      env: { ...Object.fromEntries(inherited), NODE_ENV: 'production', ...env, ...this.#settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#hasEnded = false
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-4000)
      })
    }
    this.#exit = new Promise(resolve => {
      const ended = () => {
        this.#hasEnded = true
        resolve()
      }
      child.once('close', ended).once('error', ended)
    })
    while (!(await accepts(this.port))) {
      if (this.#hasEnded) throw new Error(`${this.kind.name} ended at its start:\n${this.#output}`)
      if (performance.now() - begin > START_TIMEOUT_MS) throw new Error(`${this.kind.name} takes no connections`)
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    return performance.now() - begin
  }

  /** Asks it to end, and waits. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM')
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#exit
    clearTimeout(timer)
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#exit
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    const done = (isAccepted: boolean) => {
      socket.destroy()
      resolve(isAccepted)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject()))
    })
  })
}
