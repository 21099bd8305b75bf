import { createHash } from 'node:crypto'
import type { DamagedDocument, StoredDocument } from '../../server/src/log/UpdateLog.ts'

/** All of a document in a few lines, to compare: vitest's own comparison of a million bytes takes seconds. */
export function digestDocument(document: StoredDocument | DamagedDocument | undefined): string {
  if (document === undefined) return 'nothing'
  if ('damage' in document) return JSON.stringify(document)
  const { entries, snapshot, knowledge, keptStateVector, ...rest } = document
  const hash = createHash('sha256')
  for (const part of [snapshot, knowledge, keptStateVector]) hash.update(`${part?.length ?? null} `).update(part ?? '')
  for (const { seq, time, update } of entries) hash.update(`${seq} ${time} ${update.length} `).update(update)
  return `${JSON.stringify(Object.entries(rest).sort())} ${entries.length} ${hash.digest('hex')}`
}
