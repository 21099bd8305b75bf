import { setImmediate as nextTurn } from 'node:timers/promises'
import { WeftError } from '../errors.ts'
import {
  type CompactionRow,
  type DocumentKey,
  type DocumentRow,
  decodeCompactionRow,
  decodeNameRow,
  decodeRecord,
  decodeRow,
  pieceKey,
  pieceRange,
  recordKey,
  recordKind,
  recordOverheadBytes,
  seqOfKey,
} from './levelRecord.ts'
import type { LogEntry, StoredDocument } from './UpdateLog.ts'

// What a read of a document found, checked against its witnesses ([L2], [L3] of `LevelUpdateLog`): each gives what is stored,
// or an error that says what doesn't fit. It is for the caller to know whether a write came between.

/**
 * A snapshot is stored in pieces: one write of 20 MB would keep every other document's commits waiting for 200 ms, one read of
 * it the event loop for 20.
 */
export const pieceBytes = 1 << 20

/**
 * The row of a document, where its name agrees with it [L3].
 * @param known the revision that it has at least
 */
export function decodeWitnesses(
  key: DocumentKey,
  rowValue: Buffer | undefined,
  nameValue: Buffer | undefined,
  known = 0,
): DocumentRow | null | WeftError {
  const name = nameValue === undefined ? null : decodeNameRow(nameValue, key)
  if (typeof name === 'string') return damageError(key, 0, `${name} under its name`)
  const row = rowValue === undefined ? null : decodeRow(rowValue, key)
  if (typeof row === 'string') return damageError(key, 0, row)
  if (row === null) return name === null ? null : damageError(key, 0, 'its row is missing, its name is there')
  if (name === null) return damageError(key, 0, 'its name is missing, its row is there')
  if (row.createdAt !== name.createdAt || row.deletedAt !== name.deletedAt)
    return damageError(key, row.head, 'its row and its name tell different times')
  if (row.revision < known)
    return damageError(key, row.head, `its row is of revision ${row.revision}, and was of ${known}`)
  return row
}

/** Reads all records with `gte <= key < lt`, in order. */
export type Scan = (gte: Buffer, lt: Buffer) => Promise<[key: Buffer, value: Buffer][]>

/** What is stored of a document beside its row and name. @param row null: nobody ever wrote it */
export async function readRecords(
  key: DocumentKey,
  row: DocumentRow | null,
  scan: Scan,
  withSnapshot: boolean,
): Promise<StoredDocument | WeftError> {
  const from = recordKey(key.hash, recordKind.entry, 0)
  const [piecesFrom] = pieceRange(key.hash)
  const records = await scan(from, piecesFrom)
  if (row === null) {
    if (records.length === 0) return neverWritten
    return damageError(key, 0, `its row is missing, ${records.length} other records are there`)
  }
  const entryCount = records.findIndex(([storedKey]) => storedKey[17] !== recordKind.entry)
  const others = entryCount < 0 ? [] : records.splice(entryCount)
  const entries = decodeEntries(key, records, row.keptAfter, row.head)
  if (entries instanceof WeftError) return entries
  const { head, snapshotSeq, keptAfter, deletedAt } = row
  const opened = { head, snapshotSeq, keptAfter, deletedAt, entries }
  const [compactionRecord] = others
  if (snapshotSeq === 0) {
    if (compactionRecord !== undefined) return damageError(key, 0, 'there is a snapshot that its row does not name')
    return { ...opened, snapshotBytes: 0, knowledge: null, keptStateVector: null, snapshot: null }
  }
  if (compactionRecord?.[0][17] !== recordKind.compaction)
    return damageError(key, snapshotSeq, 'its knowledge is missing')
  const compaction = decodeCompactionRow(compactionRecord[1], key.hash, snapshotSeq)
  if (typeof compaction === 'string') return damageError(key, snapshotSeq, compaction)
  if (compaction.keptAfter !== keptAfter) {
    return damageError(key, snapshotSeq, `kept after ${compaction.keptAfter}, and ${keptAfter} by its row`)
  }
  const { snapshotBytes, knowledge, keptStateVector } = compaction
  const stored = { ...opened, snapshotBytes, knowledge, keptStateVector }
  if (!withSnapshot) return { ...stored, snapshot: null }
  // Only its own: others are of a compaction that is under way, or was cut short.
  const { generation } = compaction
  const count = Math.ceil(snapshotBytes / pieceBytes)
  const pieces = await scan(pieceKey(key.hash, generation, 0), pieceKey(key.hash, generation, count))
  const snapshot = await decodeSnapshot(key, pieces, snapshotSeq, compaction)
  return snapshot instanceof WeftError ? snapshot : { ...stored, snapshot }
}

/**
 * What can be read of a damaged document, from its beginning up to the first record that is missing or damaged.
 * @param rowValue its row, @param nameValue its name: whichever is sound
 * @returns as `UpdateLog.readRemains`
 */
