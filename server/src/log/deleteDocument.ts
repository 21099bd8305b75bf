import type { DocumentId } from '@weft/protocol'
import type { DocumentRows } from './DocumentRows.ts'
import { damageError } from './documentRecords.ts'
import type { LevelStore } from './LevelStore.ts'
import { deleteKey, putName, putRow } from './levelOperations.ts'
import {
  type DocumentKey,
  type DocumentRow,
  decodeNameRow,
  decodeRow,
  documentKey,
  documentRange,
  isSoundRecord,
  nameKey,
  recordKey,
  recordKind,
  rowKey,
  seqOfKey,
} from './levelRecord.ts'
import { holdsContent } from './UpdateLog.ts'

/**
 * Deletes all of a document but its row, which becomes a tombstone. Within the turn of a write.
 * @returns its key; null: there was nothing to delete
 * @throws {WeftError} `DOCUMENT_DAMAGED`: found by this; the next time it is deleted as a damaged one
 */
export async function deleteDocument(
  level: LevelStore,
  rows: DocumentRows,
  documentId: DocumentId,
  time: number,
): Promise<DocumentKey | null> {
  const key = documentKey(documentId)
  const isDamaged = rows.isDamaged(documentId)
  const before = isDamaged
    ? await rowOfDamaged(level, key, rows.known(documentId), time)
    : ((await rows.read([key]))[0] ?? null)
  if (before === null || (before.deletedAt !== null && !holdsContent(before))) return null
  const after: DocumentRow = {
    ...before,
    revision: before.revision + 1,
    deletedAt: before.deletedAt ?? time,
    snapshotSeq: 0,
    keptAfter: before.head,
  }
  const keys = await level.keys(...documentRange(key.hash))
  // A tombstone keeps the head: it must be the true one.
  const seqs = keys.filter(stored => stored[17] === recordKind.entry).map(seqOfKey)
  if (
    !isDamaged &&
    (seqs.length !== before.head - before.keptAfter || (seqs.length > 0 && seqs.at(-1) !== before.head))
  )
    throw rows.markDamaged(damageError(key, before.head, `${seqs.length} entries, and its head is ${before.head}`))
  const operations = [...keys.map(deleteKey), putRow(key, after, time), putName(key, after)]
  await rows.commit(operations, [{ key, before, after }])
  rows.forgetDamage(documentId)
  return key
}

/** What a damaged document's row should say, as far as can be told: with a head that no entry was ever behind. */
async function rowOfDamaged(
  level: LevelStore,
  key: DocumentKey,
  known: DocumentRow | null,
  time: number,
): Promise<DocumentRow> {
  const [rowValue, nameValue] = await level.get([rowKey(key.hash), nameKey(key.name)])
  const row = rowValue === undefined ? null : decodeRow(rowValue, key)
  const name = nameValue === undefined ? null : decodeNameRow(nameValue, key)
  const sound = typeof row === 'string' ? null : row
  const seqs = (await level.keys(...documentRange(key.hash))).flatMap(stored =>
    stored[17] === recordKind.entry ? (seqOfKey(stored) ?? []) : [],
  )
  const head = Math.max(sound?.head ?? 0, known?.head ?? 0, ...seqs.slice(-1))
  const createdAt = sound?.createdAt ?? known?.createdAt ?? (typeof name === 'string' ? null : name?.createdAt)
  return {
    revision: Math.max(sound?.revision ?? 0, known?.revision ?? 0),
    // A row that is lost may have had a snapshot behind the last entry that is left.
    head: sound === null && known === null ? Math.max(head, await snapshotSeq(level, key)) : head,
    createdAt: createdAt ?? time,
    deletedAt: null,
    snapshotSeq: 0,
    keptAfter: 0,
  }
}

/** The position of a snapshot, as far as its record can be read; 0: none. */
async function snapshotSeq(level: LevelStore, key: DocumentKey): Promise<number> {
  const [value] = await level.get([recordKey(key.hash, recordKind.compaction, 0)])
  return value === undefined || !isSoundRecord(value) ? 0 : value.readUIntBE(22, 6)
}
