import * as Y from 'yjs'
import { Knowledge } from '../crdt/Knowledge.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import { readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import { readStateVector } from '../crdt/stateVector.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import type { StoredDocument } from '../log/UpdateLog.ts'

export interface CheckOptions {
  /** What the log is replayed into; empty. */
  readonly doc?: Y.Doc
  /** Whether knowledge is held to the document after each entry, not only at the end: costs the square of a log's length. */
  readonly isThorough?: boolean
}

/**
 * Replays a log entry by entry, and holds what is stored beside it to what Yjs makes of it: positions, tombstone, snapshot,
 * knowledge, the kept stretch, and that each entry finds all that it builds on. Builds a `Y.Doc`: not for the server's event loop.
 * @returns what is wrong, in words; after damage that hides the rest, the rest isn't looked at
 */
export function checkStoredDocument(stored: StoredDocument, options: CheckOptions = {}): string[] {
  const replay = new Replay(stored, options)
  try {
    replay.run()
  } catch (error) {
    if (!(error instanceof Damage)) throw error
    replay.problems.push(error.message)
  }
  return replay.problems
}

/** After which the rest can't be judged. */
class Damage extends Error {}

class Replay {
  readonly problems: string[] = []
  readonly #stored: StoredDocument
  readonly #doc: Y.Doc
  readonly #isThorough: boolean
  #knowledge = new Knowledge()

  constructor(stored: StoredDocument, { doc = new Y.Doc(), isThorough = false }: CheckOptions) {
    this.#stored = stored
    this.#doc = doc
    this.#isThorough = isThorough
  }

  run(): void {
    const { entries, snapshotSeq } = this.#stored
    this.#checkPositions()
    this.#loadSnapshot()
    const contents = entries.map(({ seq, update }) => attempt(`entry ${seq}`, () => readUpdate(update, NO_LIMITS)))
    const kept = contents.slice(0, entries.filter(({ seq }) => seq <= snapshotSeq).length)
    this.#checkKept(kept)
    for (let i = kept.length; i < entries.length; i++) {
      const [entry, content] = [entries[i], contents[i]]
      if (entry === undefined || content === undefined) break
      this.#add(entry.seq, entry.update, content)
    }
    if (!this.#isThorough) this.#compare('the log')
  }

  #checkPositions(): void {
    const { head, keptAfter, snapshotSeq, snapshot, entries } = this.#stored
    entries.forEach(({ seq }, i) => {
      if (seq !== keptAfter + 1 + i) throw new Damage(`entry ${seq} in place of ${keptAfter + 1 + i}`)
    })
    if (keptAfter + entries.length !== head) {
      throw new Damage(`the log ends at entry ${keptAfter + entries.length}, and its head is ${head}`)
    }
    if (snapshotSeq > head) throw new Damage(`its snapshot is of entry ${snapshotSeq}, and its head is ${head}`)
    if (snapshot !== null && keptAfter > snapshotSeq) {
      throw new Damage(`the entries after its snapshot (${snapshotSeq}) begin at ${keptAfter + 1}`)
    }
    if ((snapshot === null) !== (snapshotSeq === 0)) throw new Damage('its snapshot is missing, or is too much')
  }

  #loadSnapshot(): void {
    const { snapshot, knowledge } = this.#stored
    if (snapshot === null) return
    const contents = attempt('the snapshot', () => readUpdate(snapshot, NO_LIMITS))
    if (this.#knowledge.missing(contents) !== null) throw new Damage('the snapshot lacks what it builds on')
    this.#apply('the snapshot', snapshot)
    if (knowledge === null) throw new Damage('the knowledge of its snapshot is missing')
    this.#knowledge = attempt('the knowledge', () => Knowledge.decode(knowledge))
    this.#compare('the snapshot')
    const own = Knowledge.fromContents(contents).encode()
    if (this.problems.length === 0 && !Buffer.from(own).equals(knowledge)) {
      this.problems.push('the stored knowledge is not that of the snapshot')
    }
  }

