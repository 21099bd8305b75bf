import type { Clock } from '../clock.ts'

/** Looking at all sessions takes a tenth of the time at most: after it comes a pause of so many times what it took. */
const PAUSE_FACTOR = 9
/** Shortest and longest pause, in ms: what is taken back counts within a second. */
const MIN_PAUSE_MS = 20
const MAX_PAUSE_MS = 500

/**
 * Has all sessions look at their rights when those may have changed: at once, and where that happens again and again, together and
 * less often.
 */
export class Recheck {
  readonly #clock: Clock
  readonly #run: () => void
  /** Those who ask during a pause. */
  #asking: (() => void)[] = []
  #isPausing = false

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock
    this.#run = run
  }

  /** Resolves when all have looked since. */
  ask(): Promise<void> {
    if (!this.#isPausing) {
      this.#runNow()
      return Promise.resolve()
    }
    return new Promise(resolve => this.#asking.push(resolve))
  }

  #runNow(): void {
    const startedAt = this.#clock.now()
    try {
      this.#run()
    } finally {
      const tookMs = this.#clock.now() - startedAt
      this.#isPausing = true
      this.#clock.setTimer(() => this.#goOn(), Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, PAUSE_FACTOR * tookMs)))
    }
  }

  #goOn(): void {
    this.#isPausing = false
    const asking = this.#asking
    if (asking.length === 0) return
    this.#asking = []
    try {
      this.#runNow()
    } finally {
      for (const resolve of asking) resolve()
    }
  }
}
