import type { Clock } from '../clock.ts'

/** How long those in line work at a time, in ms. */
const PASS_MS = 1
/** How long everybody else has the event loop for themselves after that, in ms: where nobody else says anything, and else. */
const ALONE_REST_MS = 1
const REST_MS = 9
/** Others have said something if it was within so long, in ms. */
const HEARD_MS = 100

/** Somebody with more to do than may be done at once. */
export interface TurnTaker {
  /**
   * Works until a moment, or until nothing is left.
   * @param until monotonic ms
   * @returns where it stands then: it has left the line, is the first of it still, or the last
   */
  takeTurn(until: number): 'left' | 'first' | 'last'
}

/**
 * The line of those who send much: whoever sends little is handled at once, whatever stands here.
 *
 * A tenth of the time is theirs, however many they are, for what they send brings more work after it: commits, writes to others.
 * Where nobody else says anything it is half. Who is first works off all that was read of it, over several passes if need be, and
 * is read again then: so those in line are read one after the other, and not all at the same moment.
 */
export class Turns {
  readonly #clock: Clock
  /** In order: a set keeps that of insertion. */
  readonly #line = new Set<TurnTaker>()
  #isScheduled = false
  #heardAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Somebody who doesn't stand here was handled at once. @param now monotonic ms */
  heardOther(now: number): void {
    this.#heardAt = now
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
    const isAlone = this.#clock.now() - this.#heardAt > HEARD_MS
    this.#clock.setTimer(() => this.#pass(), isAlone ? ALONE_REST_MS : REST_MS)
  }

  #work(): void {
    const until = this.#clock.now() + PASS_MS
    // Who enters meanwhile comes last.
    for (const taker of this.#line) {
      const place = taker.takeTurn(until)
      if (place === 'first') return
      this.#line.delete(taker)
      if (place === 'last') this.#line.add(taker)
      if (this.#clock.now() >= until) return
    }
  }
}
