import { crc32c, unmaskCrc } from '../log/crc32c.ts'
import { fragment, logBlockBytes, logHeaderBytes, readLevelLog } from '../log/levelLogFile.ts'
import { recordOverheadBytes } from '../log/levelRecord.ts'
import {
  type BlockHandle,
  blockHandles,
  blockTrailerBytes,
  footerBytes,
  uncompress,
  uncompressUpToDamage,
  VarintReader,
} from '../log/levelTable.ts'

/** One write to one key, as a file of LevelDB has it. */
export interface FoundOperation {
  readonly key: Buffer
  /** LevelDB's own number of the write: the higher one is the later one. */
  readonly sequence: number
  /** Null: the key was deleted. */
  readonly value: Buffer | null
}

/** Told what is broken, in words. */
export type Damaged = (what: string) => void

/** Where neither index nor checksum says where a block begins, it is looked for so far. */
const maxSearchBytes = 64 << 10
const keyTrailerBytes = 8
/** Of a key that stands for no write (LevelDB's db/dbformat.h). */
const maxSequence = (1n << 56n) - 1n

/**
 * All that can be read of a table, sound or not: by its index, where that is whole; else block by block, as they lie. Of a block
 * with a wrong checksum, all that still has a shape: whoever takes it has checksums of his own.
 *
 * Records are read only where LevelDB's own structure puts them. They are never searched for in the bytes of others: these are
 * what somebody wrote, who could have written a record of any document into them.
 */
export function* salvageTable(file: Buffer, damaged: Damaged): Generator<FoundOperation> {
  const handles = handlesByIndex(file)
  if (handles === null) damaged('its index is broken')
  for (const handle of handles ?? handlesByChecksum(file)) {
    for (const operation of salvageBlock(file, handle, damaged)) {
      // Without an index, its own block looks like the others; what it holds is shorter than any record.
      const isRecord = operation.value === null || operation.value.length >= recordOverheadBytes
      if (handles !== null || isRecord) yield operation
    }
  }
}

function handlesByIndex(file: Buffer): BlockHandle[] | null {
  if (file.length < footerBytes) return null
  const reader = new VarintReader(file.subarray(file.length - footerBytes, file.length - 8))
  reader.handle()
  const index = soundBlock(file, reader.handle())
  if (reader.failed || index === null) return null
  const handles = blockHandles(index)
  return handles.some(handle => handle === null) ? null : handles.filter(handle => handle !== null)
}

function soundBlock(file: Buffer, handle: BlockHandle): Uint8Array | null {
  const { offset, size } = handle
  if (offset + size + blockTrailerBytes > file.length || !isSound(file, handle)) return null
  const data = file.subarray(offset, offset + size)
  return file[offset + size] === 1 ? uncompress(data) : data
}

function isSound(file: Buffer, { offset, size }: BlockHandle): boolean {
  return crc32c(file, offset, offset + size + 1) === unmaskCrc(file.readUInt32LE(offset + size + 1))
}

/** `table = block*`, `block = data • type(1) • maskedCrc(4)`: each ends where the checksum of all before is right. */
function* handlesByChecksum(file: Buffer): Generator<BlockHandle> {
  for (let offset = 0; offset < file.length - blockTrailerBytes; ) {
    const size = blockSize(file, offset, file.length)
    if (size !== null) {
      yield { offset, size }
      offset += size + blockTrailerBytes
      continue
    }
    // A broken one: it ends where the next sound one begins.
    let next = offset + blockTrailerBytes
    const end = Math.min(file.length - blockTrailerBytes, offset + maxSearchBytes)
    while (next < end && blockSize(file, next, next + maxSearchBytes) === null) next++
    const isFound = next < end
    yield { offset, size: (isFound ? next : file.length) - offset - blockTrailerBytes }
    offset = isFound ? next : file.length
  }
}

function blockSize(file: Buffer, offset: number, limit: number): number | null {
  // The type is part of what is summed up; types other than 0 and 1 are no end of a block.
  let crc = 0
  let summed = offset
  const last = Math.min(limit, file.length) - blockTrailerBytes
  for (let end = offset + 8; end <= last; end++) {
    const type = file[end]
    if (type !== 0 && type !== 1) continue
    crc = crc32c(file, summed, end + 1, crc)
    summed = end + 1
    if (crc === unmaskCrc(file.readUInt32LE(end + 1))) return end - offset
  }
  return null
}