export async function readRemains(
  key: DocumentKey,
  rowValue: Buffer | undefined,
  nameValue: Buffer | undefined,
  scan: Scan,
): Promise<StoredDocument | null> {
  const row = rowValue === undefined ? 'missing' : decodeRow(rowValue, key)
  const name = nameValue === undefined ? 'missing' : decodeNameRow(nameValue, key)
  // What was deleted stays so, whichever of the two still says it.
  if ([row, name].some(witness => typeof witness !== 'string' && witness.deletedAt !== null)) return null
  const [piecesFrom] = pieceRange(key.hash)
  const records = await scan(recordKey(key.hash, recordKind.entry, 0), piecesFrom)
  const compactionRecord = records.find(([storedKey]) => storedKey[17] === recordKind.compaction)
  const isCompacted = compactionRecord !== undefined || (typeof row !== 'string' && row.snapshotSeq > 0)
  const base = isCompacted ? await readSnapshot(key, compactionRecord?.[1], scan) : null
  // What comes after a snapshot builds on it.
  if (isCompacted && base === null) return null
  const found = records.filter(([storedKey]) => storedKey[17] === recordKind.entry)
  // A document that was deleted and revived goes on where it was.
  const first = found[0] === undefined ? null : seqOfKey(found[0][0])
  const from = base?.snapshotSeq ?? (typeof row === 'string' ? (first ?? 1) - 1 : row.keptAfter)
  const entries: LogEntry[] = []
  let head = from
  for (const [storedKey, value] of found) {
    const seq = seqOfKey(storedKey)
    if (seq !== null && seq <= from) continue
    if (seq !== head + 1) break
    const record = decodeRecord(value, recordKind.entry, key.hash, seq)
    if (typeof record === 'string') break
    entries.push({ seq, update: record.body, time: record.time })
    head = seq
  }
  if (base === null && entries.length === 0) return null
  const nothing = { snapshotSeq: 0, snapshotBytes: 0, snapshot: null, knowledge: null }
  return { ...(base ?? nothing), head, keptAfter: from, keptStateVector: null, entries, deletedAt: null }
}

async function readSnapshot(
  key: DocumentKey,
  value: Buffer | undefined,
  scan: Scan,
): Promise<Pick<StoredDocument, 'snapshotSeq' | 'snapshotBytes' | 'snapshot' | 'knowledge'> | null> {
  if (value === undefined || value.length < recordOverheadBytes) return null
  const snapshotSeq = value.readUIntBE(22, 6)
  const compaction = decodeCompactionRow(value, key.hash, snapshotSeq)
  if (typeof compaction === 'string') return null
  const { generation, snapshotBytes, knowledge } = compaction
  const count = Math.ceil(snapshotBytes / pieceBytes)
  const pieces = await scan(pieceKey(key.hash, generation, 0), pieceKey(key.hash, generation, count))
  const snapshot = await decodeSnapshot(key, pieces, snapshotSeq, compaction)
  return snapshot instanceof WeftError ? null : { snapshotSeq, snapshotBytes, snapshot, knowledge }
}

const neverWritten: StoredDocument = {
  head: 0,
  snapshotSeq: 0,
  snapshotBytes: 0,
  knowledge: null,
  keptAfter: 0,
  keptStateVector: null,
  entries: [],
  deletedAt: null,
  snapshot: null,
}

/** Exactly the entries `after + 1 … head`. */
export function decodeEntries(
  key: DocumentKey,
  records: readonly (readonly [Buffer, Buffer])[],
  after: number,
  head: number,
): LogEntry[] | WeftError {
  const entries: LogEntry[] = []
  let seq = after
  for (const [storedKey, value] of records) {
    seq++
    const stored = seqOfKey(storedKey)
    if (stored === null) return damageError(key, seq, `a key of ${storedKey.length} bytes`)
    if (stored !== seq || seq > head) {
      const expected = seq > head ? `the end, after ${head}` : `${seq}`
      return damageError(key, seq, `entry ${stored} in place of ${expected}`)
    }
    const record = decodeRecord(value, recordKind.entry, key.hash, seq)
    if (typeof record === 'string') return damageError(key, seq, record)
    entries.push({ seq, update: record.body, time: record.time })
  }
  if (seq !== head) return damageError(key, seq + 1, `entries ${seq + 1} to ${head} are missing`)
  return entries
}

/** Puts the pieces of a compaction together, with turns of the event loop between them. */
export async function decodeSnapshot(
  key: DocumentKey,
  records: readonly (readonly [Buffer, Buffer])[],
  snapshotSeq: number,
  { generation, snapshotBytes, time }: CompactionRow & { readonly time: number },
): Promise<Uint8Array | WeftError> {
  const snapshot = new Uint8Array(snapshotBytes)
  const pieceCount = Math.ceil(snapshotBytes / pieceBytes)
  for (let i = 0; i < pieceCount; i++) {
    const [storedKey, value] = records[i] ?? []
    if (value === undefined || storedKey?.equals(pieceKey(key.hash, generation, i)) !== true)
      return damageError(key, snapshotSeq, `piece ${i + 1} of ${pieceCount} of its snapshot is missing`)
    const record = decodeRecord(value, recordKind.snapshot, key.hash, snapshotSeq)
    if (typeof record === 'string') return damageError(key, snapshotSeq, `${record}, in its snapshot`)
    if (record.time !== time) return damageError(key, snapshotSeq, `piece ${i + 1} of its snapshot is of another one`)
    const at = i * pieceBytes
    const length = Math.min(pieceBytes, snapshotBytes - at)
    if (record.body.length !== length)
      return damageError(key, snapshotSeq, `a piece of its snapshot of ${record.body.length} bytes, not ${length}`)
    snapshot.set(record.body, at)
    if (pieceCount > 1) await nextTurn()
  }
  return snapshot
}

export function damageError(key: DocumentKey, seq: number, what: string): WeftError {
  const place = seq > 0 ? ` at entry ${seq}` : ''
  return new WeftError('DOCUMENT_DAMAGED', `${damageIntroduction(key)}${place}: ${what}`, {
    documentId: key.documentId,
    seq,
  })
}

/** What a `damageError` says, for those who have the name already. */
export function describeDamage(key: DocumentKey, error: WeftError): string {
  return error.message.slice(damageIntroduction(key).length).replace(/^(: | at )/, '')
}

function damageIntroduction({ documentId }: DocumentKey): string {
  return `the stored document ${JSON.stringify(documentId)} is damaged`
}
