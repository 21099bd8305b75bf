import type { Clock, Timer } from './clock.ts'

/** After the process has stood still, so long is read before anybody is judged, in ms. */
const CATCH_UP_MS = 1000

/**
 * Calls back every so often, as long as it is wanted.
 *
 * Where the process stood still meanwhile (suspended, or its machine), all that came is still to be read: who said in time that
 * he is there must not be late by that. So a call that comes too late waits once more, for a second.
 */
export class Sweep {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #sweep: () => boolean
  readonly #lateMs: number
  #timer: Timer | null = null

  /** @param sweep returns whether it is to be called again @param lateMs a call that is later than this waits */
  constructor(clock: Clock, intervalMs: number, sweep: () => boolean, lateMs = intervalMs) {
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#sweep = sweep
    this.#lateMs = lateMs
  }

  /** Begins, unless it runs already. */
  start(): void {
    if (this.#timer === null) this.#wait(this.#intervalMs)
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#timer = null
  }

  #wait(ms: number): void {
    const dueAt = this.#clock.now() + ms
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null
      if (this.#clock.now() - dueAt > this.#lateMs) this.#wait(CATCH_UP_MS)
      else if (this.#sweep()) this.start()
    }, ms)
  }
}
