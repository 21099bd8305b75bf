import { createHash } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { asFormat1 } from '../../../test/support/asFormat1.ts'
import { digestDocument } from '../../../test/support/digestDocument.ts'
import { WeftError } from '../errors.ts'
import type { DamagedDocument, WholeDocument } from '../log/UpdateLog.ts'
import type { DamagedUpload, UploadedFile } from '../uploads/uploadFiles.ts'
import { backupLine } from './backupFormat.ts'
import { type BackupItem, decodeBackup } from './decodeBackup.ts'
import { type BackedUp, encodeBackup } from './encodeBackup.ts'

const time = 1_790_000_000_000

function document(name: string, entryCount: number, rest: Partial<WholeDocument> = {}): WholeDocument {
  const keptAfter = rest.keptAfter ?? 0
  const entries = Array.from({ length: entryCount }, (_, i) => ({
    seq: keptAfter + 1 + i,
    time: time + i,
    update: Uint8Array.from({ length: 5 + (i % 3) }, (_, j) => i + j),
  }))
  return {
    documentId: name as DocumentId,
    createdAt: time,
    deletedAt: null,
    head: keptAfter + entryCount,
    keptAfter,
    snapshotSeq: 0,
    snapshot: null,
    snapshotBytes: 0,
    knowledge: null,
    keptStateVector: null,
    entries,
    ...rest,
  }
}

function compacted(name: string, bytes: number): WholeDocument {
  const snapshot = Uint8Array.from({ length: bytes }, (_, i) => (i * 7) & 255)
  const stored = { snapshot, snapshotBytes: bytes, knowledge: Uint8Array.of(1, 2), keptStateVector: Uint8Array.of(3) }
  return document(name, 4, { keptAfter: 10, snapshotSeq: 12, ...stored })
}

function uploaded(name: string, length: number): UploadedFile {
  const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 11) & 255))
  const file = `${createHash('sha256').update(bytes).digest('hex')}.png`
  return { documentId: name as DocumentId, file, bytes }
}

const lostFile: DamagedUpload = { ...uploaded('a', 9), damage: 'its bytes are not those that were stored' }

const lost: DamagedDocument = { documentId: 'lost' as DocumentId, damage: 'entry 2: a record with a wrong checksum' }
const small = [
  document('a', 3),
  uploaded('a', 9),
  { documentId: lostFile.documentId, file: lostFile.file, damage: lostFile.damage },

  document('gone', 0, { keptAfter: 7, deletedAt: time + 9 }),
  lost,
  compacted('team/ü', 20),
  { documentId: null, damage: '1 of 4 documents without a name' },
  document('z', 1),
] as const

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}

async function encode(items: readonly BackedUp[], chunkBytes = 1024): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of encodeBackup(each(items), time, chunkBytes)) chunks.push(chunk)
  for (const chunk of chunks.slice(0, -1)) expect(chunk.length).toBe(chunkBytes)
  return Buffer.concat(chunks)
}

function* chunksOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

/** All that it gives, and how it ended. */
async function decode(bytes: Uint8Array, chunkBytes = 4096): Promise<{ items: BackupItem[]; error: string | null }> {
  const items: BackupItem[] = []
  try {
    for await (const item of decodeBackup(each([...chunksOf(bytes, chunkBytes)]))) items.push(item)
    return { items, error: null }
  } catch (error) {
    if (!(error instanceof WeftError)) throw error
    return { items, error: error.code }
  }
}

const asItems = (items: readonly BackedUp[]): BackupItem[] =>
  items.map(given => {
    if (!('damage' in given)) {
      return 'file' in given ? { type: 'file', upload: given } : { type: 'document', document: given }
    }
    const fault = { name: given.documentId, problem: given.damage }
    return 'file' in given ? { type: 'damaged', ...fault, file: given.file } : { type: 'damaged', ...fault }
  })

const digest = (item: BackupItem): string =>
  item.type === 'document' ? digestDocument(item.document) : JSON.stringify(item)

