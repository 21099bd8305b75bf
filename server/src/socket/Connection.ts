import type { Duplex } from 'node:stream'
import {
  type CloseName,
  closeCode,
  closeReason,
  decodeAwareness,
  decodeMessage,
  isFinalClose,
  MULTIPLEX_SUBPROTOCOL,
  messageType,
} from '@weft/protocol'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import type { Access } from '../access/Access.ts'
import type { Denial } from '../access/Grant.ts'
import type { NewDocuments } from '../access/NewDocuments.ts'
import type { VerifiedToken } from '../access/verifyToken.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import type { Clock } from '../clock.ts'
import type { MemoryBudget } from '../MemoryBudget.ts'
import type { Bound, Meters } from '../Meters.ts'
import type { Outlet } from '../room/Outlet.ts'
import type { Rooms } from '../room/Rooms.ts'
import { TokenBucket } from '../TokenBucket.ts'
import type { ConnectionPlace } from './ConnectionCount.ts'
import type { FrameCompressor } from './FrameCompressor.ts'
import { FrameQueue } from './FrameQueue.ts'
import { Heartbeat } from './Heartbeat.ts'
import { HocuspocusPeer } from './HocuspocusPeer.ts'
import { IncompleteMessage } from './IncompleteMessage.ts'
import { MultiplexPeer } from './MultiplexPeer.ts'
import type { Offences } from './Offences.ts'
import type { Peer } from './Peer.ts'
import { ReadPieces } from './ReadPieces.ts'
import { type ReaderSettings, SocketReader } from './SocketReader.ts'
import { SocketWriter } from './SocketWriter.ts'
import type { Turns, TurnTaker } from './Turns.ts'
import type { UnsentBytes } from './UnsentBytes.ts'
import { YWebsocketPeer } from './YWebsocketPeer.ts'

/** Pings and pongs of a client are taken for a flood after so long, in s. Providers send none, browsers answer ours. */
const CONTROL_BURST_S = 5
/** What the upgrade request says of a connection. */
export interface Upgrade {
  readonly address: string
  /** Of its URL, without the query. */
  readonly path: string
  /** The query's parameter `part`; null: none. */
  readonly part: string | null
  /** null: none was given. Never to be logged. */
  readonly token: string | null
  /** What `Access.verify` said of it. */
  readonly verified: VerifiedToken | Denial | null
  /** Whether it comes from this machine, and not through a proxy. */
  readonly isLocal: boolean
  /** Its place among those that are counted. */
  readonly place: ConnectionPlace
}

export interface ConnectionSettings extends ReaderSettings {
  readonly slowReaderSeconds: number
  readonly controlsPerSecond: number
  readonly pingSeconds: number
  readonly leastBytes: number
  /** A first message must have come after so long, and a token where one is asked for. */
  readonly introductionSeconds: number
  /** What an incomplete message may hold in memory before a token is taken. */
  readonly maxStrangerBytes: number
  readonly maxSessionsPerDocument: number
  readonly maxDocumentsPerConnection: number
  readonly opensPerSecond: number
  readonly questionsPerSecond: number
  readonly questionBurst: number
}

export interface ConnectionServices {
  readonly access: Access
  readonly rooms: Rooms
  readonly audit: Audit
  readonly clock: Clock
  readonly meters: Meters
  readonly logger: Logger
  readonly offences: Offences
  readonly newDocuments?: NewDocuments
  readonly settings: ConnectionSettings
  readonly compressor: FrameCompressor
  /** Large messages that are coming in or worked on, of all connections. */
  readonly incomplete: MemoryBudget
  readonly unsent: UnsentBytes
  readonly turns: Turns
  /** Whether edits wait for the disk beyond the bound: nothing more is read then. */
  readonly isBacklogged: () => boolean
  /** Whether the disk takes too long for a write: nothing more is read from those whose edits wait for it. */
  readonly isStalled: () => boolean
}

/** Sweeps (one each 5 s) without a written frame before a keep-alive. */
const QUIET_SWEEPS = 3
/** Whoever is sent away for overload comes back after so long, in s. */
const OVERLOAD_RETRY_S = 10
/**
 * What one connection may bring that is handled at once: so many messages, each with one more for each 16 KiB of it, and so many
 * more each second. What comes faster stands in line. People type ten characters a second, and send back what they hear of
 * others: in a document of a thousand 290 kB a second, which are cheap, for they are passed over by their clocks.
 */
