import type { Clock } from '../clock.ts'

/** How long those in line work at a time, in ms. */
const PASS_MS = 1
/** How long everybody else has the event loop for themselves after that, in ms: at least, and where it is busy at most. */
const MIN_REST_MS = 4
const MAX_REST_MS = 64
/** A timer that fires so many ms late waited for others' work. */
const LATE_MS = 2

/** Somebody with more to do than may be done at once. */
export interface TurnTaker {
  /**
   * Works until a moment, or until nothing is left.
   * @param until monotonic ms
   * @returns whether it leaves the line
   */
  takeTurn(until: number): boolean
}

/**
 * The line of those who send much: whoever sends little is handled at once, whatever stands here.
 *
 * A fifth of the time is theirs at most, however many they are, and less where the event loop has other work, of which what they
 * send makes a part: commits, writes to others. Who is first works off all that was read of it, over several passes if need be,
 * and is read again then: so those in line are read one after the other, and not all at the same moment.
 */
export class Turns {
  readonly #clock: Clock
  /** In order: a set keeps that of insertion. */
  readonly #line = new Set<TurnTaker>()
  #isScheduled = false
  #restMs = MIN_REST_MS

  constructor(clock: Clock) {
    this.#clock = clock
  }

  enter(taker: TurnTaker): void {
    this.#line.add(taker)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.soon(() => this.#pass())
  }

  #pass(): void {
    this.#work()
    if (this.#line.size === 0) {
      this.#isScheduled = false
      return
    }
    const due = this.#clock.now() + this.#restMs
    this.#clock.setTimer(() => {
      const isLate = this.#clock.now() - due > LATE_MS
      this.#restMs = isLate ? Math.min(this.#restMs * 2, MAX_REST_MS) : Math.max(this.#restMs / 2, MIN_REST_MS)
      this.#pass()
    }, this.#restMs)
  }

  #work(): void {
    const until = this.#clock.now() + PASS_MS
    // Who enters meanwhile comes last.
    for (const taker of this.#line) {
      if (!taker.takeTurn(until)) return
      this.#line.delete(taker)
      if (this.#clock.now() >= until) return
    }
  }
}