describe('a backup', () => {
  it('gives back what went in, in chunks of any size', async () => {
    const documents = [...small, compacted('large', 2_500_001), document('many', 5000), uploaded('many', 3_000_001)]
    const bytes = await encode(documents, 64 << 10)
    expect(bytes.subarray(0, backupLine.length).toString()).toBe('weft backup 2\n')
    for (const size of [1009, 64 << 10, bytes.length]) {
      const { items, error } = await decode(bytes, size)
      expect([error, items.map(digest)]).toEqual([null, asItems(documents).map(digest)])
    }
    expect(await decode(await encode(small), 1)).toEqual({ items: asItems(small), error: null })
    expect(await decode(await encode([]))).toEqual({ items: [], error: null })
  })

  it('that is cut short anywhere is never taken for whole; what it gives until then is right', async () => {
    const bytes = await encode(small)
    const items = asItems(small)
    for (let length = 0; length < bytes.length; length++) {
      const found = await decode(bytes.subarray(0, length))
      expect([length, found.error]).toEqual([length, 'BACKUP_DAMAGED'])
      expect(found.items).toEqual(items.slice(0, found.items.length))
    }
    expect((await decode(Buffer.concat([bytes, Buffer.of(0)]))).error).toBe('BACKUP_DAMAGED')
    expect((await decode(Buffer.concat([bytes, bytes]))).error).toBe('BACKUP_DAMAGED')
  })

  it('with any one bit flipped tells so, and gives no document but as it was', async () => {
    const bytes = await encode(small)
    const sound = new Set(asItems(small).map(digest))
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const at = bit >> 3
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
      const { items, error } = await decode(bytes)
      const isTold = error !== null || items.some(({ type }) => type === 'broken')
      expect([bit, isTold]).toEqual([bit, true])
      for (const item of items) expect(item.type === 'broken' || sound.has(digest(item))).toBe(true)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
    }
  })

  it('goes on behind a broken document, named where its first record is sound', async () => {
    const documents = [document('a', 3), compacted('hurt', 200), document('z', 2)]
    const bytes = await encode(documents)
    const [a, , z] = asItems(documents)
    const inPiece = bytes.indexOf(Buffer.from([0, 7, 14, 21, 28, 35])) + 3
    const inHead = bytes.indexOf('"hurt"') + 2
    for (const [at, name] of [
      [inPiece, 'hurt'],
      [inHead, null],
    ] as const) {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 1
      const { items, error } = await decode(copy)
      expect(error).toBe(null)
      const problem = expect.stringMatching(/^the record at byte \d+ has a wrong checksum/)
      expect(items).toEqual([a, { type: 'broken', name, problem }, z])
    }
  })

  it('goes on behind a broken file, named where its first record is sound', async () => {
    const hurt = uploaded('a', 300)
    const items = [document('a', 3), hurt, uploaded('a', 20), document('z', 2)]
    const bytes = await encode(items)
    const [a, , next, z] = asItems(items)
    const problem = expect.stringMatching(/^the record at byte \d+ has a wrong checksum/)
    for (const [at, fault] of [
      [bytes.indexOf(hurt.bytes) + 3, { name: 'a', file: hurt.file, problem }],
      [bytes.indexOf(hurt.file) + 3, { name: null, problem }],
    ] as const) {
      const copy = Buffer.from(bytes)
      copy[at] = (copy[at] ?? 0) ^ 1
      expect(await decode(copy)).toEqual({ items: [a, { type: 'broken', ...fault }, next, z], error: null })
    }
    // Whoever makes backups can make checksums, too.
    const forged = await encode([document('a', 3), { ...hurt, file: uploaded('a', 20).file }, document('z', 2)])
    const changed = { name: 'a', file: uploaded('a', 20).file, problem: 'its bytes are not those that were stored' }
    expect(await decode(forged)).toEqual({ items: [a, { type: 'broken', ...changed }, z], error: null })
    const outside = await encode([document('a', 3), { ...hurt, file: '../../x.png' }])
    expect((await decode(outside)).error).toBe('BACKUP_DAMAGED')
  })

  it('of the format that had no files is read, and says so', async () => {
    const documents = [document('a', 3), lost, document('z', 2)]
    expect(await decode(asFormat1(await encode(documents)))).toEqual({
      items: [{ type: 'withoutFiles' }, ...asItems(documents)],
      error: null,
    })
    expect((await decode(asFormat1(await encode([document('a', 3), uploaded('a', 20)])))).error).toBe('BACKUP_DAMAGED')
  })

  it('in which a record is missing, doubled or elsewhere is damaged', async () => {
    const bytes = await encode([document('a', 1), document('b', 1)])
    const records: Buffer[] = []
    for (let at = backupLine.length; at < bytes.length; ) {
      const end = at + 5 + bytes.readUInt32BE(at + 1) + 4
      records.push(bytes.subarray(at, end))
      at = end
    }
    expect(records).toHaveLength(6)
    const [begin, a, pieceOfA, b, pieceOfB, end] = records as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]
    for (const order of [
      [begin, a, pieceOfA, end],
      [begin, b, pieceOfB, a, pieceOfA, end],
      [begin, a, pieceOfB, b, pieceOfA, end],
      [begin, a, pieceOfA, a, pieceOfA, b, pieceOfB, end],
      [a, pieceOfA, b, pieceOfB, end],
    ]) {
      const { items, error } = await decode(Buffer.concat([Buffer.from(backupLine), ...order]))
      expect(error !== null || items.some(({ type }) => type === 'broken')).toBe(true)
    }
  })

  it('is told from other files, and from those of a later version', async () => {
    const whole = (await encode([])).subarray(backupLine.length)
    const codeOf = async (line: string) => (await decode(Buffer.concat([Buffer.from(line), whole]))).error
    expect(await codeOf('weft backup 3\n')).toBe('BACKUP_TOO_NEW')
    expect(await codeOf('weft backup 2 \n')).toBe('BACKUP_FOREIGN')
    expect(await codeOf('weft backups\n')).toBe('BACKUP_FOREIGN')
    expect((await decode(Buffer.alloc(1000))).error).toBe('BACKUP_FOREIGN')
    expect((await decode(Buffer.from('PK\u0003\u0004'))).error).toBe('BACKUP_FOREIGN')
    expect((await decode(Buffer.of())).error).toBe('BACKUP_DAMAGED')
  })

  it('lets its source go, whether it is read to its end or not', async () => {
    const bytes = await encode(small)
    for (const count of [1, 100]) {
      let isClosed = false
      const source = async function* () {
        try {
          yield* chunksOf(bytes, 7)
        } finally {
          isClosed = true
        }
      }
      let left = count
      for await (const _ of decodeBackup(source())) if (--left === 0) break
      expect(isClosed).toBe(true)
    }
  })
})
