import type { WebSocket } from 'ws'
import type { Clock, Timer } from '../clock.ts'
import { TokenBucket } from '../TokenBucket.ts'

/**
 * What one connection may bring before others are heard: one read of libuv's, of which it would make 32 in a row (2 MiB, 40 ms
 * of checking). Then it waits for a moment: 16 MiB a second at most, with half of the event loop for those who type.
 */
const TURN_BYTES = 64 << 10
const TURN_MS = 4
/** How often a connection that waits for the disk looks whether it has caught up. */
const BACKLOG_LOOK_MS = 50

export interface ReaderSettings {
  readonly messagesPerSecond: number
  readonly messageBurst: number
  readonly bytesPerSecond: number
  readonly byteBurst: number
  readonly maxWaitSeconds: number
}

/**
 * Decides when a connection's socket is read: within its rates, in turn with the others, and not while edits wait for the disk or
 * what it sent before is worked on. Above its rate a connection is read more slowly, never closed: TCP tells the other side to wait.
 */
export class SocketReader {
  readonly #webSocket: WebSocket
  readonly #clock: Clock
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  readonly #isBacklogged: () => boolean
  readonly #onOverload: () => void
  readonly #maxWaitMs: number
  /** Since when it waits for the disk or for memory. */
  #waitsSince: number | null = null
  #isHeld = false
  #isPaused = false
  #isYielding = false
  #turnBegin = 0
  #turnBytes = 0
  #resumeTimer: Timer | null = null
  #isStopped = false
  /** It was paused at the last sweep, or since. */
  #hasPaused = false
  /** It was above its rate at the last sweep, or since. */
  #isSlowed = false

  /**
   * @param isBacklogged whether what comes must wait: edits for the disk, a large message for memory
   * @param onOverload called where it has waited too long
   */
  constructor(
    webSocket: WebSocket,
    clock: Clock,
    settings: ReaderSettings,
    isBacklogged: () => boolean,
    onOverload: () => void,
  ) {
    this.#onOverload = onOverload
    this.#maxWaitMs = settings.maxWaitSeconds * 1000
    this.#webSocket = webSocket
    this.#clock = clock
    this.#isBacklogged = isBacklogged
    const now = clock.now()
    this.#messages = new TokenBucket(settings.messagesPerSecond, settings.messageBurst, now)
    this.#bytes = new TokenBucket(settings.bytesPerSecond, settings.byteBurst, now)
  }

  /** What the other side says while we don't read, we don't hear. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Counts a message that came. */
  count(bytes: number): void {
    const now = this.#clock.now()
    const waitMs = Math.max(this.#messages.take(1, now), this.#bytes.take(bytes, now))
    if (waitMs > 0) this.#pauseFor(waitMs)
    else this.#takeTurn(bytes, now)
  }

  /** Waits where it must. */
  heedBacklog(): void {
    if (!this.#isBacklogged()) return
    this.#waitsSince ??= this.#clock.now()
    this.#pauseFor(BACKLOG_LOOK_MS)
  }

  /** Whether it waits for the disk or for memory. */
  get isWaiting(): boolean {
    return this.#waitsSince !== null
  }

  /** Whether more may be taken of one that is held: it's within its rates, and needn't wait. */
  get mayTakeMore(): boolean {
    return !this.#isStopped && this.#resumeTimer === null
  }

  /** Reads nothing until `release`. */
  hold(): void {
    this.#isHeld = true
    this.#pause()
  }

  release(): void {
    this.#isHeld = false
    this.#resumeUnlessHeld()
  }

  /** Reads on, whatever held it: we ended the connection, and what comes now is thrown away. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#webSocket.resume()
  }

  /** The socket is closed. */
  stop(): void {
    this.#isStopped = true
    if (this.#resumeTimer !== null) this.#clock.clearTimer(this.#resumeTimer)
    this.#resumeTimer = null
  }

  /** Called at each sweep. @returns whether it was above its rate, or paused, since the last one */
  sweep(): { wasSlowed: boolean; wasPaused: boolean } {
    const since = { wasSlowed: this.#isSlowed, wasPaused: this.#hasPaused }
    this.#isSlowed = this.#resumeTimer !== null
    this.#hasPaused = this.#isPaused
    return since
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
    this.#clock.setTimer(() => {
      this.#isYielding = false
      this.#turnBytes = 0
      this.#resumeUnlessHeld()
    }, TURN_MS)
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#hasPaused = true
    this.#webSocket.pause()
  }

  #resumeUnlessHeld(): void {
    if (!this.#isHeld && !this.#isYielding && this.#resumeTimer === null) this.resume()
  }

  #pauseFor(ms: number): void {
    if (this.#resumeTimer !== null || this.#isStopped) return
    this.#pause()
    this.#isSlowed = true
    this.#resumeTimer = this.#clock.setTimer(() => {
      this.#resumeTimer = null
      const now = this.#clock.now()
      if (!this.#isBacklogged()) {
        this.#waitsSince = null
        this.#resumeUnlessHeld()
        return
      }
      this.#waitsSince ??= now
      if (now - this.#waitsSince < this.#maxWaitMs) this.#pauseFor(BACKLOG_LOOK_MS)
      else this.#onOverload()
    }, ms)
  }
}
