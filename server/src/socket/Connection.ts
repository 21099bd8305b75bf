import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
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
import type { VerifiedToken } from '../access/verifyToken.ts'
import type { Clock, Timer } from '../clock.ts'
import type { Meters } from '../Meters.ts'
import { addressFrames } from '../room/encodeFrame.ts'
import type { Outlet } from '../room/Outlet.ts'
import type { Rooms } from '../room/Rooms.ts'
import { TokenBucket } from '../TokenBucket.ts'
import { CompressedWriter } from './CompressedWriter.ts'
import type { FrameCompressor } from './FrameCompressor.ts'
import { HocuspocusPeer } from './HocuspocusPeer.ts'
import { MultiplexPeer } from './MultiplexPeer.ts'
import type { Offences } from './Offences.ts'
import type { Peer } from './Peer.ts'
import { YWebsocketPeer } from './YWebsocketPeer.ts'

const ALIVE_TIMEOUT_MS = 2000
/** Pings and pongs that a client may send: so many at once, so many more each second. Providers send none, browsers answer ours. */
const CONTROLS_PER_SECOND = 10
const CONTROL_BURST = 50
/** Encryption copies what is written: a large frame is handed to it in slices of so many bytes, as fast as they leave. */
const ENCRYPTED_SLICE_BYTES = 64 << 10

/** Bytes of a control frame from a client beside its payload: two, and the mask (RFC 6455, section 5.2). */
const CONTROL_HEAD_BYTES = 6

/** What the upgrade request says of a connection. */
export interface Upgrade {
  readonly address: string
  /** Of its URL, without the query. */
  readonly path: string
  /** null: none was given. Never to be logged. */
  readonly token: string | null
  /** What `Access.verify` said of it. */
  readonly verified: VerifiedToken | Denial | null
}

export interface ConnectionSettings {
  readonly messagesPerSecond: number
  readonly messageBurst: number
  readonly bytesPerSecond: number
  readonly byteBurst: number
  readonly slowReaderSeconds: number
  readonly maxSessionsPerDocument: number
}

export interface ConnectionServices {
  readonly access: Access
  readonly rooms: Rooms
  readonly clock: Clock
  readonly meters: Meters
  readonly logger: Logger
  readonly offences: Offences
  readonly settings: ConnectionSettings
  readonly compressor: FrameCompressor
  /** Whether edits wait for the disk beyond the bound: nothing more is read then. */
  readonly isBacklogged: () => boolean
}

/** Sweeps (one each 5 s) without a written frame before a keep-alive, and without a pong before the end. */
const QUIET_SWEEPS = 3
const PING_SWEEPS = 3
/** Sweeps within which a first message must have come, and a token where one is asked for: 60 s. */
const INTRODUCTION_SWEEPS = 12
/**
 * What must come of an incomplete message between two sweeps: 16 KiB in 10 s. Who brings more has it to his credit, and may be
 * in a tunnel for as long as a minute.
 */
const LEAST_SWEEP_BYTES = 8 << 10
const FIRST_CREDIT_BYTES = 16 << 10
const MAX_CREDIT_BYTES = 96 << 10
/** What an incomplete message may hold in memory before a token is taken: one is 8 KiB at most. */
const STRANGERS_BYTES = 16 << 10

/**
 * What one connection may bring before others are heard: one read of libuv's, of which it would make 32 in a row (2 MiB, 40 ms
 * of checking). Then it waits for a moment: 16 MiB a second at most, with half of the event loop for those who type.
 */
const TURN_BYTES = 64 << 10
const TURN_MS = 4

