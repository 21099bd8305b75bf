import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { tokenOfCookie } from '../access/sessionCookie.ts'
import { chooseSubprotocol, tokenOfRequest } from '../access/tokenOfRequest.ts'
import { Sweep } from '../Sweep.ts'
import { COMMON_HEADER_LINES } from '../securityHeaders.ts'
import { Connection, type ConnectionServices, type Upgrade } from './Connection.ts'
import { acceptableOffer } from './deflateOffer.ts'
import { FrameCompressor } from './FrameCompressor.ts'
import type { HostCheck } from './HostCheck.ts'
import { Offences } from './Offences.ts'
import { requestFault } from './requestFault.ts'
import type { TrustedProxies } from './TrustedProxies.ts'

/** Inflations at the same time, over all connections: each may grow to the largest message. */
const MAX_INFLATIONS = 4
const SWEEP_MS = 5000
/**
 * Options of `ws` 8.23 that its types don't know yet: pongs that a flood of pings can make us queue, and how long an unanswered
 * closing handshake lasts, whoever began it.
 */
const NEW_OPTIONS = { maxPendingAutoPongs: 16, closeTimeout: 5000 }
/** Longest request target of an upgrade. */
const MAX_URL_BYTES = 4096

type Refusal = [status: number, text: string, retryAfterS?: number]

export interface EndpointSettings {
  readonly maxMessageBytes: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  /** `on`: `permessage-deflate` is agreed to where a client offers it. */
  readonly compression: string
}

/**
 * Turns upgrade requests into connections. What a retry can't cure (a bad name, say) is refused after the first frame, by a
 * close code: browsers see neither status nor headers of a refused upgrade and would retry for ever.
 */
export class WebSocketEndpoint {
  readonly #server: WebSocketServer
  readonly #services: ConnectionServices
  readonly #settings: EndpointSettings
  readonly #hosts: HostCheck
  readonly #proxies: TrustedProxies
  readonly #connections = new Set<Connection>()
  readonly #perAddress = new Map<string, number>()
  readonly #sweep: Sweep
  #isStopping = false

