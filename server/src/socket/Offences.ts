import { RecentMap } from '../RecentMap.ts'

const WINDOW_MS = 60_000
const LIMIT = 3
/** Offenders remembered at the same time. */
const MAX_OFFENDERS = 10_000

/** Counts malformed messages by sender and document: the third within 60 s is final, or a broken client would return for ever. */
export class Offences {
  readonly #times = new RecentMap<string, number[]>(MAX_OFFENDERS)

  /** @param now monotonic ms @returns whether this one is one too many */
  record(address: string, document: string, now: number): boolean {
    const key = `${address}\n${document}`
    const recent = (this.#times.get(key) ?? []).filter(time => now - time < WINDOW_MS)
    recent.push(now)
    if (recent.length > LIMIT) recent.shift()
    this.#times.set(key, recent)
    return recent.length >= LIMIT
  }
}