function* salvageBlock(file: Buffer, handle: BlockHandle, damaged: Damaged): Generator<FoundOperation> {
  const { offset, size } = handle
  if (size < 4 || offset + size + blockTrailerBytes > file.length) {
    damaged(`the block at byte ${offset} is missing`)
    return
  }
  const data = file.subarray(offset, offset + size)
  const whole = isSound(file, handle)
  if (!whole) damaged(`the block at byte ${offset} is broken`)
  const block = Buffer.from(file[offset + size] === 1 ? uncompressUpToDamage(data) : data)
  if (block.length < 4) return
  const restartCount = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restartCount
  if (whole && end >= 0) {
    yield* readEntries(block, 0, end)
    return
  }
  // Keys are written whole at each restart (every 16 entries): behind what is broken, the next of them is a new beginning.
  const restarts = [0]
  if (end >= 0 && restartCount <= block.length / 4) {
    for (let i = 0; i < restartCount; i++) {
      const restart = block.readUInt32LE(end + 4 * i)
      if (restart > (restarts.at(-1) ?? 0) && restart < end) restarts.push(restart)
    }
  }
  const stop = end >= 0 ? end : block.length
  for (const [i, restart] of restarts.entries()) yield* readEntries(block, restart, restarts[i + 1] ?? stop)
}

/** `entry = shared • unshared • valueLength • key • value`; `key = user's key • (sequence << 8 | type)(8)`. */
function* readEntries(block: Buffer, from: number, to: number): Generator<FoundOperation> {
  const reader = new VarintReader(block.subarray(from, to))
  let key = Buffer.of()
  while (!reader.atEnd) {
    const shared = reader.number()
    const unshared = reader.number()
    const valueLength = reader.number()
    if (reader.failed || shared > key.length) return
    key = Buffer.concat([key.subarray(0, shared), reader.take(unshared)])
    const value = reader.take(valueLength)
    if (reader.failed || key.length < keyTrailerBytes) return
    const trailer = key.readBigUInt64LE(key.length - keyTrailerBytes)
    if ((trailer & 0xffn) > 1n || trailer >> 8n === maxSequence) continue
    yield {
      key: key.subarray(0, -keyTrailerBytes),
      sequence: Number(trailer >> 8n),
      value: (trailer & 0xffn) === 1n ? Buffer.from(value.buffer, value.byteOffset, value.length) : null,
    }
  }
}

/**
 * All that can be read of a log. What a loss of power cut short at the end of the newest one was never acknowledged, and isn't
 * taken. @param isNewest whether it is that one
 */
export function* salvageLog(file: Buffer, isNewest: boolean, damaged: Damaged): Generator<FoundOperation> {
  const { tornAt, damagedAt } = readLevelLog(file)
  if (damagedAt !== null) damaged(`a broken record at byte ${damagedAt}`)
  else if (tornAt !== null) damaged(`it ends inside a record, at byte ${tornAt}`)
  const end = isNewest ? (tornAt ?? file.length) : file.length
  let next = 0
  for (const { bytes, isSound } of logRecords(file, end)) {
    if (bytes.length < 12) continue
    // A number that may be broken must not stand before all that came later.
    const sequence = isSound ? Number(bytes.readBigUInt64LE(0)) : next
    let count = 0
    for (const operation of readBatch(bytes.subarray(12))) yield { ...operation, sequence: sequence + count++ }
    next = sequence + count
  }
}

/** `batch = sequence(8) • count(4) • (1 • key • value | 0 • key)*`, key and value each with its length before it. */
function* readBatch(operations: Buffer): Generator<Omit<FoundOperation, 'sequence'>> {
  const reader = new VarintReader(operations)
  const take = (): Buffer => Buffer.from(reader.bytes())
  while (!reader.atEnd) {
    const type = reader.byte()
    if (type > 1) return
    const key = take()
    const value = type === 1 ? take() : null
    if (reader.failed) return
    yield { key, value }
  }
}

interface LogRecord {
  readonly bytes: Buffer
  readonly isSound: boolean
}

function* logRecords(file: Buffer, end: number): Generator<LogRecord> {
  let parts: Buffer[] = []
  let isSound = true
  const take = (): LogRecord => {
    const record = { bytes: Buffer.concat(parts), isSound }
    parts = []
    isSound = true
    return record
  }
  for (let block = 0; block < end; block += logBlockBytes) {
    const blockEnd = Math.min(end, block + logBlockBytes)
    for (let offset = block; offset + logHeaderBytes <= blockEnd; ) {
      const dataEnd = offset + logHeaderBytes + file.readUInt16LE(offset + 4)
      const type = file[offset + 6] ?? 0
      if (type < fragment.full || type > fragment.last || dataEnd > blockEnd) {
        // Zeros at a block's end, or a length that is broken: the next block begins with a header.
        if (type !== 0) isSound = false
        break
      }
      const begins = type === fragment.full || type === fragment.first
      if (begins && parts.length > 0) {
        isSound = false
        yield take()
      }
      if (crc32c(file, offset + 6, dataEnd) !== unmaskCrc(file.readUInt32LE(offset))) isSound = false
      if (begins || parts.length > 0) parts.push(file.subarray(offset + logHeaderBytes, dataEnd))
      if ((type === fragment.full || type === fragment.last) && parts.length > 0) yield take()
      offset = dataEnd
    }
  }
  isSound = false
  if (parts.length > 0) yield take()
}
