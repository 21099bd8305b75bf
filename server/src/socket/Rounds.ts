import type { Clock } from '../clock.ts'
import { Sweep } from '../Sweep.ts'

const PARTS = 50

/**
 * Visits each member once in an interval, a fiftieth of them at a time. Thousands that came together would else be visited
 * together for ever: pinging 5,000 connections in one go, and reading their pongs, held everything up for 0.1 s.
 */
export class Rounds<Member> {
  readonly #parts = Array.from({ length: PARTS }, () => new Set<Member>())
  readonly #partOf = new Map<Member, Set<Member>>()
  readonly #sweep: Sweep
  #now = 0
  #next = 0

  /** @param visit must not throw */
  constructor(clock: Clock, intervalMs: number, visit: (member: Member) => void) {
    this.#sweep = new Sweep(
      clock,
      intervalMs / PARTS,
      () => {
        this.#now = (this.#now + 1) % PARTS
        for (const member of this.#parts[this.#now] as Set<Member>) visit(member)
        return this.#partOf.size > 0
      },
      intervalMs,
    )
  }

  get size(): number {
    return this.#partOf.size
  }

  members(): IterableIterator<Member> {
    return this.#partOf.keys()
  }

  add(member: Member): void {
    // Whoever is alone is visited a whole interval from now.
    if (this.size === 0) this.#next = this.#now
    const part = this.#parts[this.#next] as Set<Member>
    this.#next = (this.#next + 1) % PARTS
    part.add(member)
    this.#partOf.set(member, part)
    this.#sweep.start()
  }

  delete(member: Member): void {
    this.#partOf.get(member)?.delete(member)
    this.#partOf.delete(member)
  }

  stop(): void {
    this.#sweep.stop()
  }
}
