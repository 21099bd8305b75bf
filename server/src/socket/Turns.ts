import type { Clock } from '../clock.ts'

/** How long those in line work, and how long everybody else has the event loop for themselves after that, in ms. */
const PASS_MS = 2
const REST_MS = 2

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
 * Half of the time is theirs, however many they are. Who is first works off all that was read of it, over several passes
 * if need be, and is read again then: so those in line are read one after the other, and not all at the same moment.
 */
export class Turns {
  readonly #clock: Clock
  /** In order: a set keeps that of insertion. */
  readonly #line = new Set<TurnTaker>()
  #isScheduled = false

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
    if (this.#line.size > 0) this.#clock.setTimer(() => this.#pass(), REST_MS)
    else this.#isScheduled = false
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
