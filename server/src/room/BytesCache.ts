import type { Clock, Timer } from '../clock.ts'
import { WeftError } from '../errors.ts'
import { Turnstile } from '../Turnstile.ts'
import { Pins } from './Pins.ts'

const LOOK_MS = 1000
/**
 * A document up to this size is let go of as soon as nobody needs it: reading it again (for 500 keystrokes 3 ms) costs less than
 * what thousands of them leave behind in the heap when they live for seconds. One that is asked for again and again is kept.
 */
const SMALL_BYTES = 32 * 1024
/** Whoever comes with a wave of joiners comes within so long. */
export const KEPT_MS = 10_000
/** Documents that are read from the store at the same time: libuv reads four. */
export const LOAD_WIDTH = 8

/** Who waits for room looks so often, in ms. */
const WAIT_MS = 100

export interface CacheSettings {
  /** What is held of all documents together, but for what is in use. */
  readonly cacheBytes: number
  /** What is in use; above it others wait. */
  readonly maxLoadedBytes: number
  readonly maxWaitSeconds: number
}

/** Somebody who holds a document's stored bytes and can read them again. */
export interface BytesHolder {
  /** 0: it holds none. */
  readonly heldBytes: number
  /** They were read again soon after they had been let go of. */
  readonly isSought: boolean
  /** Lets go of them, unless they are in use. */
  dropBytes(): void
}

/** Decides whose stored bytes stay in memory: an open but quiet document keeps its knowledge only. */
export class BytesCache {
  /** What is being sent of shared bytes. */
  readonly pins = new Pins()
  readonly #settings: CacheSettings
  readonly #loads = new Turnstile(LOAD_WIDTH, Number.POSITIVE_INFINITY)
  readonly #clock: Clock
  /** When they were last used (monotonic ms), longest ago first. */
  readonly #usedAt = new Map<BytesHolder, number>()
  #timer: Timer | null = null

  constructor(settings: CacheSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /** Bytes that are held or being sent. */
  get loadedBytes(): number {
    let bytes = this.pins.bytes
    for (const holder of this.#usedAt.keys()) bytes += holder.heldBytes
    return bytes
  }

  /**
   * Reads a document's stored bytes, when there is room for more.
   * @throws {WeftError} `OVERLOADED`: there was none for too long
   */
  load<T>(read: () => Promise<T>): Promise<T> {
    return this.#loads.pass(async () => {
      const { maxLoadedBytes, maxWaitSeconds } = this.#settings
      const end = this.#clock.now() + maxWaitSeconds * 1000
      while (this.loadedBytes > maxLoadedBytes) {
        // What nobody uses any more needn't wait for its time.
        for (const holder of this.#usedAt.keys()) holder.dropBytes()
        if (this.loadedBytes <= maxLoadedBytes) break
        if (this.#clock.now() >= end)
          throw new WeftError('OVERLOADED', `${this.loadedBytes} bytes of documents are in use`)
        await new Promise<void>(resolve => this.#clock.setTimer(resolve, WAIT_MS))
      }
      return read()
    })
  }

  /** Its bytes were read, or used. */
  used(holder: BytesHolder): void {
    this.#usedAt.delete(holder)
    this.#usedAt.set(holder, this.#clock.now())
    this.#timer ??= this.#clock.setTimer(() => this.#look(), LOOK_MS)
  }

  /** Somebody who was sent them needs them no more. */
  unused(holder: BytesHolder): void {
    if (holder.heldBytes > SMALL_BYTES || holder.isSought) return
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
      const isSmall = heldBytes <= SMALL_BYTES && !holder.isSought
      if (now - usedAt >= KEPT_MS || isSmall || bytes > this.#settings.cacheBytes) holder.dropBytes()
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
