import { RecentMap } from '../RecentMap.ts'
import { TokenBucket } from '../TokenBucket.ts'

const MINUTE_S = 60
/** Users (without users: addresses) that are remembered; one that isn't has begun nothing for long. */
const MAX_REMEMBERED = 10_000

/** How many documents somebody may begin: so many at once, so many more each minute. */
export class NewDocuments {
  readonly #perMinute: number
  readonly #buckets = new RecentMap<string, TokenBucket>(MAX_REMEMBERED)

  constructor(perMinute: number) {
    this.#perMinute = perMinute
  }

  /**
   * Counts one more.
   * @param who its user, without users its address
   * @param now monotonic ms
   * @returns 0; or the ms after which to ask again: it isn't counted then
   */
  take(who: string, now: number): number {
    const bucket = this.#buckets.get(who) ?? new TokenBucket(this.#perMinute / MINUTE_S, this.#perMinute, now)
    this.#buckets.set(who, bucket)
    if (bucket.tryTake(1, now)) return 0
    const waitMs = bucket.take(1, now)
    bucket.take(-1, now)
    return Math.ceil(waitMs)
  }
}
