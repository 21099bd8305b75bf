import * as Y from 'yjs'
import { compareKnowledge } from '../../server/src/backup/checkStoredDocument.ts'
import { admitUpdate } from '../../server/src/crdt/admitUpdate.ts'
import { Knowledge } from '../../server/src/crdt/Knowledge.ts'
import { MalformedUpdate, readUpdate, type UpdateContents } from '../../server/src/crdt/readUpdate.ts'
import { DEFAULT_UPDATE_LIMITS } from '../../server/src/crdt/UpdateLimits.ts'
import { packUpdates } from '../../server/src/worker/packedUpdates.ts'
import { type ClosedPartResult, closedPart } from '../../server/src/worker/tasks.ts'
import { taskResult } from '../simulation/SimulatedWorkshop.ts'
import { extendAs, mutateUpdate } from './mutateUpdate.ts'
import { Random } from './Random.ts'
import { Replica } from './Replica.ts'

/** Changed updates of one history: a document as long as people write in an hour or so. */
export const UPDATES_PER_HISTORY = 250
/** Of one edit so many are made, each changed in another way. */
const CHANGES_PER_EDIT = 16

export interface UpdateCounts {
  mutated: number
  malformed: number
  incomplete: number
  known: number
  stored: number
  closedParts: number
}

/**
 * One history of a document and of changed updates that its check meets. What the check says is held to Yjs: whatever it reads
 * Yjs reads too, and as the same operations and deletions; whatever it takes leaves nothing pending in a `Y.Doc`, which has the
 * knowledge's state vector and deletions then.
 * @param closedPartChance how many of the updates with a gap go to the worker that looks for the part without: it is slower
 * @throws where that isn't so
 */
export function fuzzUpdates(seed: number, counts: UpdateCounts, closedPartChance = 0.2): void {
  const random = new Random(seed)
  const writer = new Replica(1000)
  const knowledge = new Knowledge()
  // Without types of its own, as a worker has it.
  const doc = new Y.Doc()
  const log: Uint8Array[] = []
  let honest: Uint8Array = Uint8Array.of(0, 0)

  const store = (update: Uint8Array, contents: UpdateContents) => {
    const fresh = admitUpdate(knowledge, update, contents, DEFAULT_UPDATE_LIMITS)
    if (fresh === null) return 'known'
    log.push(fresh)
    Y.applyUpdate(doc, fresh)
    if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) throw new Error('something is pending')
    const problem = compareKnowledge(knowledge, doc)
    if (problem !== null) throw new Error(problem)
    writer.apply(fresh)
    return 'stored'
  }

  for (let index = 0; index < UPDATES_PER_HISTORY; index++) {
    if (index % CHANGES_PER_EDIT === 0) {
      const own = Y.encodeStateAsUpdate(writer.doc, knowledge.encodeStateVector())
      store(own, readUpdate(own, DEFAULT_UPDATE_LIMITS))
      writer.edit(random)
      honest = Y.encodeStateAsUpdate(writer.doc, knowledge.encodeStateVector())
    }
    const { stateVector } = knowledge
    // As somebody else's: what extends a live client id is refused by another rule.
    const base = extendAs(7 + random.below(3), honest, writer.clientID, stateVector)
    const update = mutateUpdate(base, stateVector, random)
    counts.mutated++
    const contents = readLikeYjs(update)
    if (contents === null || knowledge.extendedClients(contents).includes(writer.clientID)) {
      counts.malformed++
    } else if (knowledge.missing(contents) !== null) {
      counts.incomplete++
      if (random.chance(closedPartChance)) {
        counts.closedParts++
        checkClosedPart(log, update, knowledge)
      }
    } else {
      try {
        counts[store(update, contents)]++
      } catch (error) {
        if (!(error instanceof MalformedUpdate)) throw error
        counts.malformed++
      }
    }
  }
}

/** @returns null where the check says that it is malformed @throws where Yjs sees something else in it */
function readLikeYjs(update: Uint8Array): UpdateContents | null {
  let contents: UpdateContents
  try {
    contents = readUpdate(update, DEFAULT_UPDATE_LIMITS)
  } catch (error) {
    if (!(error instanceof MalformedUpdate)) throw error
    return null
  }
  const { structs, ds } = Y.decodeUpdate(update)
  const ends = new Map<number, number>()
  for (const struct of structs) {
    const { id, length } = struct
    if (!(struct instanceof Y.Skip)) ends.set(id.client, Math.max(ends.get(id.client) ?? 0, id.clock + length))
  }
  for (const [clientID, end] of ends) {
    if (contents.structs.get(clientID)?.end !== end) throw new Error('Yjs reads other operations')
  }
  if (ends.size !== contents.structs.size) throw new Error('Yjs reads operations of other clients')
  for (const [clientID, items] of ds.clients) {
    const ranges = contents.deletes.get(clientID) ?? []
    const isDeleted = (clock: number) =>
      ranges.some((start, at) => at % 2 === 0 && start <= clock && clock < (ranges[at + 1] ?? 0))
    for (const { clock, len } of items) {
      if (len > 0 && !(isDeleted(clock) && isDeleted(clock + len - 1))) throw new Error('Yjs reads other deletions')
    }
  }
  return contents
}

/** What a worker finds in an update with a gap is a part without one, or nothing, or it says that there is no sense in it. */
function checkClosedPart(log: readonly Uint8Array[], update: Uint8Array, knowledge: Knowledge): void {
  const result = taskResult<ClosedPartResult>(
    closedPart({ snapshot: null, updates: packUpdates(log), update: new Uint8Array(update) }),
  )
  if (result.state === 'malformed') return
  if (result.state !== 'done') throw new Error(`a worker says ${result.state}: ${result.reason}`)
  const part = result.value.update
  if (part !== null && knowledge.missing(readUpdate(part, DEFAULT_UPDATE_LIMITS)) !== null) {
    throw new Error('the closed part has a gap')
  }
}
