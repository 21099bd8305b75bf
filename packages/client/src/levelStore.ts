import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { StoreError } from './errors.ts'
import { LevelFolder, type LevelOperation } from './LevelFolder.ts'
import type { LocalStore } from './LocalStore.ts'

/**
 * ```
 * key of a row  = 'u' • hash(16) • seq(6)     value = update • CRC-32(4)
 * key of a head = 'h' • hash(16)              value = first(6) • last(6) • CRC-32(4)
 * ```
 * `hash`: the first 16 bytes of the SHA-256 of the document's name. The rows of a document are `first` … `last`, without
 * gaps, and the head is written with every change of them: LevelDB drops records that its disk has damaged, without a word.
 * A CRC covers key and value.
 */
const rowPrefix = 0x75 // u
const headPrefix = 0x68 // h
const crcBytes = 4

interface Head {
  readonly first: number
  readonly last: number
}

/**
 * Keeps a document in a LevelDB folder, so that a program opens it without a network and loses nothing when it is killed.
 * Writes are synced (`fsync`): what is confirmed survives loss of power.
 *
 * A folder holds as many documents as one likes, and belongs to one process at a time; within that, a document to one
 * `WeftDocument`. A second one gets a `StoreError` `locked`, goes on without a store, and tries again from time to time.
 * @param folder made where it is absent; its own, not that of a server
 * @param name the document's, in this folder: `connect`'s URL does
 * @example
 * ```js
 * const kept = await connect(url, { store: levelStore(folder, url) })
 * append(kept, 'written here')
 * await kept.saved('local') // on this machine's disk
 * await kept.close()
 * ```
 */
export function levelStore(folder: string, name: string): LocalStore {
  const hash = createHash('sha256').update(name).digest().subarray(0, 16)
  let level: LevelFolder | undefined
  let head: Head = { first: 1, last: 0 }

  const put = (key: Buffer, value: Uint8Array): LevelOperation => ({ type: 'put', key, value: sealed(key, value) })
  const write = async (operations: LevelOperation[], next: Head): Promise<void> => {
    if (level === undefined) throw new StoreError('unavailable', `the store of ${name} is not open`)
    await level.write([...operations, put(headKey(hash), encodeHead(next))])
    head = next
  }

  return {
    async open(_lost: (error: StoreError) => void) {
      const taken = await LevelFolder.take(folder, name)
      level = taken
      const [headRecord] = await taken.read(headKey(hash), after(headKey(hash)))
      const rows = await taken.read(rowKey(hash, 0), rowKey(hash, 2 ** 48 - 1))
      const updates: Uint8Array[] = []
      for (const [key, value] of rows) {
        const update = unsealed(key, value)
        if (update !== null) updates.push(update)
      }
      const found = headRecord === undefined ? null : unsealed(...headRecord)
      if (found === null) {
        if (headRecord === undefined && rows.length === 0) return { updates, damage: null }
        return { updates, damage: `what ${name} consists of can’t be read in ${folder}` }
      }
      head = decodeHead(found)
      const count = head.last - head.first + 1
      const isWhole = rows.length === count && updates.length === count
      const damage = isWhole ? null : `${updates.length} of ${count} rows of ${name} can be read in ${folder}`
      return { updates, damage }
    },
    append(updates) {
      const rows = updates.map((update, i) => put(rowKey(hash, head.last + 1 + i), update))
      return write(rows, { first: head.first, last: head.last + updates.length })
    },
    async replace(update) {
      const last = head.last + 1
      const operations = [put(rowKey(hash, last), update)]
      for (let seq = head.first; seq < last; seq++) operations.push({ type: 'del', key: rowKey(hash, seq) })
      await write(operations, { first: last, last })
      // LevelDB keeps what is deleted until it rewrites its files.
      await level?.compact(rowKey(hash, 0), rowKey(hash, 2 ** 48 - 1))
    },
    async close() {
      const taken = level
      level = undefined
      head = { first: 1, last: 0 }
      await taken?.release(name)
    },
  }
}

function rowKey(hash: Buffer, seq: number): Buffer {
  const key = Buffer.allocUnsafe(1 + 16 + 6)
  key[0] = rowPrefix
  hash.copy(key, 1)
  key.writeUIntBE(seq, 17, 6)
  return key
}

function headKey(hash: Buffer): Buffer {
  return Buffer.concat([Buffer.from([headPrefix]), hash])
}

/** The next key there can be. */
function after(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.alloc(1)])
}

function encodeHead({ first, last }: Head): Buffer {
  const bytes = Buffer.allocUnsafe(12)
  bytes.writeUIntBE(first, 0, 6)
  bytes.writeUIntBE(last, 6, 6)
  return bytes
}

function decodeHead(value: Uint8Array): Head {
  const bytes = Buffer.from(value)
  return { first: bytes.readUIntBE(0, 6), last: bytes.readUIntBE(6, 6) }
}

function sealed(key: Buffer, value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(value.length + crcBytes)
  record.set(value)
  record.writeUInt32BE(crc32(value, crc32(key)), value.length)
  return record
}

/** @returns `null`: not what was written. */
function unsealed(key: Buffer, record: Buffer): Uint8Array | null {
  const end = record.length - crcBytes
  if (end < 0) return null
  const value = record.subarray(0, end)
  return crc32(value, crc32(key)) === record.readUInt32BE(end) ? new Uint8Array(value) : null
}
