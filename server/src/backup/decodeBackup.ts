import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { crc32c } from '../log/crc32c.ts'
import { documentKey, maxUint48 } from '../log/levelRecord.ts'
import type { LogEntry, WholeDocument } from '../log/UpdateLog.ts'
import { CHANGED, isUploadName, isWhole, type UploadedFile } from '../uploads/uploadFiles.ts'
import { ByteStream } from './ByteStream.ts'
import {
  backupFormat,
  backupMagic,
  crcBytes,
  type DocumentHead,
  entryHeadBytes,
  type FileHead,
  formatWithoutFiles,
  maxBodyBytes,
  recordHeadBytes,
  recordKinds,
} from './backupFormat.ts'

/** One thing in a backup. */
export type BackupItem =
  | { readonly type: 'document'; readonly document: WholeDocument }
  | { readonly type: 'file'; readonly upload: UploadedFile }
  /** What the store could not read when the backup was made. */
  | ({ readonly type: 'damaged' } & Fault)
  /** A document or a file of which the backup itself is broken. */
  | ({ readonly type: 'broken' } & Fault)
  /** Comes first where the backup is of a format that had no files. */
  | { readonly type: 'withoutFiles' }

/** What is wrong with a document, or with a file of it. */
export interface Fault {
  /** Of the document; null: it is not known. */
  readonly name: string | null
  readonly file?: string
  /** In words. */
  readonly problem: string
}

/**
 * Reads a backup and checks all that it says of itself: see `backupFormat.ts`. Where a document or a file is broken, it
 * goes on with the next one. One of them at a time is in memory.
 * @returns ends only where the backup is whole, but for what it gave out as broken
 * @throws {WeftError} `BACKUP_FOREIGN`, `BACKUP_TOO_NEW`; `BACKUP_DAMAGED`: from a place on it can't be read, or it was cut short
 */
export async function* decodeBackup(source: AsyncIterable<Uint8Array>): AsyncGenerator<BackupItem> {
  const stream = new ByteStream(source)
  try {
    const { format, seed } = await readLine(stream)
    if (format === formatWithoutFiles) yield { type: 'withoutFiles' }
    yield* readItems(stream, seed, format)
  } finally {
    await stream.close()
  }
}

async function* readItems(stream: ByteStream, seed: number, format: number): AsyncGenerator<BackupItem> {
  const seen = { documents: 0, files: 0, damaged: 0 }
  let brokenCount = 0
  let isBegun = false
  /** What not all pieces have come of. */
  let current: UnfinishedDocument | UnfinishedFile | null = null
  /** The first record of a document or a file is broken: nobody knows whose the following pieces are. */
  let isSkipping = false
  for await (const { kind, body, isSound, offset } of readRecords(stream, seed)) {
    const place = placeOf(offset)
    if (current !== null && (kind === recordKinds.piece || !isSound)) {
      current.add(body)
      if (!isSound) current.problem ??= `${place} has a wrong checksum`
    } else {
      if (current !== null) {
        brokenCount++
        yield {
          type: 'broken',
          ...current.place,
          problem: `${current.missingBytes} bytes are missing before byte ${offset}`,
        }
        current = null
      }
      if (!isSound) {
        isBegun = true
        isSkipping = true
        brokenCount++
        yield {
          type: 'broken',
          name: null,
          problem: `${place} has a wrong checksum: the first of a document or a file, maybe`,
        }
        continue
      }
      if (isSkipping && kind === recordKinds.piece) continue
      isSkipping = false
      if (isBegun === (kind === recordKinds.begin)) throw damaged(`${place} is none that belongs there`)
      switch (kind) {
        case recordKinds.begin:
          isBegun = true
          break
        case recordKinds.document:
          seen.documents++
          current = new UnfinishedDocument(readHead(body, offset))
          break
        case recordKinds.damaged: {
          seen.damaged++
          const { name, file, damage } = readJSON(body, offset)
          const fault = { name: typeof name === 'string' ? name : null, problem: String(damage) }
          yield { type: 'damaged', ...fault, ...(typeof file === 'string' && { file }) }
          break
        }
        case recordKinds.end: {
          const { documents, files = 0, damaged: damagedCount } = readJSON(body, offset)
          const isComplete = documents === seen.documents && files === seen.files && damagedCount === seen.damaged
          if (brokenCount === 0 && !isComplete) {
            const has = `${seen.documents} documents and ${seen.files} files`
            throw damaged(`it has ${has}, and ${documents} and ${files} by its end`)
          }
          if (!(await stream.isAtEnd())) throw damaged(`something follows its end at byte ${stream.offset}`)
          return
        }
        case recordKinds.file:
          if (format === formatWithoutFiles) throw damaged(`${place} is a file, in a format that has none`)
          seen.files++
          current = new UnfinishedFile(readFileHead(body, offset))
          break
        default:
          throw damaged(`${place} is of an unknown kind, ${kind}`)
      }
    }
    if (current?.isFull === true) {
      const item: BackupItem = await current.finish()
      current = null
      if (item.type === 'broken') brokenCount++
      yield item
    }
  }
  throw cutShort(stream)
}

