import { KeyedRate } from '../KeyedRate.ts'

/** How many documents somebody may begin: so many at once, so many more each minute. */
export class NewDocuments {
  readonly #rate: KeyedRate

  constructor(perMinute: number) {
    this.#rate = KeyedRate.perMinute(perMinute)
  }

  /**
   * Counts one more.
   * @param who its user, without users its address
   * @param now monotonic ms
   * @returns 0; or the ms after which to ask again: it isn't counted then
   */
  take(who: string, now: number): number {
    return this.#rate.take(who, now)
  }
}
