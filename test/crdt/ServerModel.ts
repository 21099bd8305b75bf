import * as Y from 'yjs'
import { admitUpdate } from '../../server/src/crdt/admitUpdate.ts'
import { Knowledge } from '../../server/src/crdt/Knowledge.ts'
import { MalformedUpdate, readUpdate, type UpdateContents } from '../../server/src/crdt/readUpdate.ts'
import { DEFAULT_UPDATE_LIMITS } from '../../server/src/crdt/UpdateLimits.ts'
import { checkDocument } from './checkDocument.ts'
import { createDocument } from './randomEdits.ts'

export type Verdict =
  | { verdict: 'malformed'; reason: string }
  | { verdict: 'incomplete' }
  | { verdict: 'known' }
  | { verdict: 'stored'; update: Uint8Array }

/**
 * A log with the rules of the update check, and beside it, as oracles, documents into which everything goes that is
 * stored. After each update it holds the knowledge to them.
 */
export class ServerModel {
  readonly log: Uint8Array[] = []
  knowledge = new Knowledge()
  /** As a compaction has it, with garbage collection. */
  readonly doc = createDocument(1)
  /** Without, so that it shows why something is deleted. */
  readonly #keeping = createDocument(2, false)
  /** Without types of its own, as a worker has it. */
  readonly #bare = new Y.Doc()

  receive(update: Uint8Array): Verdict {
    let contents: UpdateContents
    let fresh: Uint8Array | null
    try {
      contents = readUpdate(update, DEFAULT_UPDATE_LIMITS)
      Y.decodeUpdate(update)
      if (this.knowledge.missing(contents) !== null) return { verdict: 'incomplete' }
      fresh = admitUpdate(this.knowledge, update, contents, DEFAULT_UPDATE_LIMITS)
    } catch (error) {
      if (error instanceof MalformedUpdate) return { verdict: 'malformed', reason: error.reason }
      throw error
    }
    if (fresh === null) {
      this.#checkThatNothingChanges(update)
      return { verdict: 'known' }
    }
    this.#store(fresh)
    return { verdict: 'stored', update: fresh }
  }

  #store(update: Uint8Array): void {
    this.log.push(update)
    for (const doc of [this.doc, this.#keeping, this.#bare]) {
      Y.applyUpdate(doc, update)
      checkDocument(doc)
      const stateVector = Y.encodeStateVector(doc)
      if (!equals(stateVector, this.knowledge.encodeStateVector())) throw new Error('the state vector is another one')
      Y.applyUpdate(doc, update)
      if (!equals(stateVector, Y.encodeStateVector(doc))) throw new Error('applying twice is not as applying once')
    }
    this.#checkDeletes()
  }

  #checkThatNothingChanges(update: Uint8Array): void {
    for (const doc of [this.doc, this.#keeping]) {
      let isChanged = false
      const listener = () => {
        isChanged = true
      }
      doc.on('update', listener)
      Y.applyUpdate(doc, update)
      doc.off('update', listener)
      checkDocument(doc)
      if (isChanged) throw new Error('an update that brings nothing changed the document')
    }
  }

  /** [K2] The knowledge has no deletion that the document hasn't, and lacks only those that no bytes carry. */
  #checkDeletes(): void {
    const { clients } = Y.createDeleteSetFromStructStore(this.#keeping.store)
    const known = this.knowledge.deletes
    for (const [clientID, ranges] of known) {
      const deleted = clients.get(clientID) ?? []
      for (let index = 0; index < ranges.length; index += 2) {
        const start = ranges[index] ?? 0
        const end = ranges[index + 1] ?? 0
        if (!deleted.some(({ clock, len }) => clock <= start && end <= clock + len)) {
          throw new Error(`operations ${start} to ${end} are known as deleted, and live`)
        }
      }
    }
    for (const [clientID, structs] of this.#keeping.store.clients) {
      for (const struct of structs) {
        if (!struct.deleted || isExplained(struct)) continue
        const ranges = known.get(clientID) ?? []
        for (let clock = struct.id.clock; clock < struct.id.clock + struct.length; clock++) {
          if (!ranges.some((start, index) => index % 2 === 0 && start <= clock && clock < (ranges[index + 1] ?? 0))) {
            throw new Error(`operation ${clock} of client ${clientID} is deleted, and not known to be`)
          }
        }
      }
    }
  }
}

/** Whether bytes need not carry a deletion: other deletions, or the structs themselves, tell it. */
function isExplained(struct: Y.Item | Y.GC): boolean {
  if (!(struct instanceof Y.Item)) return true
  const parent = struct.parent as Y.AbstractType<unknown>
  const isSuperseded = struct.parentSub !== null && struct.right !== null
  return (
    parent._item?.deleted === true ||
    isSuperseded ||
    struct.content instanceof Y.ContentFormat ||
    struct.content instanceof Y.ContentDeleted
  )
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