const AT_ONCE_BURST = 60
/**
 * The same in its first moment: whoever comes says three things, or four. Floods that come together, and again and again, would
 * else bring all of it at once.
 */
const AT_ONCE_FIRST = 5
const AT_ONCE_PER_SECOND = 50
const BYTES_OF_ONE = 16_384
/** Bounds that `ws` looks at, by its errors. */
const BOUNDS_OF_WS: Readonly<Record<string, Bound>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'message-bytes',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'fragments',
}
/** How often `sweep` is called. */
export const SWEEP_MS = 5000

/** One WebSocket: bytes in, bytes out, back pressure. Its peer, which carries the sessions, is chosen by the first frame. */
export class Connection implements Outlet, TurnTaker {
  readonly address: string
  readonly isLocal: boolean
  readonly #place: ConnectionPlace
  readonly #socket: Duplex
  readonly #webSocket: WebSocket
  readonly #path: string
  readonly #part: string | null
  readonly #token: string | null
  readonly #verified: VerifiedToken | Denial | null
  readonly #services: ConnectionServices
  readonly #log: Logger
  readonly #reader: SocketReader
  readonly #pieces: ReadPieces
  readonly #writer: SocketWriter
  readonly #heartbeat: Heartbeat
  readonly #incomplete: IncompleteMessage
  #controls: TokenBucket | null = null
  #peer: Peer | null = null
  /** Frames that wait: for the room, for a worker that checks the one before. */
  readonly #inbox = new FrameQueue()
  #isBusy = false
  readonly #atOnce: TokenBucket
  #isInLine = false
  /** It has begun with its turn, and is not through. */
  #isFirst = false
  /** It is its turn: what is handled now has stood in line. */
  #isFlooding = false
  /** It has stood in line before. */
  #hasFlooded = false
  /** We ended it: nothing more is taken in. */
  #isDeaf = false
  /** We ended it for what the peer did: what waits is dropped. Where the peer ended it, that is worked to its end. */
  #isRefused = false
  /** The socket is closed. */
  #isGone = false
  #isOver = false
  #closeCode: number | null = null
  readonly #onEnd: () => void
  #idleWaiters: (() => void)[] = []
  #quietSweeps = 0
  /** Where a token is asked for, and none of its own has been taken yet. */
  #isStranger: boolean
  #introductionSweeps = 0