/** One WebSocket: bytes in, bytes out, back pressure. Its peer, which carries the sessions, is chosen by the first frame. */
export class Connection implements Outlet {
  readonly address: string
  readonly #socket: Duplex
  readonly #webSocket: WebSocket
  readonly #path: string
  readonly #token: string | null
  readonly #verified: VerifiedToken | Denial | null
  readonly #services: ConnectionServices
  readonly #log: Logger
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  #controls: TokenBucket | null = null
  /** Where the client agreed to `permessage-deflate`. */
  readonly #compressed: CompressedWriter | null
  readonly #isEncrypted: boolean
  #peer: Peer | null = null
  /** Frames that wait: for the room, for a worker that checks the one before. */
  readonly #inbox: Uint8Array[] = []
  #isBusy = false
  /** We ended it: nothing more is taken in. */
  #isDeaf = false
  /** We ended it for what the peer did: what waits is dropped. Where the peer ended it, that is worked to its end. */
  #isRefused = false
  /** The socket is closed. */
  #isGone = false
  #isOver = false
  readonly #onEnd: () => void
  #idleWaiters: (() => void)[] = []
  #isPaused = false
  #isYielding = false
  #turnBegin = 0
  #turnBytes = 0
  #resumeTimer: Timer | null = null
  /** It was above its rate at the last sweep, or since. */
  #isSlowed = false
  #sharedUnsent = 0
  #sharedBy: object | null = null
  #quietSweeps = 0
  #pingSweeps = 0
  #unansweredPings = 0
  #bytesRead = 0
  /** Where a token is asked for, and none of its own has been taken yet. */
  #isStranger: boolean
  #introductionSweeps = 0
  /** Those of pings and pongs, which come between the frames of a message, too. */
  #controlBytes = 0
  /** Bytes read when the last message was complete, without those of pings and pongs. Some of the next one may be among them. */
  #messageEnd: number
  /** As it was at the last sweep: what had been read, and where the last message had ended. */
  #sweptBytes: number
  #sweptEnd: number
  #creditBytes = FIRST_CREDIT_BYTES
  #hasPaused = false
  #stuckSince: number | null = null
  /** Bytes that the operating system had taken at the last sweep. */
  #takenBytes = 0
  #aliveWaiters: ((isAlive: boolean) => void)[] = []

