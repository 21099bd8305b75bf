import { RecentMap } from './RecentMap.ts'
import { TokenBucket } from './TokenBucket.ts'

const MINUTE_S = 60
/** Keys that are remembered; one that isn't has taken nothing for long. */
const MAX_REMEMBERED = 10_000

/** A rate with a burst for each of many: users, addresses, links. */
export class KeyedRate {
  readonly #perSecond: number
  readonly #burst: number
  readonly #buckets = new RecentMap<string, TokenBucket>(MAX_REMEMBERED)

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** A slow one. @param burstMinutes at once, what comes in so many minutes */
  static perMinute(count: number, burstMinutes = 1): KeyedRate {
    return new KeyedRate(count / MINUTE_S, count * burstMinutes)
  }

  /**
   * Takes so many of a key's tokens.
   * @param now monotonic ms
   * @param count at most the burst
   * @returns 0; or the ms after which to ask again: none is taken then
   */
  take(key: string, now: number, count = 1): number {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#perSecond, this.#burst, now)
    this.#buckets.set(key, bucket)
    if (bucket.tryTake(count, now)) return 0
    const waitMs = bucket.take(count, now)
    bucket.take(-count, now)
    return Math.ceil(waitMs)
  }
}
