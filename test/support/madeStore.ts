import type { DocumentId } from '@weft/protocol'
import * as Y from 'yjs'
import { Knowledge } from '../../server/dist/crdt/Knowledge.js'
import { readUpdate } from '../../server/dist/crdt/readUpdate.js'
import { NO_LIMITS } from '../../server/dist/crdt/UpdateLimits.js'
import { buildLevelStore } from '../../server/dist/log/buildLevelStore.js'
import type { DamagedDocument, WholeDocument } from '../../server/dist/log/UpdateLog.js'
import { withStore } from './storedDocument.ts'

/** When all of them were written. */
const time = 1_790_000_000_000

/** A document that has its updates one by one. */
export function writtenDocument(name: string, updates: readonly Uint8Array[]): WholeDocument {
  return {
    documentId: name as DocumentId,
    createdAt: time,
    deletedAt: null,
    head: updates.length,
    keptAfter: 0,
    snapshotSeq: 0,
    snapshot: null,
    snapshotBytes: 0,
    knowledge: null,
    keptStateVector: null,
    entries: updates.map((update, index) => ({ seq: index + 1, update, time: time + index })),
  }
}

/** A document that has all but its last update in a snapshot. */
export function compactedDocument(name: string, updates: readonly Uint8Array[]): WholeDocument {
  const written = writtenDocument(name, updates)
  const snapshotSeq = updates.length - 1
  const doc = new Y.Doc()
  for (const update of updates.slice(0, -1)) Y.applyUpdate(doc, update)
  const snapshot = Y.encodeStateAsUpdate(doc)
  return {
    ...written,
    keptAfter: snapshotSeq,
    snapshotSeq,
    snapshot,
    snapshotBytes: snapshot.length,
    knowledge: Knowledge.fromContents(readUpdate(snapshot, NO_LIMITS)).encode(),
    keptStateVector: Y.encodeStateVector(doc),
    entries: written.entries.slice(-1),
  }
}

/** A tombstone. */
export function deletedDocument(name: string, head: number): WholeDocument {
  return { ...writtenDocument(name, []), head, keptAfter: head, deletedAt: time + head }
}

/** Makes a data folder of documents. */
export async function makeStore(folder: string, documents: Iterable<WholeDocument>): Promise<void> {
  await buildLevelStore(
    folder,
    (async function* () {
      yield* documents
    })(),
  )
}

/** All that a store whose server doesn't run has. */
export function readStore(folder: string): Promise<(WholeDocument | DamagedDocument)[]> {
  return withStore(folder, async log => {
    const documents: (WholeDocument | DamagedDocument)[] = []
    for await (const document of log.documents()) documents.push(document)
    return documents
  })
}
