import type { DocumentId } from '@weft/protocol'
import { LevelStore, type LevelView } from '../log/LevelStore.ts'
import { documentKey, isSoundRecord, nameKey, recordKind, rowKey, sentinelKey } from '../log/levelRecord.ts'
import type { FoundOperation } from './salvageFiles.ts'

/** All that was found of one document: every write to each of its keys. */
export interface FoundDocument {
  readonly hash: Buffer
  /** By key, then as they were written. */
  readonly operations: readonly FoundOperation[]
}

/** Bytes of one write. */
const batchBytes = 4 << 20
const pageSize = 256
const hashBytes = 16

/**
 * What was found in files, sorted by document: on disk, for a store may be larger than memory.
 *
 * ```
 * key   = 'f' • hash(16) • place(1) • rest of the record's key, padded • sequence(8) • soundness(1)
 * value = length of the record's key(2) • that key • 1 • the record, or 0: deleted
 * ```
 */
export class FoundRecords {
  readonly #store: LevelStore
  #batch: { type: 'put'; key: Buffer; value: Buffer }[] = []
  #bytes = 0
  /** Keys that none of ours has. */
  strayCount = 0
  count = 0

  private constructor(store: LevelStore) {
    this.#store = store
  }

  /** @param folder is there, and empty */
  static async create(folder: string): Promise<FoundRecords> {
    const store = new LevelStore(folder)
    await store.open(true)
    return new FoundRecords(store)
  }

  async add(operation: FoundOperation): Promise<void> {
    const place = placeOf(operation.key)
    if (place === null) {
      if (!operation.key.equals(sentinelKey)) this.strayCount++
      return
    }
    this.count++
    const { key: recordKey, value: record } = operation
    const sequence = Buffer.alloc(8)
    sequence.writeBigUInt64BE(BigInt(Math.max(0, Math.min(operation.sequence, Number.MAX_SAFE_INTEGER))))
    const value = Buffer.alloc(2 + recordKey.length + 1 + (record?.length ?? 0))
    value.writeUInt16BE(recordKey.length)
    recordKey.copy(value, 2)
    value[2 + recordKey.length] = record === null ? 0 : 1
    record?.copy(value, 3 + recordKey.length)
    // The same write may stand in a log and in a table: the sound one counts.
    const soundness = Buffer.of(record === null || isSoundRecord(record) ? 1 : 0)
    this.#batch.push({ type: 'put', key: Buffer.concat([place, sequence, soundness]), value })
    this.#bytes += value.length
    if (this.#bytes >= batchBytes) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    this.#bytes = 0
    await this.#store.write(batch)
  }

  /** One document after the other, in the order of their hashes. */
  async *documents(): AsyncGenerator<FoundDocument> {
    await this.flush()
    const view = this.#store.view()
    let hash: Buffer | null = null
    let operations: FoundOperation[] = []
    for await (const [key, value] of pages(view)) {
      const own = key.subarray(1, 1 + hashBytes)
      if (hash !== null && !own.equals(hash)) {
        yield { hash, operations }
        operations = []
      }
      hash = own
      const end = 2 + value.readUInt16BE(0)
      operations.push({
        key: value.subarray(2, end),
        sequence: Number(key.readBigUInt64BE(key.length - 9)),
        value: value[end] === 1 ? value.subarray(end + 1) : null,
      })
    }
    if (hash !== null) yield { hash, operations }
    await view.close()
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

async function* pages(view: LevelView): AsyncGenerator<[key: Buffer, value: Buffer]> {
  const end = Buffer.from('g')
  for (let from: Buffer = Buffer.from('f'); ; ) {
    const page = await view.scan(from, end, pageSize)
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    from = Buffer.concat([last[0], Buffer.of(0)])
  }
}

/** Null: no key of a document. */
function placeOf(key: Buffer): Buffer | null {
  const place = (hash: Buffer, kind: number, rest: Buffer) =>
    Buffer.concat([Buffer.from('f'), hash, Buffer.of(kind), rest])
  const [prefix] = key
  if (prefix === rowKey(Buffer.alloc(hashBytes))[0] && key.length === 1 + hashBytes) {
    return place(key.subarray(1), recordKind.row, Buffer.alloc(6))
  }
  if (prefix === 0x64 && key.length === 24) {
    return place(key.subarray(1, 1 + hashBytes), key[17] ?? 0, key.subarray(18))
  }
  if (prefix !== nameKey(Buffer.of())[0]) return null
  try {
    const { hash } = documentKey(key.subarray(1).toString('utf8') as DocumentId)
    return place(hash, recordKind.name, Buffer.alloc(6))
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
