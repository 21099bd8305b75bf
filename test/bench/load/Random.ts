/** Numbers that look random and are the same for the same seed (mulberry32): every server gets the same load. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 ≤ x < 1 */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Whole, 0 ≤ x < limit */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  /** As large as Yjs makes them, so that their varints are as long. */
  clientID(): number {
    return 2 ** 28 + this.below(2 ** 32 - 2 ** 28)
  }

  /** Of the same length on the wire, and a number that V8 finds in a map without allocating: for loads that look up millions. */
  smallClientID(): number {
    return 2 ** 28 + this.below(2 ** 30 - 2 ** 28)
  }
}
