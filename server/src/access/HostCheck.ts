import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import { isLoopbackHost } from './address.ts'
import { TrustedProxies } from './TrustedProxies.ts'

/**
 * Whether a browser's page may talk to this server: without it, any web page that a person visits could open a document
 * on a server of theirs (cross-site WebSocket hijacking), or reach a loopback server through a name of its own that it
 * points there (DNS rebinding).
 */
export class HostCheck {
  readonly #origins: ReadonlySet<string>
  readonly #isLoopbackOnly: boolean
  readonly #proxies: TrustedProxies
  readonly #logger: Logger
  readonly #reported = new Set<string>()

  /**
   * @param origins pages that are welcome; their hosts are names of this server
   * @param listenHost the address that the server listens on
   */
  constructor(
    origins: readonly string[],
    listenHost: string,
    logger: Logger,
    proxies = new TrustedProxies([], logger),
  ) {
    this.#origins = new Set(origins.map(origin => origin.toLowerCase()))
    this.#isLoopbackOnly = isLoopbackHost(listenHost)
    this.#proxies = proxies
    this.#logger = logger
  }

  /** @returns status and text of the refusal, or null where the request is welcome */
  refusal(request: IncomingMessage): [status: number, text: string] | null {
    const host = this.#proxies.hostOf(request)
    if (host === undefined) return [400, 'the request has no Host header']
    const hostName = nameOf(host)
    const isPublished = [...this.#origins].some(origin => origin.endsWith(`//${host}`))
    if (this.#isLoopbackOnly && !isLoopbackHost(hostName) && !isPublished) {
      this.#report(`${request.socket instanceof TLSSocket ? 'https' : 'http'}://${host}`)
      return [421, 'this server listens on this machine only, under another name']
    }
    const origin = request.headers.origin?.toLowerCase()
    // Programs send none.
    if (origin === undefined || this.#origins.has(origin)) return null
    const [, originProtocol, originHost] = /^(https?):\/\/([^/]+)$/u.exec(origin) ?? []
    // Without TLS of our own and a proxy that tells, the page's scheme isn't known.
    const ownProtocol = request.socket instanceof TLSSocket ? 'https' : originProtocol
    const protocol = this.#proxies.protocolOf(request) ?? ownProtocol
    if (originHost === host && originProtocol === protocol) return null
    // A development server beside this one: any port of this machine is the same host.
    if (originHost !== undefined && isLoopbackHost(nameOf(originHost)) && isLoopbackHost(hostName)) return null
    this.#report(origin)
    return [403, 'this origin may not connect']
  }

  #report(origin: string): void {
    if (this.#reported.has(origin) || this.#reported.size > 1000) return
    this.#reported.add(origin)
    this.#logger.warn({ origin }, 'refused a page of another host; WEFT_ORIGINS would allow it')
  }
}

function nameOf(host: string): string {
  return host.replace(/:\d+$/u, '')
}
