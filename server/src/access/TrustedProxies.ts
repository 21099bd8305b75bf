import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import proxyAddr from 'proxy-addr'
import { isLoopbackAddress, plainAddress } from './address.ts'

/** Headers that a proxy adds and a program of this machine doesn't. `Via`: RFC 9110, 7.6.3. */
const TRACES = [
  'x-forwarded-for',
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'x-forwarded-host',
  'x-forwarded-proto',
  'cf-connecting-ip',
] as const

/**
 * Who sent a request, and where to: as the socket and the request tell it, or as a proxy does (`X-Forwarded-For`, `-Host`,
 * `-Proto`). Anybody can write such headers, so they are believed only from the proxies that the settings name. `Forwarded`
 * (RFC 7239) is never believed: of the proxies in use few write it and most pass on the client's own, so that beside the
 * other headers it would only be a way around them.
 */
export class TrustedProxies {
  readonly #isTrusted: (address: string, hop: number) => boolean
  readonly #logger: Logger
  #hasReported = false

  /**
   * @param proxies addresses, CIDR ranges, `loopback`, `linklocal` or `uniquelocal`
   * @throws {TypeError} one of them is none of these
   */
  constructor(proxies: readonly string[], logger: Logger) {
    this.#isTrusted = proxyAddr.compile([...proxies])
    this.#logger = logger
  }

  /** The sender's IP address: the rightmost one of the request's way that is no trusted proxy. Empty where the socket has ended. */
  addressOf(request: IncomingMessage): string {
    const peer = peerOf(request)
    if (!this.#isTrusted(peer, 0)) return plainAddress(peer)
    // From the peer to the first that isn't trusted, which need not be an address ("unknown"): then it's who said so.
    const way = proxyAddr.all(request, this.#isTrusted)
    return plainAddress(way.findLast(address => isIP(address) !== 0) ?? peer)
  }

  /**
   * Whether the sender is a program of this machine: not a proxy, not somebody behind one. A proxy on this machine that is
   * not trusted shows itself by its headers; or, where it adds none and names itself as the host (nginx with nothing but
   * `proxy_pass`), by its old protocol.
   */
  isFromHere(request: IncomingMessage): boolean {
    const peer = peerOf(request)
    if (!isLoopbackAddress(peer) || this.#isTrusted(peer, 0)) return false
    const isForwarded = request.httpVersion === '1.0' || TRACES.some(header => request.headers[header] !== undefined)
    if (isForwarded && !this.#hasReported) {
      this.#hasReported = true
      this.#logger.warn(
        { proxy: plainAddress(peer) },
        'a proxy forwards requests, and all behind it count as one address; WEFT_TRUSTED_PROXIES would tell them apart',
      )
    }
    return !isForwarded
  }

  /** The host (and port) that the sender asked for, in lower case. */
  hostOf(request: IncomingMessage): string | undefined {
    return (this.#toldBy(request, 'x-forwarded-host') ?? request.headers.host)?.toLowerCase()
  }

  /** The scheme of the page or program that asks, where a proxy tells it; a WebSocket's is the one of its page. */
  protocolOf(request: IncomingMessage): string | undefined {
    return this.#toldBy(request, 'x-forwarded-proto')?.toLowerCase().replace(/^ws/u, 'http')
  }

  /** Whether the sender's bytes come encrypted: to us, or to a proxy that says so. */
  isSecure(request: IncomingMessage): boolean {
    const told = this.protocolOf(request)
    return told === undefined ? request.socket instanceof TLSSocket : told === 'https'
  }

  // Of several values the last is the nearest proxy's own; those before it are what it was told.
  #toldBy(request: IncomingMessage, header: string): string | undefined {
    const value = request.headers[header]
    if (value === undefined || !this.#isTrusted(peerOf(request), 0)) return undefined
    return String(value).split(',').at(-1)?.trim() || undefined
  }
}

function peerOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? ''
}
