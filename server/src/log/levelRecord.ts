import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { DocumentId } from '@weft/protocol'

/**
 * Keys and records of `LevelUpdateLog`. Numbers are big-endian, so that LevelDB's order (by bytes) is theirs.
 *
 * ```
 * key of a document's record = 'd' • hash(16) • kind(1) • seq(6)
 * key of a snapshot's piece  = 'd' • hash(16) • kind(1) • generation(2) • piece(4)
 * key of its row             = 'b' • hash(16)
 * key of a name              = 'n' • name (UTF-8)
 * key of the sentinel        = 's'
 *
 * record = format(1) • kind(1) • length(4) • hash(16) • seq(6) • time(6) • length(2) • user • body • CRC-32(4)
 * ```
 * `hash`: the first 16 bytes of the SHA-256 of the name: a fixed length, so that `a` never reads the records of `a/b`.
 * `length` (4): of the whole record. `seq`: 0 where the kind has one record only. `user`: empty until there are users.
 *
 * The CRC covers all bytes before it. It is CRC-32 (zlib's) and not CRC-32C, which LevelDB has: Node brings zlib's as native
 * code (`zlib.crc32`, from 20.15), about 1 GB/s; both find every flipped bit and every burst up to 32 bits.
 */
export const recordFormat = 1

/** Order matters: entries and compaction are read as one range, with the snapshot's pieces as its optional end. */
export const recordKind = {
  /** One update. */
  entry: 1,
  /** `DocumentRow`: written in the same batch as every change of the document, and kept apart from what it bears witness of. */
  row: 2,
  /** `CompactionRow`: knowledge and kept stretch; exists together with the snapshot. */
  compaction: 3,
  /** One piece of a snapshot. */
  snapshot: 4,
  /** `NameRow`: under the document's name, for lists, and as a witness of the row; written when either of its times changes. */
  name: 5,
  sentinel: 6,
} as const

export type RecordKind = (typeof recordKind)[keyof typeof recordKind]

const headerBytes = 36
const crcBytes = 4
/** What a record needs beside its body. */
export const recordOverheadBytes = headerBytes + crcBytes

const keyBytes = 1 + 16 + 1 + 6
const documentPrefix = 0x64 // d
const namePrefix = 0x6e // n
/** Before the records, as the names are behind them: three witnesses in three places, however few there are. */
const rowPrefix = 0x62 // b
export const sentinelKey = Buffer.from('s')
/** 2^48 - 1: what fits into six bytes. */
export const maxUint48 = 2 ** 48 - 1
/** Longer than any name that a client can give (255), for what we derive from one. */
export const maxNameBytes = 1024

/** What identifies a document in the store. */
export interface DocumentKey {
  readonly documentId: DocumentId
  readonly name: Buffer
  readonly hash: Buffer
}

/** @throws {RangeError} a name that is empty, too long, or not the same after a way through UTF-8 (a lone surrogate). */
export function documentKey(documentId: DocumentId): DocumentKey {
  const name = Buffer.from(documentId, 'utf8')
  if (name.length === 0 || name.length > maxNameBytes) {
    throw new RangeError(`a document's name has 1 to ${maxNameBytes} bytes, not ${name.length}`)
  }
  if (name.toString('utf8') !== documentId)
    throw new RangeError(`not a well-formed name: ${JSON.stringify(documentId)}`)
  return { documentId, name, hash: createHash('sha256').update(name).digest().subarray(0, 16) }
}

export function recordKey(hash: Buffer, kind: RecordKind, seq: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes)
  key[0] = documentPrefix
  hash.copy(key, 1)
  key[17] = kind
  key.writeUIntBE(seq, 18, 6)
  return key
}

/** The number in a stored key; null where it is no key of ours: a flipped bit in a table changes the lengths of keys, too. */
export function seqOfKey(key: Buffer): number | null {
  return key.length === keyBytes ? key.readUIntBE(18, 6) : null
}

/** A piece of a snapshot; `generation` tells the present snapshot from one that is still being written: 0 to 65,535. */
export function pieceKey(hash: Buffer, generation: number, piece: number): Buffer {
  return recordKey(hash, recordKind.snapshot, generation * 2 ** 32 + piece)
}

/** Of a stored piece's key. */
export function generationOf(key: Buffer): number {
  return key.length === keyBytes ? key.readUInt16BE(18) : -1
}

export function rowKey(hash: Buffer): Buffer {
  const key = Buffer.allocUnsafe(1 + 16)
  key[0] = rowPrefix
  hash.copy(key, 1)
  return key
}

/** Range of all pieces of all snapshots of a document: `[from, to)`. */
export function pieceRange(hash: Buffer): [from: Buffer, to: Buffer] {
  return [recordKey(hash, recordKind.snapshot, 0), recordKey(hash, recordKind.snapshot, maxUint48)]
}

/** Range of all records of a document but its row and name, for compaction and size: `[from, to)`. */
export function documentRange(hash: Buffer): [from: Buffer, to: Buffer] {
  return [recordKey(hash, recordKind.entry, 0), recordKey(hash, recordKind.snapshot, maxUint48)]
}

