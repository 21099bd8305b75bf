import type { Random } from '../../crdt/Random.ts'
import type { SimulatedClock } from '../SimulatedClock.ts'

interface Parcel {
  readonly bytes: number
  readonly at: number
  readonly arrive: () => void
}

/** One way of a link: what goes in comes out later, in order, until it is cut. */
export class Pipe {
  readonly #clock: SimulatedClock
  readonly #random: Random
  readonly #delayMs: number
  #queue: Parcel[] = []
  #lastAt = 0
  #isArmed = false
  #isCut = false

  constructor(clock: SimulatedClock, random: Random, delayMs: number) {
    this.#clock = clock
    this.#random = random
    this.#delayMs = delayMs
  }

  send(bytes: number, arrive: () => void): void {
    if (this.#isCut) return
    const at = Math.max(this.#lastAt, this.#clock.now() + this.#random.next() * this.#delayMs)
    this.#lastAt = at
    this.#queue.push({ bytes, at, arrive })
    this.#arm()
  }

  /** Nothing arrives for a while: what is on its way comes later. */
  delay(ms: number): void {
    const at = Math.max(this.#lastAt, this.#clock.now()) + ms
    this.#queue = this.#queue.map(parcel => ({ ...parcel, at }))
    this.#lastAt = at
  }

  /**
   * Cuts it at a byte of what is on its way: what is whole before it arrives, the rest never does.
   * @returns bytes of a message that was cut in two
   */
  cut(): number {
    if (this.#isCut) return 0
    this.#isCut = true
    let left = this.#random.below(this.#queue.reduce((sum, { bytes }) => sum + bytes, 0) + 1)
    const queue = this.#queue
    this.#queue = []
    for (const { bytes, arrive } of queue) {
      if (bytes > left) return left
      left -= bytes
      arrive()
    }
    return 0
  }

  #arm(): void {
    const [first] = this.#queue
    if (this.#isArmed || first === undefined) return
    this.#isArmed = true
    this.#clock.after(first.at - this.#clock.now(), () => {
      this.#isArmed = false
      const now = this.#clock.now()
      while (this.#queue[0] !== undefined && this.#queue[0].at <= now) this.#queue.shift()?.arrive()
      this.#arm()
    })
  }
}
