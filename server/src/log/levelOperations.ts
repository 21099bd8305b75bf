import type { LevelOperation } from './LevelStore.ts'
import {
  type DocumentKey,
  type DocumentRow,
  encodeNameRow,
  encodeRow,
  nameKey,
  recordKey,
  recordKind,
  rowKey,
} from './levelRecord.ts'

// Parts of the batches that change a document. [L2], [L3]: `LevelUpdateLog`.

/** Of a document's every change [L2]. */
export function putRow(key: DocumentKey, row: DocumentRow, time: number): LevelOperation {
  return { type: 'put', key: rowKey(key.hash), value: encodeRow(key, row, time) }
}

/** Together with the row, when either of the two times changes [L3]. */
export function putName(key: DocumentKey, row: DocumentRow): LevelOperation {
  return { type: 'put', key: nameKey(key.name), value: encodeNameRow(key, row) }
}

export function deleteKey(key: Buffer): LevelOperation {
  return { type: 'del', key }
}

/** Entries `after + 1` to `upTo`. */
export function deleteEntries(key: DocumentKey, after: number, upTo: number): LevelOperation[] {
  const operations: LevelOperation[] = []
  for (let seq = after + 1; seq <= upTo; seq++) operations.push(deleteKey(recordKey(key.hash, recordKind.entry, seq)))
  return operations
}