/** Range of all documents whose hash begins with this byte: `[from, to)`. */
export function hashesBeginningWith(byte: number): [from: Buffer, to: Buffer] {
  const to = byte === 255 ? Buffer.from([documentPrefix + 1]) : Buffer.from([documentPrefix, byte + 1])
  return [Buffer.from([documentPrefix, byte]), to]
}

/** Range of all rows: `[from, to)`. */
export const allRows: readonly [from: Buffer, to: Buffer] = [Buffer.from([rowPrefix]), Buffer.from([rowPrefix + 1])]

/** Range of all records but rows and names: `[from, to)`. */
export const allRecords: readonly [from: Buffer, to: Buffer] = [
  Buffer.from([documentPrefix]),
  Buffer.from([documentPrefix + 1]),
]

/** Where nothing of ours lies: `[from, to)`. */
export const foreignRanges: readonly (readonly [from: Buffer, to: Buffer])[] = [
  [Buffer.from([0]), Buffer.from([rowPrefix])],
  [Buffer.from([rowPrefix + 1]), Buffer.from([documentPrefix])],
  [Buffer.from([documentPrefix + 1]), Buffer.from([namePrefix])],
  [Buffer.from([namePrefix + 1]), sentinelKey],
  [Buffer.concat([sentinelKey, Buffer.from([0])]), Buffer.from([0xff])],
]

/** Range of everything, the sentinel too: `[from, to)`. */
export const everything: readonly [from: Buffer, to: Buffer] = [Buffer.from([0]), Buffer.from([0xff])]

export function nameKey(name: Buffer): Buffer {
  return Buffer.concat([Buffer.from([namePrefix]), name])
}

/** The first key after that name's. */
export function nameAfter(name: Buffer): Buffer {
  return Buffer.concat([nameKey(name), Buffer.from([0])])
}

/** Where the names end. */
export const afterNames = Buffer.from([namePrefix + 1])

/** What a record says beside its body. */
export interface RecordHead {
  readonly kind: RecordKind
  readonly hash: Buffer
  readonly seq: number
  readonly time: number
}

/** Writes a record of `recordOverheadBytes + body.length` bytes. */
export function encodeRecord(head: RecordHead, body: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(recordOverheadBytes + body.length)
  record[0] = recordFormat
  record[1] = head.kind
  record.writeUInt32BE(record.length, 2)
  head.hash.copy(record, 6)
  record.writeUIntBE(head.seq, 22, 6)
  record.writeUIntBE(head.time, 28, 6)
  record.writeUInt16BE(0, 34) // user
  record.set(body, headerBytes)
  record.writeUInt32BE(crc32(record.subarray(0, record.length - crcBytes)), record.length - crcBytes)
  return record
}

export interface DecodedRecord {
  readonly time: number
  /** A view into the record, not a copy. */
  readonly body: Uint8Array
}

/** Whether these bytes are a record with a right checksum, of whatever. */
export function isSoundRecord(value: Buffer): boolean {
  const crcAt = value.length - crcBytes
  return crcAt >= headerBytes && crc32(value.subarray(0, crcAt)) === value.readUInt32BE(crcAt)
}

/**
 * Checks a record against its CRC and against what its key says.
 * @returns the record, or in words what is wrong with it.
 */
export function decodeRecord(value: Buffer, kind: RecordKind, hash: Buffer, seq: number): DecodedRecord | string {
  if (value.length < recordOverheadBytes) return `a record of ${value.length} bytes`
  const crcAt = value.length - crcBytes
  if (!isSoundRecord(value)) return 'a record with a wrong checksum'
  // Below here the bytes are what somebody wrote: a mismatch is a record in the wrong place, or a newer format.
  if (value[0] !== recordFormat) return `a record of format ${value[0]}, not ${recordFormat}`
  if (value.readUInt32BE(2) !== value.length)
    return `a record of ${value.length} bytes that says ${value.readUInt32BE(2)}`
  if (value[1] !== kind) return `a record of kind ${value[1]} in place of kind ${kind}`
  if (!value.subarray(6, 22).equals(hash)) return "another document's record"
  const stored = value.readUIntBE(22, 6)
  if (stored !== seq) return `the record of ${stored} in place of ${seq}`
  const bodyAt = headerBytes + value.readUInt16BE(34)
  if (bodyAt > crcAt) return 'a record whose user is longer than the record'
  return {
    time: value.readUIntBE(28, 6),
    body: new Uint8Array(value.buffer, value.byteOffset + bodyAt, crcAt - bodyAt),
  }
}

/** One per document that was ever written. Its record's `seq` is the head, its `time` that of the last write. */
export interface DocumentRow {
  /** Counts the writes to the document: 1, 2 … */
  readonly revision: number
  readonly head: number
  readonly createdAt: number
  readonly deletedAt: number | null
  readonly snapshotSeq: number
  readonly keptAfter: number
}

const rowBytes = 30

