/** A rate with a burst: so many at once, and so many more each second. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  #at: number

  /** @param now monotonic ms @param first what it has to begin with; default: all of the burst */
  constructor(perSecond: number, burst: number, now: number, first = burst) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = first
    this.#at = now
  }

  /** Takes tokens, more than there are if need be. @returns ms until the bucket is out of debt; 0: within the rate */
  take(count: number, now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond) / 1000) - count
    this.#at = now
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1000) / this.#perSecond
  }

  /** Takes tokens where that leaves at least `left`. @returns whether it did */
  tryTake(count: number, now: number, left = 0): boolean {
    this.take(0, now)
    if (this.#tokens - count < left) return false
    this.#tokens -= count
    return true
  }
}
