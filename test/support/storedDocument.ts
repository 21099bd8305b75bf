import type { DocumentId } from '@weft/protocol'
import * as Y from 'yjs'
import { LevelUpdateLog } from '../../server/dist/log/LevelUpdateLog.js'
import type { StoredDocument } from '../../server/dist/log/UpdateLog.js'

/** Looks into the store of a server that doesn't run. */
export async function withStore<T>(folder: string, look: (log: LevelUpdateLog) => Promise<T>): Promise<T> {
  const log = await LevelUpdateLog.open({ folder, create: false })
  try {
    return await look(log)
  } finally {
    await log.close()
  }
}

/** One document of a store whose server doesn't run. */
export function readStored(folder: string, documentId: string): Promise<StoredDocument> {
  return withStore(folder, log => log.read(documentId as DocumentId))
}

/** Names of all documents of a store whose server doesn't run. */
export function listStored(folder: string): Promise<string[]> {
  return withStore(folder, async log => {
    const names: string[] = []
    for await (const { documentId } of log.list({ deleted: true })) names.push(documentId)
    return names
  })
}

/** The entries after the snapshot. */
export function tailOf(stored: StoredDocument): Uint8Array[] {
  return stored.entries.filter(entry => entry.seq > stored.snapshotSeq).map(entry => entry.update)
}

/** What a log holds, as Yjs sees it. @throws when some of it can't be applied for want of what comes before */
export function documentOf(stored: StoredDocument, doc = new Y.Doc()): Y.Doc {
  if (stored.snapshot !== null) Y.applyUpdate(doc, stored.snapshot)
  for (const update of tailOf(stored)) Y.applyUpdate(doc, update)
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) {
    throw new Error('the log is not causally closed: something of it stays pending')
  }
  return doc
}

/** A document's text in a store whose server doesn't run, where it is one as `typist` writes it. */
export async function readStoredText(folder: string, documentId: string): Promise<string> {
  return documentOf(await readStored(folder, documentId))
    .getText('text')
    .toString()
}

/** Whether a document has everything that an update brings: applying it changes nothing. */
export function contains(doc: Y.Doc, update: Uint8Array): boolean {
  let isChanged = false
  const changed = () => {
    isChanged = true
  }
  doc.on('update', changed)
  Y.applyUpdate(doc, update)
  doc.off('update', changed)
  return !isChanged && doc.store.pendingStructs === null && doc.store.pendingDs === null
}
