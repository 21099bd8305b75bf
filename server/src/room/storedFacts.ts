import { type DocumentId, documentParts, partOf } from '@weft/protocol'
import { Knowledge } from '../crdt/Knowledge.ts'
import { readUpdate } from '../crdt/readUpdate.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import { holdsContent, type OpenedDocument, type StoredDocument } from '../log/UpdateLog.ts'
import type { StoredLog } from '../worker/Workshop.ts'

/** Whether a document is there: `missing`, nobody ever wrote it; `deleted`, it has a tombstone. */
export type Presence = 'there' | 'missing' | 'deleted'

/** What is stored of a document, before anything is made of it. */
export interface FoundDocument {
  readonly presence: Presence
  /** Its head: what `replace` can compare with. */
  readonly version: number
  /** Changes whenever the content does, also where the document was deleted and begun anew. */
  readonly tag: string
}

/** What is known of a document beside its content. Times are ms since the epoch. */
export interface DocumentFacts {
  readonly presence: Presence
  /** Whether anything of it is stored: a deleted one in the bin has all that it had. */
  readonly isStored: boolean
  readonly version: number
  readonly createdAt: number | null
  /** Of the last edit that is stored as such; null: older than the snapshot. */
  readonly updatedAt: number | null
  readonly deletedAt: number | null
  /** Of the snapshot, and of the edits since. */
  readonly bytes: number
  /** Yjs clients that ever wrote in it, and what they inserted (a character, a mark, an element: one each). */
  readonly clients: number
  readonly operations: number
}

export function presenceOf({ head, deletedAt }: Pick<StoredDocument, 'head' | 'deletedAt'>): Presence {
  if (deletedAt !== null) return 'deleted'
  return head === 0 ? 'missing' : 'there'
}

export function describe(document: OpenedDocument): FoundDocument {
  const { head, snapshotSeq, keptAfter } = document
  return { presence: presenceOf(document), version: head, tag: `${head}.${snapshotSeq}.${keptAfter}` }
}

export function factsOf(stored: OpenedDocument, createdAt: number | null): DocumentFacts {
  const { head, deletedAt, snapshotBytes, snapshotSeq, entries } = stored
  const knowledge = stored.knowledge === null ? new Knowledge() : Knowledge.decode(stored.knowledge)
  let bytes = snapshotBytes
  for (const { seq, update } of entries) {
    if (seq <= snapshotSeq) continue
    bytes += update.length
    knowledge.add(readUpdate(update, NO_LIMITS))
  }
  let operations = 0
  for (const clock of knowledge.stateVector.values()) operations += clock
  return {
    presence: presenceOf(stored),
    isStored: holdsContent(stored),
    version: head,
    createdAt,
    updatedAt: entries.at(-1)?.time ?? null,
    deletedAt,
    bytes,
    clients: knowledge.stateVector.size,
    operations,
  }
}

/** What the log held when its head was at `version`, which is the snapshot's position at least. */
export function logOf({ snapshot, snapshotSeq, entries }: StoredDocument, version: number): StoredLog {
  const tail = entries.filter(({ seq }) => seq > snapshotSeq && seq <= version)
  return { snapshot, updates: tail.map(({ update }) => update) }
}

/** What goes with a document: documents of their own. */
export function partsOf(documentId: DocumentId): DocumentId[] {
  return documentParts.map(part => partOf(documentId, part))
}