export function encodeRow(key: DocumentKey, row: DocumentRow, time: number): Buffer {
  const body = Buffer.allocUnsafe(rowBytes)
  body.writeUIntBE(row.createdAt, 0, 6)
  body.writeUIntBE(row.deletedAt ?? 0, 6, 6)
  body.writeUIntBE(row.snapshotSeq, 12, 6)
  body.writeUIntBE(row.keptAfter, 18, 6)
  body.writeUIntBE(row.revision, 24, 6)
  return encodeRecord({ kind: recordKind.row, hash: key.hash, seq: row.head, time }, body)
}

/** The record's `seq` is the head; it stands in the record alone. */
export function decodeRow(value: Buffer, key: DocumentKey): DocumentRow | string {
  const head = value.length < recordOverheadBytes ? 0 : value.readUIntBE(22, 6)
  const record = decodeRecord(value, recordKind.row, key.hash, head)
  if (typeof record === 'string') return record
  const body = asBuffer(record.body)
  if (body.length < rowBytes) return 'a row that is too short'
  const deletedAt = body.readUIntBE(6, 6)
  return {
    head,
    createdAt: body.readUIntBE(0, 6),
    deletedAt: deletedAt === 0 ? null : deletedAt,
    snapshotSeq: body.readUIntBE(12, 6),
    keptAfter: body.readUIntBE(18, 6),
    revision: body.readUIntBE(24, 6),
  }
}

/** Exists together with the snapshot. Its record's `seq` is `snapshotSeq`. */
export interface CompactionRow {
  readonly snapshotBytes: number
  /** That of the snapshot's pieces. */
  readonly generation: number
  readonly keptAfter: number
  readonly knowledge: Uint8Array
  readonly keptStateVector: Uint8Array
}

const compactionBytes = 16

export function encodeCompactionRow(hash: Buffer, snapshotSeq: number, row: CompactionRow, time: number): Buffer {
  const body = Buffer.allocUnsafe(compactionBytes + row.knowledge.length + row.keptStateVector.length)
  body.writeUInt32BE(row.snapshotBytes, 0)
  body.writeUIntBE(row.keptAfter, 4, 6)
  body.writeUInt32BE(row.knowledge.length, 10)
  body.writeUInt16BE(row.generation, 14)
  body.set(row.knowledge, compactionBytes)
  body.set(row.keptStateVector, compactionBytes + row.knowledge.length)
  return encodeRecord({ kind: recordKind.compaction, hash, seq: snapshotSeq, time }, body)
}

/** @returns with the time of the compaction, which its snapshot's pieces have too */
export function decodeCompactionRow(
  value: Buffer,
  hash: Buffer,
  snapshotSeq: number,
): (CompactionRow & { readonly time: number }) | string {
  const record = decodeRecord(value, recordKind.compaction, hash, snapshotSeq)
  if (typeof record === 'string') return record
  const body = asBuffer(record.body)
  if (body.length < compactionBytes || compactionBytes + body.readUInt32BE(10) > body.length)
    return 'a compaction record that is too short'
  const knowledgeEnd = compactionBytes + body.readUInt32BE(10)
  return {
    snapshotBytes: body.readUInt32BE(0),
    keptAfter: body.readUIntBE(4, 6),
    time: record.time,
    generation: body.readUInt16BE(14),
    knowledge: record.body.subarray(compactionBytes, knowledgeEnd),
    keptStateVector: record.body.subarray(knowledgeEnd),
  }
}

/** Under a document's name. Its record's `time` is that of the document's first entry. */
export type NameRow = Pick<DocumentRow, 'createdAt' | 'deletedAt'>

export function encodeNameRow(key: DocumentKey, row: NameRow): Buffer {
  const body = Buffer.allocUnsafe(6)
  body.writeUIntBE(row.deletedAt ?? 0, 0, 6)
  return encodeRecord({ kind: recordKind.name, hash: key.hash, seq: 0, time: row.createdAt }, body)
}

export function decodeNameRow(value: Buffer, key: DocumentKey): NameRow | string {
  const record = decodeRecord(value, recordKind.name, key.hash, 0)
  if (typeof record === 'string') return record
  if (record.body.length < 6) return 'a name that is too short'
  const deletedAt = asBuffer(record.body).readUIntBE(0, 6)
  return { createdAt: record.time, deletedAt: deletedAt === 0 ? null : deletedAt }
}

const noHash = Buffer.alloc(16)

/** The sentinel's body: the format of the whole store • store id (16). It keeps this form in every format to come. */
export function encodeSentinel(format: number, storeId: Buffer, time: number): Buffer {
  return encodeRecord({ kind: recordKind.sentinel, hash: noHash, seq: format, time }, storeId)
}

export function decodeSentinel(value: Buffer): { format: number; storeId: Buffer } | string {
  const format = value.length < recordOverheadBytes ? 0 : value.readUIntBE(22, 6)
  const record = decodeRecord(value, recordKind.sentinel, noHash, format)
  if (typeof record === 'string') return record
  return { format, storeId: Buffer.from(record.body) }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
