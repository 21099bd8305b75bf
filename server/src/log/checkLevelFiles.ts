import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { WeftError } from '../errors.ts'
import { crc32c, unmaskCrc } from './crc32c.ts'
import { readLevelLog } from './levelLogFile.ts'
import {
  type BlockHandle,
  blockHandles,
  blockTrailerBytes,
  footerBytes,
  uncompress,
  VarintReader,
} from './levelTable.ts'

/**
 * Tables up to this size are always read whole. A document's row and its name lie at the two ends of a table, so that one broken
 * block hides both only where a table has hardly more than one.
 */
const smallTableBytes = 1 << 20

/**
 * Reads LevelDB's files before LevelDB does, for what LevelDB 1.20 forgives without a word when it opens them:
 *
 * - a broken record inside its log: it drops that and the rest of the 32 KiB block, and goes on behind it;
 * - a manifest that ends early (or whose last length is wrong): it goes back to an older list of files, and then deletes the
 *   files that are not on it;
 * - a log that the manifest names and that is missing; a table that is shorter than the manifest says;
 * - a table whose index, filter or footer is broken: records vanish. Data blocks are checked too in all tables up to
 *   `smallTableBytes`, and in larger ones as far as `dataBytes` goes, the smallest first. In the rest our own records tell (see
 *   `LevelUpdateLog` [L2], [L3]).
 *
 * A broken record at the very end of the newest log is what a loss of power in the middle of a write leaves behind, a write that
 * was never acknowledged: it is reported, not refused. Every write of ours is synced before the next begins, so that behind such
 * an end no other record can begin.
 *
 * The store may be open in another process, whose files come and go under this reading. So what seems broken is read again;
 * a store that is in use is whole in the end, and LevelDB finds the lock.
 *
 * Formats: LevelDB's doc/log_format.md, doc/table_format.md, db/version_edit.cc.
 * @param dataBytes how many bytes of tables to read whole.
 * @returns warnings, in words.
 * @throws {WeftError} `STORE_DAMAGED`, `STORAGE_READ_FAILED`
 */
export async function checkLevelFiles(folder: string, dataBytes: number): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await checkFolder(folder, dataBytes)
    } catch (error) {
      if (attempt < 3) continue
      if (error instanceof WeftError) throw error
      throw new WeftError('STORAGE_READ_FAILED', `the files in ${folder} could not be read: ${String(error)}`, {
        cause: error,
      })
    }
  }
}

async function checkFolder(folder: string, dataBytes: number): Promise<string[]> {
  const damaged = (what: string): WeftError =>
    new WeftError('STORE_DAMAGED', `the store in ${folder} is damaged: ${what}`)
  const current = await readFile(join(folder, 'CURRENT'), 'latin1')
  const manifestName = /^(MANIFEST-\d{6,})\n$/.exec(current)?.[1]
  const names = new Set(await readdir(folder))
  if (manifestName === undefined || !names.has(manifestName))
    throw damaged('its file CURRENT names no manifest that is there')

  const warnings: string[] = []
  const manifest = readLevelLog(await readFile(join(folder, manifestName)))
  if (manifest.damagedAt !== null) throw damaged(`a broken record in ${manifestName} at byte ${manifest.damagedAt}`)
  const version = readVersion(manifest.records)
  if (typeof version === 'string') throw damaged(`${manifestName}: ${version}`)
  if (version.logNumber > 0 && !names.has(logName(version.logNumber))) {
    throw damaged(`${logName(version.logNumber)}, which ${manifestName} names, is missing`)
  }
  if (manifest.tornAt !== null) warnings.push(`${manifestName} ends inside a record, at byte ${manifest.tornAt}`)

  const logs = [...names].flatMap(name => /^(\d+)\.log$/.exec(name)?.[1] ?? []).map(Number)
  const live = logs.filter(number => number >= version.logNumber).sort((a, b) => a - b)
  for (const number of live) {
    const log = readLevelLog(await readFile(join(folder, logName(number))))
    const isLast = number === live.at(-1)
    const brokenAt = log.damagedAt ?? (isLast ? null : log.tornAt)
    if (brokenAt !== null) throw damaged(`a broken record in ${logName(number)} at byte ${brokenAt}`)
    if (log.tornAt !== null) {
      warnings.push(
        `${logName(number)} ends inside a record, at byte ${log.tornAt}: a write that a loss of power cut short`,
      )
    }
  }

  const tables = [...version.tables].sort((a, b) => a[1] - b[1])
  let budget = dataBytes
  for (const [number, size] of tables) {
    const name = [`${String(number).padStart(6, '0')}.ldb`, `${String(number).padStart(6, '0')}.sst`].find(file =>
      names.has(file),
    )
    if (name === undefined) throw damaged(`the table ${number}, which ${manifestName} names, is missing`)
    const path = join(folder, name)
    const present = (await stat(path)).size
    if (present !== size) throw damaged(`${name} has ${present} bytes, not ${size}`)
    budget -= size
    const file = await open(path, 'r')
    try {
      const fault = await checkTable(file, size, size <= smallTableBytes || budget >= 0)
      if (fault !== null) throw damaged(`${name}: ${fault}`)
    } finally {
      await file.close()
    }
  }
  return warnings
}