  constructor(
    services: Omit<ConnectionServices, 'offences' | 'compressor'>,
    settings: EndpointSettings,
    hosts: HostCheck,
    proxies: TrustedProxies,
  ) {
    this.#services = { ...services, offences: new Offences(), compressor: new FrameCompressor() }
    this.#settings = settings
    this.#sweep = new Sweep(services.clock, SWEEP_MS, () => this.#sweepAll())
    this.#hosts = hosts
    this.#proxies = proxies
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // No memory of earlier messages, neither way: ours would cost each reader a compression, theirs each connection 32 kB.
      perMessageDeflate: settings.compression === 'on' && {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        concurrencyLimit: MAX_INFLATIONS,
      },
      maxPayload: settings.maxMessageBytes,
      maxFragments: 1024,
      maxBufferedChunks: 4096,
      handleProtocols: chooseSubprotocol,
      ...NEW_OPTIONS,
    })
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Bytes that wait to be read by clients: of all, and of the one that has most. */
  unsentBytes(): { total: number; max: number } {
    let total = 0
    let max = 0
    for (const { unsentBytes } of this.#connections) {
      total += unsentBytes
      max = Math.max(max, unsentBytes)
    }
    return { total, max }
  }

  /** Handles an `upgrade` event of the HTTP server. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Before anything else: a socket that breaks now must not end the process.
    this.#survive(socket)
    const address = this.#proxies.addressOf(request)
    const refusal = this.#fault(request) ?? this.#overload(request, address)
    if (refusal !== null) {
      this.#refuse(socket, refusal)
      return
    }
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const token = tokenOfRequest(request) ?? this.#tokenOfPage(request)
    this.#services.access.verify(token).then(
      verified => this.#shakeHands(request, socket, head, { address, path, token, verified }),
      error => {
        this.#services.logger.error({ err: error }, 'a token could not be verified')
        this.#refuse(socket, [500, 'the token could not be verified'])
      },
    )
  }

  // A browser sends its cookie whatever page opens the socket: only one counts of whose origin `HostCheck` has heard and approved.
  #tokenOfPage(request: IncomingMessage): string | null {
    if (request.headers.origin === undefined) return null
    return tokenOfCookie(request, this.#proxies.isSecure(request))
  }

  #shakeHands(request: IncomingMessage, socket: Duplex, head: Buffer, upgrade: Upgrade): void {
    // Others may have come meanwhile, or the stop.
    const refusal = this.#overload(request, upgrade.address) ?? this.#chooseExtensions(request, upgrade)
    if (refusal !== null) this.#refuse(socket, refusal)
    else this.#server.handleUpgrade(request, socket, head, webSocket => this.#accept(webSocket, socket, upgrade))
  }

  #refuse(socket: Duplex, refusal: Refusal): void {
    this.#services.meters.refused(refusal[0])
    refuse(socket, ...refusal)
  }

  // Apart from `upgrade`: a listener made there would keep the whole request alive.
  #survive(socket: Duplex): void {
    socket.on('error', error => this.#services.logger.debug({ err: error }, 'a socket broke'))
  }

  #fault(request: IncomingMessage): Refusal | null {
    const url = request.url ?? ''
    // RFC 6455, section 4.2.1; `ws` accepts the draft with number 8, too, whose pages say their origin elsewhere.
    if (request.httpVersion !== '1.1') return [400, 'a WebSocket needs HTTP/1.1']
    if (request.headers['sec-websocket-version'] !== '13') return [426, 'the WebSocket version must be 13']
    if (!url.startsWith('/')) return [400, 'the request target must be a path']
    if (url.length > MAX_URL_BYTES) return [414, `the request target is over ${MAX_URL_BYTES} bytes`]
    return requestFault(request) ?? this.#hosts.refusal(request)
  }

  #overload(request: IncomingMessage, address: string): Refusal | null {
    if (this.#isStopping) return [503, 'the server stops', 5]
    if (this.#connections.size >= this.#settings.maxConnections) return [503, 'too many connections', 30]
    const ofAddress = this.#perAddress.get(address) ?? 0
    if (!this.#proxies.isFromHere(request) && ofAddress >= this.#settings.maxConnectionsPerAddress) {
      return [429, 'too many connections from this address', 30]
    }
    return null
  }

  #chooseExtensions({ headers }: IncomingMessage, { verified }: Upgrade): Refusal | null {
    const offered = headers['sec-websocket-extensions']
    if (offered === undefined || this.#settings.compression !== 'on') return null
    try {
      const offer = acceptableOffer(offered)
      // What a stranger sends isn't inflated: 16 KiB may become the largest message.
      const isStranger = verified !== null && 'close' in verified
      if (offer === null || isStranger) delete headers['sec-websocket-extensions']
      else headers['sec-websocket-extensions'] = offer
      return null
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return [400, 'the Sec-WebSocket-Extensions header is malformed']
    }
  }

  #accept(webSocket: WebSocket, socket: Duplex, upgrade: Upgrade): void {
    const { address } = upgrade
    this.#perAddress.set(address, (this.#perAddress.get(address) ?? 0) + 1)
    // It counts as long as its last messages are checked: they hold memory.
    const connection = new Connection(webSocket, socket, upgrade, this.#services, () => {
      this.#connections.delete(connection)
      this.#uncount(address)
    })
    this.#connections.add(connection)
    this.#sweep.start()
  }

  #uncount(address: string): void {
    const left = (this.#perAddress.get(address) ?? 1) - 1
    if (left > 0) this.#perAddress.set(address, left)
    else this.#perAddress.delete(address)
  }

  /** @returns whether there is anybody left to look at */
  #sweepAll(): boolean {
    const now = this.#services.clock.now()
    for (const connection of this.#connections) connection.sweep(now)
    return this.#connections.size > 0
  }

  /** Takes no new connections. */
  refuseNew(): void {
    this.#isStopping = true
  }

  /** Tells everybody to come back in a moment (1012). Resolves when what they sent before has been handled. */
  async closeAll(): Promise<void> {
    this.#sweep.stop()
    const connections = [...this.#connections]
    for (const connection of connections) connection.close('restart', 'the server stops or restarts')
    await Promise.all(connections.map(connection => connection.idle()))
  }
}

function refuse(socket: Duplex, status: number, text: string, retryAfterS?: number): void {
  const body = `${text}\n`
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...COMMON_HEADER_LINES,
  ]
  if (retryAfterS !== undefined) head.push(`Retry-After: ${retryAfterS}`)
  if (status === 426) head.push('Sec-WebSocket-Version: 13')
  // Whoever was refused and doesn't leave must not keep the descriptor.
  socket.once('finish', () => socket.destroy())
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
