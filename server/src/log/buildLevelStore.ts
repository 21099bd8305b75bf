import { randomBytes } from 'node:crypto'
import { WeftError } from '../errors.ts'
import { pieceBytes } from './documentRecords.ts'
import { type LevelOperation, LevelStore } from './LevelStore.ts'
import {
  type DocumentRow,
  documentKey,
  encodeCompactionRow,
  encodeNameRow,
  encodeRecord,
  encodeRow,
  encodeSentinel,
  nameKey,
  pieceKey,
  recordFormat,
  recordKey,
  recordKind,
  rowKey,
  sentinelKey,
} from './levelRecord.ts'
import { finishFirstStart, prepareFolder } from './storeFolder.ts'
import type { WholeDocument } from './UpdateLog.ts'

/** Bytes of one write: one fsync for many small documents, and no second copy of a large one in memory. */
const batchBytes = 4 << 20

/**
 * Makes a store of documents, in a folder that is empty or not there. Until it is whole it has no sentinel: a server refuses it.
 * @param documents each name once; one at a time in memory
 * @throws {WeftError} `STORE_FOREIGN`: the folder is not empty; `STORE_UNWRITABLE`, `STORAGE_WRITE_FAILED`; and whatever reading
 * the documents throws. What was written by then is left.
 */
export async function buildLevelStore(folder: string, documents: AsyncIterable<WholeDocument>): Promise<void> {
  if ((await prepareFolder(folder, true)) === 'store') {
    throw new WeftError('STORE_FOREIGN', `${folder} holds a store already`)
  }
  const store = new LevelStore(folder)
  await store.open(true)
  try {
    let batch: LevelOperation[] = []
    let bytes = 0
    const write = async (): Promise<void> => {
      await store.write(batch)
      batch = []
      bytes = 0
    }
    for await (const document of documents) {
      for (const [key, value] of recordsOf(document)) {
        batch.push({ type: 'put', key, value })
        bytes += key.length + value.length
        if (bytes >= batchBytes) await write()
      }
    }
    batch.push({ type: 'put', key: sentinelKey, value: encodeSentinel(recordFormat, randomBytes(16), Date.now()) })
    await write()
    await finishFirstStart(folder)
  } finally {
    await store.close()
  }
}

function* recordsOf(document: WholeDocument): Generator<[key: Buffer, value: Buffer]> {
  const { documentId, createdAt, deletedAt, head, snapshotSeq, keptAfter, entries } = document
  const { snapshot, knowledge, keptStateVector } = document
  const key = documentKey(documentId)
  const { hash } = key
  for (const { seq, time, update } of entries) {
    const kind = recordKind.entry
    yield [recordKey(hash, kind, seq), encodeRecord({ kind, hash, seq, time }, update)]
  }
  const time = deletedAt ?? entries.at(-1)?.time ?? createdAt
  if (snapshot !== null && knowledge !== null && keptStateVector !== null) {
    const compaction = { snapshotBytes: snapshot.length, generation: 0, keptAfter, knowledge, keptStateVector }
    yield [recordKey(hash, recordKind.compaction, 0), encodeCompactionRow(hash, snapshotSeq, compaction, time)]
    for (let piece = 0; piece * pieceBytes < snapshot.length; piece++) {
      const part = snapshot.subarray(piece * pieceBytes, (piece + 1) * pieceBytes)
      const record = encodeRecord({ kind: recordKind.snapshot, hash, seq: snapshotSeq, time }, part)
      yield [pieceKey(hash, 0, piece), record]
    }
  }
  const row: DocumentRow = { revision: 1, head, createdAt, deletedAt, snapshotSeq, keptAfter }
  yield [rowKey(hash), encodeRow(key, row, time)]
  yield [nameKey(key.name), encodeNameRow(key, row)]
}