  /**
   * @param onEnd called once: the socket is closed, and what came over it is worked off
   */
  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    { address, path, part, token, verified, isLocal, place }: Upgrade,
    services: ConnectionServices,
    onEnd: () => void,
  ) {
    this.#onEnd = onEnd
    this.#webSocket = webSocket
    this.#socket = socket
    this.address = address
    this.isLocal = isLocal
    this.#place = place
    this.#path = path
    this.#part = part
    this.#token = token
    this.#verified = verified
    this.#services = services
    this.#log = services.logger
    const { clock, settings } = services
    this.#incomplete = new IncompleteMessage(socket, settings.leastBytes, services.incomplete)
    const isBacklogged = () => this.#waitsForDisk || this.#incomplete.isTooMuch()
    this.#reader = new SocketReader(webSocket, clock, settings, isBacklogged, () => {
      const what = this.#waitsForDisk ? 'edits wait for the disk' : 'too many large messages are coming in'
      this.#countOver(this.#waitsForDisk ? 'pending-edits' : 'incomplete-bytes')
      this.#cutOff('overload', `${what}: retry after ${OVERLOAD_RETRY_S} s`)
    })
    this.#pieces = new ReadPieces(socket, () => this.#watchPiece())
    this.#writer = new SocketWriter(socket, {
      meters: services.meters,
      unsent: services.unsent,
      pins: services.rooms.pins,
      compressor: webSocket.extensions === '' ? null : services.compressor,
      isOpen: () => this.isOpen,
      onDrain: () => this.#peer?.drained(),
    })
    this.#heartbeat = new Heartbeat(webSocket, socket, clock, settings.pingSeconds * 1000, () => this.#reader.isPaused)
    this.#atOnce = new TokenBucket(AT_ONCE_PER_SECOND, AT_ONCE_BURST, clock.now(), AT_ONCE_FIRST)
    webSocket.binaryType = 'nodebuffer'
    webSocket.on('error', error => {
      const bound = 'code' in error ? BOUNDS_OF_WS[String(error.code)] : undefined
      if (bound !== undefined) this.#countOver(bound)
      this.#log.debug({ err: error, address }, 'a connection broke')
    })
    webSocket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary))
    webSocket.on('ping', data => this.#countControl(data))
    webSocket.on('pong', data => {
      this.#heartbeat.heard()
      this.#countControl(data)
    })
    webSocket.on('close', code => this.#closed(code))
    this.#isStranger = verified !== null && 'close' in verified
    this.#log.debug({ address, path }, 'connection opened')
  }

  // ── Outlet ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get closeCode(): number | null {
    return this.#closeCode
  }

  /** Whether we ended it for what the peer did. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  /** Whom offences are counted for: its user; without users its address. */
  get offender(): string {
    return this.#place.userId ?? this.address
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN
  }

  /** Whether it isn't read now. */
  get isPaused(): boolean {
    return this.#reader.isPaused
  }

  get isFlooding(): boolean {
    return this.#isFlooding
  }

  get unsentBytes(): number {
    return this.#writer.unsentBytes
  }

  /** @param address of the session where a connection carries many: goes before each message */
  write(frames: Buffer, sharedBy: object | null = null, address: string | null = null): void {
    if (!this.isOpen) return
    this.#quietSweeps = 0
    this.#writer.write(frames, sharedBy, address)
    if (!this.#services.unsent.isTooMuch(this.unsentBytes)) return
    this.#countOver('unsent-bytes')
    this.close('overload', `too slow a reader: retry after ${OVERLOAD_RETRY_S} s`)
    this.#webSocket.terminate()
  }

  together<T>(work: () => T): T {
    return this.isOpen ? this.#writer.together(work) : work()
  }

  isAlive(): Promise<boolean> {
    return this.#heartbeat.isAlive()
  }

  close(name: CloseName, text: string): void {
    if (this.#isDeaf) return
    this.#isDeaf = true
    let closeName = name
    if (name === 'malformed' && this.#services.offences.record(this.offender, this.#path, this.#services.clock.now())) {
      closeName = 'repeatedlyMalformed'
    }
    const { code } = closeCode[closeName]
    this.#closeCode = code
    const reason = closeReason(closeName, text)
    this.#log.debug({ address: this.address, path: this.#path, code, reason }, 'closing a connection')
    // A stop is no verdict on what was sent.
    if (name !== 'restart') {
      this.#isRefused = true
      this.#inbox.clear()
      this.#peer?.end()
    }
    if (this.isOpen) {
      // Stock clients before 3.1 don't know final codes, but log this message.
      const denial = isFinalClose(code) ? this.#peer?.denial(reason) : null
      if (denial != null) this.write(denial)
      this.#writer.flush()
      // Cut off after 5 s: the other side may never read or answer.
      this.#webSocket.close(code, reason)
    }
    this.#reader.resume()
    if (!this.#hasWork) this.#finish()
  }

  /** Resolves when all that came has been handled. */
  idle(): Promise<void> {
    return this.#hasWork ? new Promise(resolve => this.#idleWaiters.push(resolve)) : Promise.resolve()
  }

  // ── In ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #countControl(payload: Buffer): void {
    this.#incomplete.passed(payload.length)
    this.#pieces.passed(payload.length)
    const now = this.#services.clock.now()
    const { controlsPerSecond } = this.#services.settings
    this.#controls ??= new TokenBucket(controlsPerSecond, CONTROL_BURST_S * controlsPerSecond, now)
    if (this.#controls.take(1, now) === 0) return
    this.#countOver('controls')
    this.close('policy', `over ${controlsPerSecond} pings and pongs a second`)
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#heartbeat.heard()
    this.#incomplete.ended(data.length)
    this.#pieces.ended()
    this.#services.meters.received(data.length)
    if (this.#isDeaf) {
      this.#incomplete.done(data.length)
      return
    }
    if (!isBinary) {
      this.close('text', 'messages are binary frames')
      return
    }
    this.#inbox.push(data)
    this.#reader.count(data.length)
    // In its turn it is worked off by that.
    if (!this.#isFlooding) this.#work()
  }

  // Those who write wait for a disk that takes long; who only reads, and is seen, goes on.
  get #waitsForDisk(): boolean {
    return this.#services.isBacklogged() || (this.#services.isStalled() && this.#peer?.hasPending === true)
  }

  /** Whether more is taken of what has been read, while it isn't read on. */
  get #mayTakeMore(): boolean {
    return !this.#isDeaf && !this.#isGone && this.#reader.mayTakeMore
  }

  get #hasWork(): boolean {
    return this.#isBusy || !this.#inbox.isEmpty
  }

  takeTurn(until: number): 'left' | 'first' | 'last' {
    this.#isInLine = false
    if (!this.#isFirst) this.#pieces.beginTurn()
    this.#isFlooding = true
    this.#work(until)
    this.#isFlooding = false
    this.#isFirst = this.#isInLine
    if (this.#isFirst) return 'first'
    if (this.#isBusy) return 'left'
    this.#isInLine = this.#mayTakeMore && this.#pieces.areLeft
    if (this.#isInLine) return 'last'
    this.#reader.release()
    return 'left'
  }

  // Frames are handled one after the other. While one is with a worker, or the room is being loaded, or it is others' turn, the
  // rest waits, and once more has come the socket is not read.
  /** @param until of its turn, where it is that */
  #work(until: number | null = null): void {
    while (!this.#isBusy && !this.#isInLine) {
      if (this.#mustWait(until)) {
        this.#isInLine = true
        this.#reader.hold()
        if (until === null) this.#enterLine()
        return
      }
      if (this.#waitsForDisk) this.#reader.heedBacklog()
      const frame = this.#inbox.take()
      if (frame === undefined) {
        if (until !== null && this.#services.clock.now() < until && this.#mayTakeMore && this.#pieces.next()) continue
        this.#finish()
        return
      }
      let done: void | Promise<void>
      try {
        this.#peer ??= this.#meet(frame)
        done = this.#peer.receive(frame)
      } catch (error) {
        this.#fail(error)
        done = undefined
      }
      if (!(done instanceof Promise)) {
        this.#incomplete.done(frame.length)
        continue
      }
      this.#isBusy = true
      this.#holdWhileBusy()
      const goOn = () => {
        this.#isBusy = false
        this.#incomplete.done(frame.length)
        this.#reader.release()
        this.#work()
      }
      done.then(goOn, error => {
        this.#fail(error)
        goOn()
      })
    }
  }

  #enterLine(): void {
    this.#services.turns.enter(this)
    if (!this.#isStranger) this.#hasFlooded = true
  }

  /** A fault of ours, in what this connection asked for: it ends this connection, and nothing else. */
  #fail(error: unknown): void {
    this.#log.error({ err: error }, 'a message could not be handled')
    this.close('internal', 'this message could not be handled')
  }

  #mustWait(until: number | null): boolean {
    const next = this.#inbox.first
    if (next === undefined) return false
    const now = this.#services.clock.now()
    if (until !== null) return now >= until
    if (!this.#atOnce.tryTake(1 + next.length / BYTES_OF_ONE, now)) return true
    if (!this.#hasFlooded) this.#services.turns.heardOther(now)
    return false
  }

  // Somebody who said goodbye right after a large edit has left before the edit is checked: it counts all the same.
  #finish(): void {
    if (this.#isDeaf || this.#isGone) this.#peer?.end()
    if (this.#idleWaiters.length > 0) for (const wake of this.#idleWaiters.splice(0)) wake()
    if (this.#isGone && !this.#isOver) {
      this.#isOver = true
      this.#incomplete.release()
      this.#onEnd()
    }
  }

  // y-websocket's clients begin with a sync message, type 0; Hocuspocus' with an address, which is never empty. (An application
  // may have a y-websocket client show its awareness first: no Hocuspocus frame reads like that.)
  #meet(frame: Uint8Array): Peer {
    if (this.#webSocket.protocol === MULTIPLEX_SUBPROTOCOL) return new MultiplexPeer(this, this.#token, this.#services)
    if (frame.length === 0 || frame[0] === 0 || isAwareness(frame))
      return new YWebsocketPeer(this, { path: this.#path, part: this.#part, verified: this.#verified }, this.#services)
    return new HocuspocusPeer(this, this.#token, this.#services)
  }

  // ── Life ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Called every 5 s: keeps a quiet connection alive, and ends a dead or stuck one. @param now monotonic ms */
  sweep(now: number): void {
    if (!this.isOpen) return
    const { wasSlowed, wasPaused } = this.#reader.sweep()
    // Whoever is read more slowly hears no answer for long: that somebody is there, at least.
    const quietSweeps = wasSlowed ? 1 : QUIET_SWEEPS
    if (++this.#quietSweeps >= quietSweeps && this.#peer !== null) this.write(this.#peer.keepAlive())
    const { stuckMs, hasDrained } = this.#writer.sweep(now)
    if (hasDrained) this.#heartbeat.sawReading()
    if (stuckMs >= this.#services.settings.slowReaderSeconds * 1000) {
      this.#countOver('slow-reader')
      this.close('overload', 'too slow a reader: retry after 5 s')
      this.#webSocket.terminate()
      return
    }
    if (this.#isUnknown()) return
    if (this.#incomplete.isTrickling(wasPaused)) {
      const { leastBytes } = this.#services.settings
      this.#countOver('trickle')
      this.#cutOff('policy', `a message comes more slowly than ${leastBytes / 1024} KiB in 10 s`)
      return
    }
    if (this.#heartbeat.sweep(now)) this.#webSocket.terminate()
  }

  /** Ends whoever has not said in time what it is here for. Stock providers without a document leave after 30 s by themselves. */
  #isUnknown(): boolean {
    // A known client's first message may be long: what a provider has typed offline.
    if (!this.#isStranger && (this.#peer !== null || this.#incomplete.byteLength > 0)) return false
    const { introductionSeconds: limitS } = this.#services.settings
    if (this.#reader.isPaused || ++this.#introductionSweeps <= (limitS * 1000) / SWEEP_MS) return false
    this.#countOver('silence')
    this.close(
      'policy',
      this.#peer === null ? `no message came within ${limitS} s` : `no token was taken within ${limitS} s`,
    )
    return true
  }

  #watchPiece(): void {
    if (this.#isStranger && this.#isOverStranger()) return
    if (this.#incomplete.isTooMuch()) this.#reader.heedBacklog()
    // Once we have ended it, all is read: its answer to that comes last.
    if (this.#isBusy && !this.#isDeaf) this.#holdWhileBusy()
  }

  // Most have nothing more to say before they are answered: for these reading is never stopped and begun again.
  #holdWhileBusy(): void {
    if (!this.#inbox.isEmpty || this.#pieces.sinceMessage > 0) this.#reader.hold()
  }

  // `ws` has one limit for a connection's whole life, which is that of messages from people who are known.
  #isOverStranger(): boolean {
    const { maxStrangerBytes } = this.#services.settings
    if (this.#pieces.sinceMessage <= maxStrangerBytes) return false
    this.#countOver('stranger-bytes')
    this.#cutOff('tooBig', `without a token, a message is at most ${maxStrangerBytes} bytes`)
    return true
  }

  /**
   * Its client has shown a token that is taken.
   * @param userId null: nobody is asked
   * @returns null; or why it can't be let in: that user has too many connections
   */
  becomeKnown(userId: string | null): string | null {
    this.#isStranger = false
    const refusal = userId === null ? null : this.#place.nameUser(userId)
    if (refusal !== null) this.#countOver('connections-of-user')
    return refusal
  }

  #countOver(bound: Bound): void {
    if (!this.#isDeaf) this.#services.meters.overBound(bound)
  }

  /** Ends it within a message. What still comes of that is thrown away, as `ws` does where a message is over its limit. */
  #cutOff(name: CloseName, text: string): void {
    this.close(name, text)
    this.#socket.removeAllListeners('data')
    this.#socket.resume()
  }

  #closed(code: number): void {
    this.#reader.stop()
    this.#writer.stop()
    this.#isGone = true
    this.#closeCode ??= code
    this.#services.meters.closed(code)
    this.#heartbeat.stop()
    if (!this.#hasWork) this.#finish()
    this.#log.debug({ address: this.address, path: this.#path, code }, 'connection closed')
  }
}

/** Whether a frame is a whole awareness message of y-websocket's dialect. */
function isAwareness(frame: Uint8Array): boolean {
  if (frame[0] !== messageType.awareness) return false
  try {
    const message = decodeMessage(frame)
    return message.type === 'awareness' && decodeAwareness(message.payload).length > 0
  } catch {
    return false
  }
}