  /** The entries before the snapshot lead from the state vector that is stored with them to the snapshot's. */
  #checkKept(kept: readonly UpdateContents[]): void {
    const { keptAfter, keptStateVector, snapshot } = this.#stored
    if (snapshot === null) return
    if (keptStateVector === null) throw new Damage('the state vector of the kept entries is missing')
    const clocks = attempt('the state vector of the kept entries', () => readStateVector(keptStateVector, NO_LIMITS))
    kept.forEach((contents, i) => {
      const seq = keptAfter + 1 + i
      for (const [clientID, clock] of contents.requires) {
        if ((clocks.get(clientID) ?? 0) < clock) throw new Damage(`entry ${seq} lacks what it builds on`)
      }
      for (const [clientID, { end }] of contents.structs) clocks.set(clientID, Math.max(end, clocks.get(clientID) ?? 0))
      if (this.#knowledge.brings(contents)) this.problems.push(`the snapshot lacks what entry ${seq} holds`)
    })
    const { stateVector } = this.#knowledge
    const isSame = clocks.size === stateVector.size && [...clocks].every(([id, clock]) => stateVector.get(id) === clock)
    if (!isSame) this.problems.push('the kept entries do not lead to the state vector of the snapshot')
  }

  #add(seq: number, update: Uint8Array, contents: UpdateContents): void {
    const knowledge = this.#knowledge
    const missing = knowledge.missing(contents)
    if (missing !== null) {
      const clients = [...missing].map(([clientID, clock]) => `client ${clientID} up to ${clock}`)
      throw new Damage(`entry ${seq} builds on what is not in the log: ${clients.slice(0, 3).join(', ')}`)
    }
    // A deletion may be news to the room and not to a snapshot that was made meanwhile, in which a whole parent is deleted.
    if (contents.structs.size > 0 && !knowledge.brings(contents)) this.problems.push(`entry ${seq} brings nothing new`)
    if (knowledge.overlaps(contents)) this.problems.push(`entry ${seq} repeats what is in the log`)
    knowledge.add(contents)
    this.#apply(`entry ${seq}`, update)
    if (this.#isThorough) this.#compare(`the log up to entry ${seq}`)
  }

  #apply(what: string, update: Uint8Array): void {
    attempt(what, () => Y.applyUpdate(this.#doc, update))
    const { pendingStructs, pendingDs } = this.#doc.store
    if (pendingStructs !== null || pendingDs !== null) throw new Damage(`${what} lacks what it builds on`)
  }

  #compare(what: string): void {
    const problem = compareKnowledge(this.#knowledge, this.#doc)
    if (problem !== null) this.problems.push(`${what}: ${problem}`)
  }
}

/** @returns in words, where knowledge has another state vector than a document, or a deletion that the document hasn't. */
export function compareKnowledge(knowledge: Knowledge, doc: Y.Doc): string | null {
  const known = Buffer.from(knowledge.encodeStateVector())
  if (!known.equals(Y.encodeStateVector(doc))) return 'knowledge has another state vector than the document'
  const { clients } = Y.createDeleteSetFromStructStore(doc.store)
  for (const [clientID, ranges] of knowledge.deletes) {
    // Both rise: a walk along both, where a search for each would cost the square.
    const deleted = (clients.get(clientID) ?? []).toSorted((a, b) => a.clock - b.clock)
    let at = 0
    for (let i = 0; i < ranges.length; i += 2) {
      const [start = 0, end = 0] = [ranges[i], ranges[i + 1]]
      while (at < deleted.length && endOf(deleted[at]) <= start) at++
      let covered = start
      while (covered < end && at < deleted.length && (deleted[at]?.clock ?? 0) <= covered) {
        covered = endOf(deleted[at])
        if (covered < end) at++
      }
      if (covered < end)
        return `knowledge has ${start} to ${end} of client ${clientID} deleted, and the document has not`
    }
  }
  return null
}

function endOf(item: { clock: number; len: number } | undefined): number {
  return item === undefined ? 0 : item.clock + item.len
}

/** @throws {Damage} what doesn't decode, or what Yjs fails on */
function attempt<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof MalformedUpdate) throw new Damage(`${what} does not decode: ${error.reason}`)
    throw new Damage(`${what} can't be applied: ${error instanceof Error ? error.message : String(error)}`)
  }
}