  /**
   * @param onEnd called once: the socket is closed, and what came over it is worked off
   */
  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    { address, path, token, verified }: Upgrade,
    services: ConnectionServices,
    onEnd: () => void,
  ) {
    this.#onEnd = onEnd
    this.#webSocket = webSocket
    this.#socket = socket
    this.address = address
    this.#path = path
    this.#token = token
    this.#verified = verified
    this.#services = services
    this.#log = services.logger
    const { clock, settings } = services
    const now = clock.now()
    this.#messages = new TokenBucket(settings.messagesPerSecond, settings.messageBurst, now)
    this.#bytes = new TokenBucket(settings.bytesPerSecond, settings.byteBurst, now)
    webSocket.binaryType = 'nodebuffer'
    webSocket.on('error', error => this.#log.debug({ err: error, address }, 'a connection broke'))
    webSocket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary))
    webSocket.on('ping', data => this.#countControl(data))
    webSocket.on('pong', data => {
      this.#heard()
      this.#countControl(data)
    })
    webSocket.on('close', code => this.#closed(code))
    socket.on('drain', () => this.#peer?.drained())
    this.#compressed =
      webSocket.extensions === ''
        ? null
        : new CompressedWriter(
            services.compressor,
            (frames, sharedBy, address) => this.isOpen && this.#send(frames, sharedBy, address),
            () => this.#peer?.drained(),
          )
    this.#isEncrypted = socket instanceof TLSSocket
    // All that waits would be encrypted at once, and held a second time.
    if (this.#isEncrypted) Reflect.set(socket, '_writev', undefined)
    this.#messageEnd = bytesRead(socket)
    this.#sweptBytes = this.#messageEnd
    this.#sweptEnd = this.#messageEnd
    this.#isStranger = verified !== null && 'close' in verified
    // After `ws`, which has taken out by then what is complete.
    if (this.#isStranger) socket.on('data', this.#watchStranger)
    this.#log.debug({ address, path }, 'connection opened')
  }

  // ── Outlet ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether we ended it for what the peer did. */
  get isRefused(): boolean {
    return this.#isRefused
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN
  }

  get unsentBytes(): number {
    return this.#socket.writableLength - this.#sharedUnsent + (this.#compressed?.heldBytes ?? 0)
  }

  /** @param address of the session where a connection carries many: goes before each message */
  write(frames: Buffer, sharedBy: object | null = null, address: string | null = null): void {
    if (!this.isOpen) return
    this.#quietSweeps = 0
    if (this.#compressed === null) this.#send(frames, sharedBy, address)
    else this.#compressed.write(frames, sharedBy, address)
  }

  #send(frames: Buffer, sharedBy: object | null, address: string | null): void {
    if (address === null) {
      this.#sendBytes(frames, sharedBy)
      return
    }
    const parts = addressFrames(frames, address)
    // A copy is nobody's but this connection's; a view of shared bytes is as shared as they are.
    const holder = parts.length > 1 ? sharedBy : null
    for (const part of parts) this.#sendBytes(part, holder)
  }

  // Straight to the socket: the frames are encoded already, once for all who get them, and `ws` compresses and holds back
  // none of its own (pings, pongs and closes), so the order stays.
  #sendBytes(frames: Buffer, sharedBy: object | null): void {
    if (this.#isEncrypted && frames.length > ENCRYPTED_SLICE_BYTES) {
      for (let at = 0; at < frames.length; at += ENCRYPTED_SLICE_BYTES) {
        this.#sendBytes(frames.subarray(at, at + ENCRYPTED_SLICE_BYTES), sharedBy)
      }
      return
    }
    this.#services.meters.sent(frames.length)
    // Of one version only: a reader that asks again after each compaction and never reads would keep them all alive.
    if (sharedBy === null || (this.#sharedUnsent > 0 && this.#sharedBy !== sharedBy)) {
      this.#socket.write(frames)
      return
    }
    this.#sharedBy = sharedBy
    this.#sharedUnsent += frames.length
    this.#socket.write(frames, () => {
      this.#sharedUnsent -= frames.length
      if (this.#sharedUnsent === 0) this.#sharedBy = null
    })
  }

  isAlive(): Promise<boolean> {
    if (!this.isOpen) return Promise.resolve(false)
    const bytesBefore = bytesRead(this.#socket)
    return new Promise(resolve => {
      const timer = this.#services.clock.setTimer(() => {
        this.#aliveWaiters = this.#aliveWaiters.filter(waiter => waiter !== answer)
        // A pong comes after the large message that is on its way; and what it answers while we don't read, we don't hear.
        resolve(this.isOpen && (this.#isPaused || bytesRead(this.#socket) !== bytesBefore))
      }, ALIVE_TIMEOUT_MS)
      const answer = (isAlive: boolean) => {
        this.#services.clock.clearTimer(timer)
        resolve(isAlive)
      }
      this.#aliveWaiters.push(answer)
      if (this.#aliveWaiters.length === 1) this.#webSocket.ping()
    })
  }

  close(name: CloseName, text: string): void {
    if (this.#isDeaf) return
    this.#isDeaf = true
    let closeName = name
    if (name === 'malformed' && this.#services.offences.record(this.address, this.#path, this.#services.clock.now())) {
      closeName = 'repeatedlyMalformed'
    }
    const { code } = closeCode[closeName]
    const reason = closeReason(closeName, text)
    this.#log.debug({ address: this.address, path: this.#path, code, reason }, 'closing a connection')
    // A stop is no verdict on what was sent.
    if (name !== 'restart') {
      this.#isRefused = true
      this.#inbox.length = 0
      this.#peer?.end()
    }
    if (this.isOpen) {
      // Stock clients before 3.1 don't know final codes, but log this message.
      const denial = isFinalClose(code) ? this.#peer?.denial(reason) : null
      if (denial != null) this.write(denial)
      this.#compressed?.flush()
      // Cut off after 5 s: the other side may never read or answer.
      this.#webSocket.close(code, reason)
    }
    this.#resume()
    if (!this.#hasWork) this.#finish()
  }

  /** Resolves when all that came has been handled. */
  idle(): Promise<void> {
    return this.#hasWork ? new Promise(resolve => this.#idleWaiters.push(resolve)) : Promise.resolve()
  }

  // ── In ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #heard(): void {
    this.#unansweredPings = 0
    if (this.#aliveWaiters.length > 0) for (const answer of this.#aliveWaiters.splice(0)) answer(true)
  }

  #countControl(payload: Buffer): void {
    this.#controlBytes += CONTROL_HEAD_BYTES + payload.length
    const now = this.#services.clock.now()
    this.#controls ??= new TokenBucket(CONTROLS_PER_SECOND, CONTROL_BURST, now)
    if (this.#controls.take(1, now) > 0) this.close('policy', `over ${CONTROLS_PER_SECOND} pings and pongs a second`)
  }

  #receive(data: Buffer, isBinary: boolean): void {
    this.#heard()
    this.#messageEnd = bytesRead(this.#socket) - this.#controlBytes
    this.#services.meters.received(data.length)
    if (this.#isDeaf) return
    if (!isBinary) {
      this.close('text', 'messages are binary frames')
      return
    }
    const now = this.#services.clock.now()
    const waitMs = Math.max(this.#messages.take(1, now), this.#bytes.take(data.length, now))
    this.#inbox.push(data)
    if (waitMs > 0) this.#pauseFor(waitMs)
    else this.#takeTurn(data.length, now)
    this.#work()
  }

  // Somebody uploads: the others, who type, come in between.
  #takeTurn(bytes: number, now: number): void {
    if (now - this.#turnBegin > TURN_MS) {
      this.#turnBegin = now
      this.#turnBytes = 0
    }
    this.#turnBytes += bytes
    if (this.#turnBytes < TURN_BYTES || this.#isYielding) return
    this.#isYielding = true
    this.#pause()
    this.#services.clock.setTimer(() => {
      this.#isYielding = false
      this.#turnBytes = 0
      this.#resumeUnlessHeld()
    }, TURN_MS)
  }

  get #hasWork(): boolean {
    return this.#isBusy || this.#inbox.length > 0
  }

  // Frames are handled one after the other. While one is with a worker, or the room is being loaded, the rest waits,
  // and the socket is not read.
  #work(): void {
    while (!this.#isBusy) {
      if (this.#services.isBacklogged()) this.#pauseFor(50)
      const frame = this.#inbox.shift()
      if (frame === undefined) {
        this.#finish()
        return
      }
      this.#peer ??= this.#meet(frame)
      const done = this.#peer.receive(frame)
      if (!(done instanceof Promise)) continue
      this.#isBusy = true
      this.#pause()
      const goOn = () => {
        this.#isBusy = false
        this.#resumeUnlessHeld()
        this.#work()
      }
      done.then(goOn, error => {
        this.#log.error({ err: error }, 'a message could not be handled')
        this.close('internal', 'this message could not be handled')
        goOn()
      })
    }
  }

  // Somebody who said goodbye right after a large edit has left before the edit is checked: it counts all the same.
  #finish(): void {
    if (this.#isDeaf || this.#isGone) this.#peer?.end()
    if (this.#idleWaiters.length > 0) for (const wake of this.#idleWaiters.splice(0)) wake()
    if (this.#isGone && !this.#isOver) {
      this.#isOver = true
      this.#onEnd()
    }
  }

  // y-websocket's clients begin with a sync message, type 0; Hocuspocus' with an address, which is never empty. (An application
  // may have a y-websocket client show its awareness first: no Hocuspocus frame reads like that.)
  #meet(frame: Uint8Array): Peer {
    if (this.#webSocket.protocol === MULTIPLEX_SUBPROTOCOL) return new MultiplexPeer(this, this.#token, this.#services)
    if (frame.length === 0 || frame[0] === 0 || isAwareness(frame))
      return new YWebsocketPeer(this, this.#path, this.#verified, this.#services)
    return new HocuspocusPeer(this, this.#token, this.#services)
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#hasPaused = true
    this.#webSocket.pause()
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#webSocket.resume()
  }

  #resumeUnlessHeld(): void {
    if (!this.#isBusy && !this.#isYielding && this.#resumeTimer === null) this.#resume()
  }

  // Above its rate a connection is read more slowly, never closed: TCP tells the other side to wait.
  #pauseFor(ms: number): void {
    if (this.#resumeTimer !== null || this.#isGone) return
    this.#pause()
    this.#isSlowed = true
    this.#resumeTimer = this.#services.clock.setTimer(() => {
      this.#resumeTimer = null
      if (this.#services.isBacklogged()) this.#pauseFor(50)
      else this.#resumeUnlessHeld()
    }, ms)
  }

  // ── Life ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Called every 5 s: keeps a quiet connection alive, and ends a dead or stuck one. @param now monotonic ms */
  sweep(now: number): void {
    if (!this.isOpen) return
    // Whoever is read more slowly hears no answer for long: that somebody is there, at least.
    const quietSweeps = this.#isSlowed ? 1 : QUIET_SWEEPS
    this.#isSlowed = this.#resumeTimer !== null
    if (++this.#quietSweeps >= quietSweeps && this.#peer !== null) this.write(this.#peer.keepAlive())
    if (this.#isStuck(now)) {
      this.close('overload', 'too slow a reader: retry after 5 s')
      this.#webSocket.terminate()
      return
    }
    if (this.#isUnknown() || this.#isTrickling()) return
    if (++this.#pingSweeps < PING_SWEEPS) return
    this.#pingSweeps = 0
    // What it answers while we don't read, we don't hear.
    if (this.#isPaused) return
    // A pong comes after the large message that is on its way: bytes of it are a sign of life, however slow the link.
    const read = bytesRead(this.#socket)
    if (read !== this.#bytesRead) this.#unansweredPings = 0
    this.#bytesRead = read
    if (this.#unansweredPings >= 2) {
      this.#webSocket.terminate()
      return
    }
    this.#unansweredPings++
    this.#webSocket.ping()
  }

  /** Whether nothing that was written has left for too long. */
  #isStuck(now: number): boolean {
    const unsent = systemQueueBytes(this.#socket)
    const taken = handleCount(this.#socket, 'bytesWritten', 0) - unsent
    if (unsent === 0 || taken !== this.#takenBytes) {
      // Our pings wait behind a large frame that is being read: that it gets smaller is life enough.
      if (this.#stuckSince !== null) this.#unansweredPings = 0
      this.#takenBytes = taken
      this.#stuckSince = unsent === 0 ? null : now
      return false
    }
    return this.#stuckSince !== null && now - this.#stuckSince >= this.#services.settings.slowReaderSeconds * 1000
  }

  /** Ends whoever has not said in time what it is here for. Stock providers without a document leave after 30 s by themselves. */
  #isUnknown(): boolean {
    // A known client's first message may be long: what a provider has typed offline.
    if (!this.#isStranger && (this.#peer !== null || this.#incompleteBytes > 0)) return false
    if (this.#isPaused || ++this.#introductionSweeps <= INTRODUCTION_SWEEPS) return false
    this.close('policy', this.#peer === null ? 'no message came within 60 s' : 'no token was taken within 60 s')
    return true
  }

  /** What has come of a message that isn't complete: so much at least; at most one read of the socket more. */
  get #incompleteBytes(): number {
    return bytesRead(this.#socket) - this.#controlBytes - this.#messageEnd
  }

  /** Ends whoever lets us hold what has come of a message, and brings the rest a byte at a time. */
  #isTrickling(): boolean {
    const read = bytesRead(this.#socket) - this.#controlBytes
    const came = read - this.#sweptBytes
    const hasPaused = this.#hasPaused
    this.#sweptBytes = read
    this.#hasPaused = this.#isPaused
    if (this.#sweptEnd !== this.#messageEnd || read <= this.#messageEnd) {
      this.#sweptEnd = this.#messageEnd
      this.#creditBytes = FIRST_CREDIT_BYTES
      return false
    }
    // It could not come while we didn't read.
    if (hasPaused) return false
    this.#creditBytes = Math.min(MAX_CREDIT_BYTES, this.#creditBytes + came) - LEAST_SWEEP_BYTES
    if (this.#creditBytes >= 0) return false
    this.#cutOff('policy', 'a message comes more slowly than 16 KiB in 10 s')
    return true
  }

  // `ws` has one limit for a connection's whole life, which is that of messages from people who are known.
  readonly #watchStranger = (): void => {
    if (this.#incompleteBytes <= STRANGERS_BYTES) return
    this.#cutOff('tooBig', `without a token, a message is at most ${STRANGERS_BYTES} bytes`)
  }

  /** Its client has shown a token that is taken. */
  becomeKnown(): void {
    if (!this.#isStranger) return
    this.#isStranger = false
    this.#socket.off('data', this.#watchStranger)
  }

  /** Ends it within a message. What still comes of that is thrown away, as `ws` does where a message is over its limit. */
  #cutOff(name: CloseName, text: string): void {
    this.close(name, text)
    this.#socket.removeAllListeners('data')
    this.#socket.resume()
  }

  #closed(code: number): void {
    if (this.#resumeTimer !== null) this.#services.clock.clearTimer(this.#resumeTimer)
    this.#resumeTimer = null
    this.#isGone = true
    this.#services.meters.closed(code)
    for (const answer of this.#aliveWaiters) answer(false)
    this.#aliveWaiters = []
    if (!this.#hasWork) this.#finish()
    this.#log.debug({ address: this.address, path: this.#path, code }, 'connection closed')
  }
}

/** Bytes that came so far, those of an unfinished message too. */
function bytesRead(socket: Duplex): number {
  const count: unknown = Reflect.get(socket, 'bytesRead')
  return typeof count === 'number' ? count : 0
}

/**
 * Bytes that the operating system has not taken yet. A large write counts as a whole in `writableLength` until all of it
 * is gone; libuv's own count (which Node's socket timeout uses for the same purpose) falls as it goes.
 */
function systemQueueBytes(socket: Duplex): number {
  return handleCount(socket, 'writeQueueSize', socket.writableLength)
}

/** What libuv counts of a socket; under TLS, too. */
function handleCount(socket: Duplex, name: 'writeQueueSize' | 'bytesWritten', otherwise: number): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return otherwise
  const count: unknown = Reflect.get(handle, name)
  return typeof count === 'number' ? count : otherwise
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
