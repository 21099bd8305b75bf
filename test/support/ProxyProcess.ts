import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from './eventually.ts'

export const proxyKinds = ['nginx', 'caddy', 'haproxy'] as const
export type ProxyKind = (typeof proxyKinds)[number]

const CERTIFICATE = fileURLToPath(new URL('certificate/certificate.pem', import.meta.url))
const KEY = fileURLToPath(new URL('certificate/key.pem', import.meta.url))
/** Of `example.org`, the host in the configurations. Made for these tests, and worth nothing elsewhere. */
export const certificate = readFileSync(CERTIFICATE)

/** What a configuration says is in another place here: text in the file → text in the test. Each must be there. */
type Replacements = Readonly<Record<string, string>>

interface Kind {
  /** In `server/proxies`. */
  readonly file: string
  readonly program: string
  replacements(port: number, folder: string): Replacements
  /** What stands around the file: no service of the system, nothing in folders of the system. */
  around(folder: string, file: string): string
  args(folder: string, main: string): string[]
}

const kinds: Record<ProxyKind, Kind> = {
  nginx: {
    file: 'nginx.conf',
    program: process.env.NGINX_PATH || '/usr/sbin/nginx',
    replacements: (port, folder) => ({
      '/var/log/nginx/access.log': join(folder, 'log'),
      '/var/log/nginx/error.log': 'stderr',
      'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      '/etc/ssl/certs/example.org.pem': CERTIFICATE,
      '/etc/ssl/private/example.org.key': KEY,
    }),
    around: (folder, file) => `
      daemon off; master_process off; pid ${folder}/pid; error_log stderr;
      events {}
      http {
        client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
        fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
        include ${file};
      }`,
    args: (folder, main) => ['-p', folder, '-e', 'stderr', '-c', main],
  },
  caddy: {
    file: 'Caddyfile',
    program: process.env.CADDY_PATH || '/usr/bin/caddy',
    replacements: (port, folder) => ({
      '{\n\t# Clients': `{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system ${folder}\n\t# Clients`,
      'example.org {': `https://example.org:${port} {\n\ttls ${CERTIFICATE} ${KEY}`,
    }),
    // The file is a whole configuration already.
    around: () => '',
    args: folder => ['run', '--adapter', 'caddyfile', '--config', join(folder, 'Caddyfile')],
  },
  haproxy: {
    file: 'haproxy.cfg',
    program: process.env.HAPROXY_PATH || '/usr/sbin/haproxy',
    replacements: (port, folder) => ({
      'bind :443': `bind 127.0.0.1:${port}`,
      '/etc/haproxy/example.org.pem': join(folder, 'both.pem'),
    }),
    // What Debian's own /etc/haproxy/haproxy.cfg says before.
    around: () =>
      'global\n  maxconn 200\n  log stdout format raw local0\ndefaults\n  log global\n  mode http\n  option httplog\n',
    args: (folder, main) => ['-db', '-f', main, '-f', join(folder, 'haproxy.cfg')],
  },
}

/** A real proxy that runs with the configuration from `server/proxies`, in a process of its own. */
export class ProxyProcess {
  readonly port: number
  readonly #child: ChildProcess
  readonly #folder: string
  #output = ''

  private constructor(kind: Kind, folder: string, port: number, serverPort: number) {
    this.port = port
    this.#folder = folder
    let text = readFileSync(new URL(`../../server/proxies/${kind.file}`, import.meta.url), 'utf8')
    const replacements = { '127.0.0.1:9091': `127.0.0.1:${serverPort}`, ...kind.replacements(port, folder) }
    for (const [there, here] of Object.entries(replacements)) {
      if (!text.includes(there)) throw new Error(`${kind.file} lacks ${there}`)
      text = text.replaceAll(there, here)
    }
    writeFileSync(join(folder, kind.file), text)
    writeFileSync(join(folder, 'main'), kind.around(folder, join(folder, kind.file)))
    writeFileSync(join(folder, 'both.pem'), Buffer.concat([certificate, readFileSync(KEY)]))
    const libraries = process.env.SERVICE_LIBRARIES
    this.#child = spawn(kind.program, kind.args(folder, join(folder, 'main')), {
      env: { ...process.env, HOME: folder, ...(libraries ? { LD_LIBRARY_PATH: libraries } : {}) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8')
      stream?.on('data', (text: string) => {
        this.#output += text
      })
    }
    this.#child.on('error', error => {
      this.#output += String(error)
    })
  }

  /**
   * Resolves when it listens.
   * @param folder an empty one
   * @param serverPort where Weft listens
   */
  static async start(kind: ProxyKind, folder: string, port: number, serverPort: number): Promise<ProxyProcess> {
    const proxy = new ProxyProcess(kinds[kind], folder, port, serverPort)
    await eventually(`${kind} to listen`, async () => {
      if (proxy.#child.exitCode !== null || proxy.#child.pid === undefined)
        throw new Error(`${kind} ended:\n${proxy.#output}`)
      return isListening(port)
    })
    return proxy
  }

  /** All it printed, and what it wrote to a log file. */
  get output(): string {
    const file = join(this.#folder, 'log')
    return existsSync(file) ? this.#output + readFileSync(file, 'utf8') : this.#output
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const ended = new Promise(resolve => child.once('close', resolve))
    child.kill('SIGKILL')
    await ended
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
