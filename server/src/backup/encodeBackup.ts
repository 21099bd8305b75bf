import { crc32c } from '../log/crc32c.ts'
import type { DamagedDocument, WholeDocument } from '../log/UpdateLog.ts'
import type { DamagedUpload, UploadedFile } from '../uploads/uploadFiles.ts'
import {
  backupLine,
  crcBytes,
  type DocumentHead,
  entryHeadBytes,
  type FileHead,
  maxBodyBytes,
  recordHeadBytes,
  recordKinds,
} from './backupFormat.ts'

/** Longest description of a damage, in UTF-16 units. */
const MAX_DAMAGE = 1000

/** What a backup has: each document, then its files. */
export type BackedUp = WholeDocument | DamagedDocument | UploadedFile | DamagedUpload

/**
 * Writes a backup: see `backupFormat.ts`.
 * @param items one at a time in memory
 * @param at when it was begun, ms since the epoch
 * @param chunkBytes size of what is given out, but for the last
 */
export async function* encodeBackup(
  items: AsyncIterable<BackedUp>,
  at: number,
  chunkBytes: number,
): AsyncGenerator<Buffer> {
  const line = Buffer.from(backupLine)
  const writer = new ChunkWriter(chunkBytes)
  let crc = crc32c(line)
  yield* writer.write(line)
  const record = function* (kind: number, body: Uint8Array): Generator<Buffer> {
    const head = Buffer.allocUnsafe(recordHeadBytes)
    head[0] = kind
    head.writeUInt32BE(body.length, 1)
    crc = crc32c(body, 0, body.length, crc32c(head, 0, head.length, crc))
    yield* writer.write(head)
    yield* writer.write(body)
    const end = Buffer.allocUnsafe(crcBytes)
    end.writeUInt32BE(crc)
    yield* writer.write(end)
  }
  const json = (kind: number, value: unknown) => record(kind, Buffer.from(JSON.stringify(value)))

  yield* json(recordKinds.begin, { at: new Date(at).toISOString() })
  const pieces = function* (bytes: Uint8Array): Generator<Buffer> {
    for (let from = 0; from < bytes.length; from += maxBodyBytes) {
      yield* record(recordKinds.piece, bytes.subarray(from, from + maxBodyBytes))
    }
  }
  const counts = { documents: 0, files: 0, damaged: 0 }
  for await (const item of items) {
    if ('damage' in item) {
      counts.damaged++
      const { documentId: name } = item
      const damage = item.damage.slice(0, MAX_DAMAGE)
      yield* json(recordKinds.damaged, 'file' in item ? { name, file: item.file, damage } : { name, damage })
    } else if ('file' in item) {
      counts.files++
      const head: FileHead = { name: item.documentId, file: item.file, bytes: item.bytes.length }
      yield* json(recordKinds.file, head)
      yield* pieces(item.bytes)
    } else {
      counts.documents++
      yield* json(recordKinds.document, headOf(item))
      for (const part of partsOf(item)) yield* pieces(part)
    }
  }
  yield* json(recordKinds.end, counts)
  yield* writer.end()
}

function headOf(document: WholeDocument): DocumentHead {
  const { documentId, createdAt, deletedAt, head, snapshotSeq, keptAfter } = document
  const { snapshot, knowledge, keptStateVector, entries } = document
  let bytes = 0
  for (const { update } of entries) bytes += entryHeadBytes + update.length
  for (const part of [knowledge, keptStateVector, snapshot]) bytes += part?.length ?? 0
  return {
    name: documentId,
    createdAt,
    deletedAt,
    head,
    snapshotSeq,
    keptAfter,
    snapshot: snapshot?.length ?? null,
    knowledge: knowledge?.length ?? null,
    keptStateVector: keptStateVector?.length ?? null,
    bytes,
  }
}

/** Small ones together: a record for each keystroke would be mostly head. */
function* partsOf({ knowledge, keptStateVector, snapshot, entries }: WholeDocument): Generator<Uint8Array> {
  for (const part of [knowledge, keptStateVector, snapshot]) if (part !== null) yield part
  let parts: Uint8Array[] = []
  let bytes = 0
  for (const { time, update } of entries) {
    const head = Buffer.allocUnsafe(entryHeadBytes)
    head.writeUIntBE(time, 0, 6)
    head.writeUInt32BE(update.length, 6)
    parts.push(head, update)
    bytes += head.length + update.length
    if (bytes < maxBodyBytes / 4) continue
    yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(parts)
}

/** Makes chunks of one size of bytes that come in all sizes. */
class ChunkWriter {
  readonly #size: number
  #chunk: Buffer
  #length = 0

  constructor(size: number) {
    this.#size = size
    this.#chunk = Buffer.allocUnsafe(size)
  }

  *write(bytes: Uint8Array): Generator<Buffer> {
    for (let from = 0; from < bytes.length; ) {
      const part = bytes.subarray(from, from + this.#size - this.#length)
      this.#chunk.set(part, this.#length)
      this.#length += part.length
      from += part.length
      if (this.#length < this.#size) continue
      yield this.#chunk
      // Another one: whoever got that one may still hold it.
      this.#chunk = Buffer.allocUnsafe(this.#size)
      this.#length = 0
    }
  }

  *end(): Generator<Buffer> {
    if (this.#length > 0) yield this.#chunk.subarray(0, this.#length)
  }
}