/** @returns `seed`: the CRC that the first record's begins with */
async function readLine(stream: ByteStream): Promise<{ format: number; seed: number }> {
  const bytes: number[] = []
  for (;;) {
    const [byte] = (await stream.take(1)) ?? []
    if (byte === undefined) {
      if (bytes.length === 0) throw new WeftError('BACKUP_DAMAGED', 'this backup is empty')
      break
    }
    bytes.push(byte)
    const at = bytes.length - 1
    if (at < backupMagic.length ? byte !== backupMagic.charCodeAt(at) : byte === 0x0a || at > backupMagic.length + 8)
      break
  }
  const line = Buffer.from(bytes)
  const text = line.toString('latin1')
  const format = new RegExp(`^${backupMagic}([1-9]\\d{0,7})\n$`).exec(text)?.[1]
  if (format === undefined) {
    // The beginning of the line and nothing else: what was cut short there.
    const isCut = Array.from({ length: backupFormat }, (_, i) => `${backupMagic}${i + 1}`).includes(text)
    if (backupMagic.startsWith(text) || isCut) throw cutShort(stream)
    throw new WeftError('BACKUP_FOREIGN', `this is no backup of a Weft store: it doesn't begin with "${backupMagic}"`)
  }
  if (Number(format) <= backupFormat) return { format: Number(format), seed: crc32c(line) }
  const formats = `format ${format}, and this version knows ${backupFormat}`
  throw new WeftError('BACKUP_TOO_NEW', `this backup was written by a newer version (${formats})`)
}

interface BackupRecord {
  readonly kind: number
  readonly body: Uint8Array
  /** Whether its checksum is right. */
  readonly isSound: boolean
  /** Where it begins, in bytes. */
  readonly offset: number
}

/** @throws {WeftError} `BACKUP_DAMAGED`: it ends inside a record, or where records begin is not to be told any more */
async function* readRecords(stream: ByteStream, seed: number): AsyncGenerator<BackupRecord> {
  // After a broken record, its stored checksum may be right and its bytes wrong, or the other way round.
  let seeds = [seed]
  for (;;) {
    const { offset } = stream
    if (await stream.isAtEnd()) return
    const head = await need(stream, recordHeadBytes)
    const length = head.readUInt32BE(1)
    if (length > maxBodyBytes) throw damaged(`${placeOf(offset)} is broken, and what follows can't be read`)
    const body = await need(stream, length)
    const stored = (await need(stream, crcBytes)).readUInt32BE()
    const computed = seeds.map(before => crc32c(body, 0, length, crc32c(head, 0, head.length, before)))
    const isSound = computed.includes(stored)
    // Two in a row: the first one's length is wrong, more likely than both.
    if (!isSound && seeds.length > 1) throw damaged(`${placeOf(offset)} is broken, and what follows can't be read`)
    seeds = isSound ? [stored] : [stored, ...computed]
    yield { kind: head[0] ?? 0, body, isSound, offset }
  }
}

async function need(stream: ByteStream, length: number): Promise<Buffer> {
  const bytes = await stream.take(length)
  if (bytes?.length !== length) throw cutShort(stream)
  return bytes
}

/** What not all pieces have come of. */
abstract class Unfinished<Head extends DocumentHead | FileHead> {
  /** What is wrong with it, in words. */
  problem: string | null = null
  protected readonly head: Head
  readonly #pieces: Uint8Array[] = []
  #bytes = 0

  constructor(head: Head) {
    this.head = head
  }

  get isFull(): boolean {
    return this.#bytes >= this.head.bytes
  }

  get missingBytes(): number {
    return this.head.bytes - this.#bytes
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }

  /** Whose it is. */
  abstract get place(): { readonly name: string; readonly file?: string }

  async finish(): Promise<BackupItem> {
    const bytes = Buffer.concat(this.#pieces)
    if (bytes.length !== this.head.bytes) this.problem ??= `it has ${bytes.length} bytes, not ${this.head.bytes}`
    const item = this.problem ?? (await this.decode(bytes))
    return typeof item === 'string' ? { type: 'broken', ...this.place, problem: item } : item
  }

  /** @returns what it is, or what is wrong with it, in words */
  protected abstract decode(bytes: Buffer): Promise<BackupItem | string>
}

class UnfinishedDocument extends Unfinished<DocumentHead> {
  get place() {
    return { name: this.head.name }
  }

