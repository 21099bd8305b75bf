import * as Y from 'yjs'

/** Which operations an update brings or deletes: ranges of clocks, flat: client, from, to, client, from, to, … */
export interface Operations {
  readonly structs: readonly number[]
  readonly deletes: readonly number[]
}

/** As Yjs itself decodes it: the server's own reader is what is tested. */
export function operationsOf(update: Uint8Array): Operations {
  const { structs, ds } = Y.decodeUpdate(update)
  const brought: number[] = []
  for (const struct of structs) {
    if (struct instanceof Y.Skip) continue
    brought.push(struct.id.client, struct.id.clock, struct.id.clock + struct.length)
  }
  const deletes: number[] = []
  for (const [client, items] of ds.clients) for (const { clock, len } of items) deletes.push(client, clock, clock + len)
  return { structs: brought, deletes }
}

/** A growing set of operations. */
export class OperationSet {
  /** `Map<clientID, next clock>`: without gaps, as the log is. */
  readonly clocks = new Map<number, number>()
  /** `Map<clientID, deleted clocks>` */
  readonly #deletes = new Map<number, Set<number>>()

  /** @returns what doesn't follow on what is there, in words */
  add({ structs, deletes }: Operations): string | null {
    let gap: string | null = null
    for (let i = 0; i < structs.length; i += 3) {
      const [client = 0, from = 0, to = 0] = [structs[i], structs[i + 1], structs[i + 2]]
      const next = this.clocks.get(client) ?? 0
      if (from > next) gap = `client ${client} at ${from}, with ${next} there`
      if (to > next) this.clocks.set(client, to)
    }
    for (let i = 0; i < deletes.length; i += 3) {
      const [client = 0, from = 0, to = 0] = [deletes[i], deletes[i + 1], deletes[i + 2]]
      let deleted = this.#deletes.get(client)
      if (deleted === undefined) {
        deleted = new Set()
        this.#deletes.set(client, deleted)
      }
      for (let clock = from; clock < to; clock++) deleted.add(clock)
    }
    return gap
  }

  /**
   * What of it is missing here, in words.
   * @param isImplied of an operation that is here: whether it is deleted though nobody said so
   */
  missing({ structs, deletes }: Operations, isImplied: (client: number, clock: number) => boolean): string | null {
    for (let i = 0; i < structs.length; i += 3) {
      const [client = 0, to = 0] = [structs[i], structs[i + 2]]
      const next = this.clocks.get(client) ?? 0
      if (to > next) return `operations ${next} to ${to} of client ${client}`
    }
    for (let i = 0; i < deletes.length; i += 3) {
      const [client = 0, from = 0, to = 0] = [deletes[i], deletes[i + 1], deletes[i + 2]]
      const deleted = this.#deletes.get(client)
      const next = this.clocks.get(client) ?? 0
      for (let clock = from; clock < to; clock++) {
        if (deleted?.has(clock) === true || (clock < next && isImplied(client, clock))) continue
        return `the deletion of ${clock} of client ${client}`
      }
    }
    return null
  }

  /** What of this set another one lacks, in words. */
  missingFrom(other: OperationSet): string | null {
    for (const [client, clock] of this.clocks) {
      const there = other.clocks.get(client) ?? 0
      if (there < clock) return `operations ${there} to ${clock} of client ${client}`
    }
    for (const [client, deleted] of this.#deletes) {
      const there = other.#deletes.get(client)
      for (const clock of deleted) if (there?.has(clock) !== true) return `the deletion of ${clock} of client ${client}`
    }
    return null
  }
}
