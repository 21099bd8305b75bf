import type { Clock, Timer } from '../clock.ts'

const LOOK_MS = 1000
/**
 * A document up to this size is let go of as soon as nobody needs it: reading it again (0.1 ms, in another thread) costs less
 * than what thousands of them leave behind in the heap when they live for seconds.
 */
const SMALL_BYTES = 32 * 1024
/** Whoever comes with a wave of joiners comes within so long. */
const KEPT_MS = 10_000
/** Of all documents together. What somebody is being sent stays all the same. */
export const MAX_HELD_BYTES = 128 << 20

/** Somebody who holds a document's stored bytes and can read them again. */
export interface BytesHolder {
  /** 0: it holds none. */
  readonly heldBytes: number
  /** Lets go of them, unless they are in use. */
  dropBytes(): void
}

/** Decides whose stored bytes stay in memory: an open but quiet document keeps its knowledge only. */
export class BytesCache {
  readonly #clock: Clock
  /** When they were last used (monotonic ms), longest ago first. */
  readonly #usedAt = new Map<BytesHolder, number>()
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Its bytes were read, or used. */
  used(holder: BytesHolder): void {
    this.#usedAt.delete(holder)
    this.#usedAt.set(holder, this.#clock.now())
    this.#timer ??= this.#clock.setTimer(() => this.#look(), LOOK_MS)
  }

  /** Somebody who was sent them needs them no more. */
  unused(holder: BytesHolder): void {
    if (holder.heldBytes > SMALL_BYTES) return
    holder.dropBytes()
    if (holder.heldBytes === 0) this.#usedAt.delete(holder)
  }

  #look(): void {
    this.#timer = null
    const now = this.#clock.now()
    let bytes = 0
    for (const holder of this.#usedAt.keys()) bytes += holder.heldBytes
    for (const [holder, usedAt] of this.#usedAt) {
      const { heldBytes } = holder
      if (now - usedAt >= KEPT_MS || heldBytes <= SMALL_BYTES || bytes > MAX_HELD_BYTES) holder.dropBytes()
      bytes -= heldBytes - holder.heldBytes
      if (holder.heldBytes === 0) this.#usedAt.delete(holder)
    }
    if (this.#usedAt.size > 0) this.#timer = this.#clock.setTimer(() => this.#look(), LOOK_MS)
  }

  /** No timer any more. */
  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#timer = null
    this.#usedAt.clear()
  }
}