  protected async decode(bytes: Buffer): Promise<BackupItem | string> {
    const { name, createdAt, deletedAt, head, snapshotSeq, keptAfter, ...lengths } = this.head
    let at = 0
    const take = (length: number | null): Uint8Array | null => {
      if (length === null) return null
      at += length
      return new Uint8Array(bytes.buffer, bytes.byteOffset + at - length, length)
    }
    const knowledge = take(lengths.knowledge)
    const keptStateVector = take(lengths.keptStateVector)
    const snapshot = take(lengths.snapshot)
    const entries: LogEntry[] = []
    for (let seq = keptAfter + 1; seq <= head; seq++) {
      if (at + entryHeadBytes > bytes.length) return `entry ${seq} is missing`
      const time = bytes.readUIntBE(at, 6)
      const length = bytes.readUInt32BE(at + 6)
      at += entryHeadBytes
      if (at + length > bytes.length) return `entry ${seq} is longer than the document`
      entries.push({ seq, time, update: take(length) ?? new Uint8Array() })
    }
    if (at !== bytes.length) return `${bytes.length - at} bytes follow its last entry`
    const snapshotBytes = snapshot?.length ?? 0
    const stored = { head, snapshotSeq, keptAfter, deletedAt, knowledge, keptStateVector, snapshot, snapshotBytes }
    return { type: 'document', document: { documentId: name as DocumentId, createdAt, ...stored, entries } }
  }
}

class UnfinishedFile extends Unfinished<FileHead> {
  get place() {
    return { name: this.head.name, file: this.head.file }
  }

  protected async decode(bytes: Buffer): Promise<BackupItem | string> {
    const { name, file } = this.head
    if (!(await isWhole(file, bytes))) return CHANGED
    return { type: 'file', upload: { documentId: name as DocumentId, file, bytes } }
  }
}

function readJSON(body: Uint8Array, offset: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw damaged(`${placeOf(offset)} is no JSON object`)
}

/** A checksum is easily made: what a store is made of is checked, too. */
function readHead(body: Uint8Array, offset: number): DocumentHead {
  const value = readJSON(body, offset)
  const number = (field: keyof DocumentHead): number => {
    const found = value[field]
    if (Number.isSafeInteger(found) && (found as number) >= 0 && (found as number) <= maxUint48) return found as number
    throw damaged(`${placeOf(offset)} has a ${field} that is no whole number`)
  }
  const orNull = (field: keyof DocumentHead): number | null => (value[field] === null ? null : number(field))
  const head: DocumentHead = {
    name: checkName(value.name, offset),
    createdAt: number('createdAt'),
    deletedAt: orNull('deletedAt'),
    head: number('head'),
    snapshotSeq: number('snapshotSeq'),
    keptAfter: number('keptAfter'),
    snapshot: orNull('snapshot'),
    knowledge: orNull('knowledge'),
    keptStateVector: orNull('keptStateVector'),
    bytes: number('bytes'),
  }
  const lengths = [head.snapshot, head.knowledge, head.keptStateVector]
  const fits =
    head.snapshotSeq <= head.head &&
    head.keptAfter <= head.head &&
    lengths.every(length => (length === null) === (head.snapshotSeq === 0)) &&
    (head.snapshotSeq === 0 || (head.keptAfter <= head.snapshotSeq && head.snapshot !== 0)) &&
    lengths.reduce<number>((sum, length) => sum + (length ?? 0), 0) <= head.bytes
  if (!fits) throw damaged(`${placeOf(offset)} describes a document that can't be`)
  return head
}

function readFileHead(body: Uint8Array, offset: number): FileHead {
  const { name, file, bytes } = readJSON(body, offset)
  if (typeof file !== 'string' || !isUploadName(file)) throw damaged(`${placeOf(offset)} has a name that no file has`)
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) {
    throw damaged(`${placeOf(offset)} has a number of bytes that is no whole number`)
  }
  return { name: checkName(name, offset), file, bytes: bytes as number }
}

function checkName(name: unknown, offset: number): string {
  try {
    if (typeof name === 'string') return documentKey(name as DocumentId).documentId
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw damaged(`${placeOf(offset)} has a name that no document has`)
}

function placeOf(offset: number): string {
  return `the record at byte ${offset}`
}

function cutShort({ offset }: ByteStream): WeftError {
  return damaged(`it was cut short: it has ${offset} bytes and no end`)
}

function damaged(what: string): WeftError {
  return new WeftError('BACKUP_DAMAGED', `this backup is damaged: ${what}`)
}