function logName(number: number): string {
  return `${String(number).padStart(6, '0')}.log`
}

export interface Version {
  readonly logNumber: number
  /** Tables in use: number → size in bytes. */
  readonly tables: Map<number, number>
}

/** Plays a manifest's records: db/version_edit.cc. */
export function readVersion(records: readonly Uint8Array[]): Version | string {
  let logNumber: number | null = null
  const tables = new Map<number, number>()
  for (const record of records) {
    const reader = new VarintReader(record)
    while (!reader.atEnd) {
      const tag = reader.number()
      if (tag === 1)
        reader.bytes() // comparator
      else if (tag === 2) logNumber = reader.number()
      else if (tag === 3 || tag === 4 || tag === 9)
        reader.number() // next file, last sequence, previous log
      else if (tag === 5) {
        reader.number() // where a level's next compaction begins
        reader.bytes()
      } else if (tag === 6) {
        reader.number()
        tables.delete(reader.number())
      } else if (tag === 7) {
        reader.number()
        const table = reader.number()
        tables.set(table, reader.number())
        reader.bytes() // smallest key
        reader.bytes() // largest key
      } else return `an unknown tag ${tag}`
    }
    if (reader.failed) return 'a record that ends early'
  }
  // A manifest begins with the list of files, and the log's number comes in its second record.
  return logNumber === null ? 'it ends before it names a log' : { logNumber, tables }
}

/** @returns what is wrong with the table, or null. */
async function checkTable(file: FileHandle, size: number, withData: boolean): Promise<string | null> {
  if (size < footerBytes) return 'it has no room for a footer'
  const footer = await readAt(file, size - footerBytes, footerBytes)
  if (footer.readUInt32LE(40) !== 0x8b80fb57 || footer.readUInt32LE(44) !== 0xdb477524)
    return 'it does not end like a table'
  const reader = new VarintReader(footer.subarray(0, 40))
  const metaHandle = reader.handle()
  const indexHandle = reader.handle()
  // The footer has no checksum: what is not used of it must be zero, and what is used must fit the file without a gap.
  if (reader.failed || footer.subarray(reader.offset, 40).some(byte => byte !== 0)) return 'a broken footer'
  if (indexHandle.offset + indexHandle.size + blockTrailerBytes !== size - footerBytes)
    return 'a footer that does not fit'
  if (metaHandle.offset + metaHandle.size + blockTrailerBytes !== indexHandle.offset)
    return 'a footer that does not fit'
  const index = await readBlock(file, indexHandle)
  const meta = await readBlock(file, metaHandle)
  if (index === null || meta === null) return 'a broken index'
  const handles = [...blockHandles(meta), ...(withData ? blockHandles(index) : [])]
  if (handles.includes(null)) return 'an index that does not decode'
  for (const handle of handles) {
    if (handle === null || handle.offset + handle.size + blockTrailerBytes > metaHandle.offset)
      return 'an index that does not fit'
    if ((await readSoundBlock(file, handle)) === null) return `a broken block at byte ${handle.offset}`
  }
  return null
}

/** `block = data • type(1) • maskedCrc(4)`; null: its checksum is wrong. */
async function readSoundBlock(file: FileHandle, { offset, size }: BlockHandle): Promise<Buffer | null> {
  const block = await readAt(file, offset, size + blockTrailerBytes)
  return crc32c(block, 0, size + 1) === unmaskCrc(block.readUInt32LE(size + 1)) ? block : null
}

/** The data of a block; null: broken. */
async function readBlock(file: FileHandle, handle: BlockHandle): Promise<Uint8Array | null> {
  const block = await readSoundBlock(file, handle)
  if (block === null) return null
  const data = block.subarray(0, handle.size)
  return block[handle.size] === 1 ? uncompress(data) : data
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  await file.read(buffer, 0, length, offset)
  return buffer
}
