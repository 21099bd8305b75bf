import { RecentMap } from '../RecentMap.ts'

const WINDOW_MS = 60_000
const MAX_TRIES = 10
/** Addresses remembered at the same time. */
const MAX_ADDRESSES = 10_000

/** Counts what failed, by address: so many in a minute, then the address waits for the minute's end. */
export class TryLimit {
  readonly #windows = new RecentMap<string, { readonly endsAt: number; count: number }>(MAX_ADDRESSES)

  /** @param now monotonic ms @returns ms to wait; 0: it may try */
  waitMs(address: string, now: number): number {
    const window = this.#windows.get(address)
    return window === undefined || window.count < MAX_TRIES ? 0 : Math.max(0, window.endsAt - now)
  }

  failed(address: string, now: number): void {
    const window = this.#windows.get(address)
    if (window !== undefined && window.endsAt > now) {
      window.count++
      return
    }
    this.#windows.set(address, { endsAt: now + WINDOW_MS, count: 1 })
  }
}
