import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { networkOf } from '../access/address.ts'
import type { HostCheck } from '../access/HostCheck.ts'
import { NewDocuments } from '../access/NewDocuments.ts'
import { requestFault } from '../access/requestFault.ts'
import { tokenOfCookie } from '../access/sessionCookie.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import { chooseSubprotocol, tokenOfRequest } from '../access/tokenOfRequest.ts'
import { MemoryBudget } from '../MemoryBudget.ts'
import type { Bound } from '../Meters.ts'
import { COMMON_HEADER_LINES } from '../securityHeaders.ts'
import { Connection, type ConnectionServices, SWEEP_MS, type Upgrade } from './Connection.ts'
import { ConnectionCount, type CountSettings } from './ConnectionCount.ts'
import { acceptableOffer } from './deflateOffer.ts'
import { FrameCompressor } from './FrameCompressor.ts'
import { Offences } from './Offences.ts'
import { Rounds } from './Rounds.ts'
import { Turns } from './Turns.ts'
import { UnsentBytes } from './UnsentBytes.ts'

/** Inflations at the same time, over all connections: each may grow to the largest message. */
const MAX_INFLATIONS = 4
/** How long an unanswered closing handshake lasts, whoever began it. */
const CLOSE_TIMEOUT_MS = 5000

type Refusal = readonly [status: number, text: string, retryAfterS?: number, bound?: Bound]

export interface EndpointSettings extends CountSettings {
  readonly maxMessageBytes: number
  readonly maxUrlBytes: number
  readonly maxFragments: number
  readonly newDocumentsPerMinute: number
  readonly maxUnsentBytes: number
  readonly maxTotalUnsentBytes: number
  readonly maxIncompleteBytes: number
  readonly maxBufferedChunks: number
  readonly maxPendingPongs: number
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
  readonly #connections: Rounds<Connection>
  readonly #count: ConnectionCount
  #isStopping = false

  constructor(
    services: Omit<ConnectionServices, 'offences' | 'compressor' | 'turns' | 'incomplete' | 'unsent' | 'isStalled'> & {
      readonly unsent?: UnsentBytes
      readonly isStalled?: () => boolean
    },
    settings: EndpointSettings,
    hosts: HostCheck,
    proxies: TrustedProxies,
  ) {
    this.#services = {
      isStalled: () => false,
      ...services,
      unsent: services.unsent ?? new UnsentBytes(settings.maxUnsentBytes, settings.maxTotalUnsentBytes),
      incomplete: new MemoryBudget(settings.maxIncompleteBytes),
      offences: new Offences(),
      newDocuments: services.newDocuments ?? new NewDocuments(settings.newDocumentsPerMinute),
      compressor: new FrameCompressor(),
      turns: new Turns(services.clock),
    }
    this.#settings = settings
    this.#connections = new Rounds(services.clock, SWEEP_MS, connection => this.#visit(connection))
    this.#count = new ConnectionCount(settings)
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
      maxFragments: settings.maxFragments,
      maxBufferedChunks: settings.maxBufferedChunks,
      handleProtocols: chooseSubprotocol,
      // Options of `ws` 8.23 that its types don't know yet.
      ...{ maxPendingAutoPongs: settings.maxPendingPongs, closeTimeout: CLOSE_TIMEOUT_MS },
    })
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Bytes of large messages that come in or are worked on. */
  get incompleteBytes(): number {
    return this.#services.incomplete.used
  }

  /** Connections that aren't read now. */
  get pausedCount(): number {
    let count = 0
    for (const { isPaused } of this.#connections.members()) if (isPaused) count++
    return count
  }

  /** Bytes that wait to be read by clients: of all, and of the one that has most. */
  unsentBytes(): { total: number; max: number } {
    let total = 0
    let max = 0
    for (const { unsentBytes } of this.#connections.members()) {
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
    const isLocal = this.#proxies.isFromHere(request)
    const refusal = this.#fault(request) ?? this.#stop()
    if (refusal !== null) {
      this.#refuse(socket, refusal)
      return
    }
    const [path = '', query = ''] = (request.url ?? '').split('?', 2)
    const part = new URLSearchParams(query).get('part')
    const token = tokenOfRequest(request) ?? this.#tokenOfPage(request)
    this.#services.access.verify(token).then(
      verified => this.#shakeHands(request, socket, head, { address, path, part, token, verified, isLocal }),
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

  #shakeHands(request: IncomingMessage, socket: Duplex, head: Buffer, upgrade: Omit<Upgrade, 'place'>): void {
    const { address, isLocal, verified } = upgrade
    const counted = isLocal ? null : networkOf(address)
    const userId = verified !== null && 'userId' in verified ? verified.userId : null
    const refusal =
      this.#stop() ?? this.#count.refusal(counted, userId) ?? this.#chooseExtensions(request, upgrade.verified)
    if (refusal !== null) {
      this.#refuse(socket, refusal)
      return
    }
    this.#server.handleUpgrade(request, socket, head, webSocket =>
      this.#accept(webSocket, socket, { ...upgrade, place: this.#count.enter(counted, userId) }),
    )
  }

  #refuse(socket: Duplex, refusal: Refusal): void {
    const [status, text, retryAfterS, bound] = refusal
    this.#services.meters.refused(status)
    if (bound !== undefined) this.#services.meters.overBound(bound)
    refuse(socket, status, text, retryAfterS)
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
    if (url.length > this.#settings.maxUrlBytes) {
      return [414, `the request target is over ${this.#settings.maxUrlBytes} bytes`]
    }
    return requestFault(request) ?? this.#hosts.refusal(request)
  }

  #stop(): Refusal | null {
    return this.#isStopping ? [503, 'the server stops', 5] : null
  }

  #chooseExtensions({ headers }: IncomingMessage, verified: Upgrade['verified']): Refusal | null {
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
    // It counts as long as its last messages are checked: they hold memory.
    const connection = new Connection(webSocket, socket, upgrade, this.#services, () => {
      this.#connections.delete(connection)
      upgrade.place.leave()
    })
    this.#connections.add(connection)
  }

  #visit(connection: Connection): void {
    try {
      connection.sweep(this.#services.clock.now())
    } catch (error) {
      this.#services.logger.error({ err: error }, 'a connection went wrong')
      connection.close('internal', 'this connection went wrong')
    }
  }

  /** Takes no new connections. */
  refuseNew(): void {
    this.#isStopping = true
  }

  /** Tells everybody to come back in a moment (1012). Resolves when what they sent before has been handled. */
  async closeAll(): Promise<void> {
    this.#connections.stop()
    const connections = [...this.#connections.members()]
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
