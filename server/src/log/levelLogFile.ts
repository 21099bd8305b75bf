import { crc32c, unmaskCrc } from './crc32c.ts'

export interface LevelLog {
  /** The whole records before anything broken. */
  readonly records: Uint8Array[]
  /** Where something broken lies with a whole record behind it. */
  readonly damagedAt: number | null
  /** Where something broken lies with nothing whole behind it. */
  readonly tornAt: number | null
}

export const logBlockBytes = 32 << 10
export const logHeaderBytes = 7
export const fragment = { full: 1, first: 2, middle: 3, last: 4 } as const

/** `log = block(32 KiB)*`, `block = fragment* • zeros`, `fragment = maskedCrc(4) • length(2) • type(1) • data`. */
export function readLevelLog(file: Buffer): LevelLog {
  const records: Uint8Array[] = []
  let parts: Uint8Array[] | null = null
  let partsAt = 0
  let offset = 0
  while (offset < file.length) {
    const blockEnd = Math.min(file.length, offset - (offset % logBlockBytes) + logBlockBytes)
    if (blockEnd - offset < logHeaderBytes) {
      // A block's last bytes, too few for a header, are filled with zeros; at the end of the file it is a torn header.
      if (blockEnd === file.length && blockEnd % logBlockBytes !== 0) return broken(file, records, offset)
      offset = blockEnd
      continue
    }
    const type = fragmentAt(file, offset, blockEnd)
    const length = file.readUInt16LE(offset + 4)
    const data = file.subarray(offset + logHeaderBytes, offset + logHeaderBytes + length)
    const begins = type === fragment.full || type === fragment.first
    if (type === null || begins !== (parts === null))
      return broken(file, records, parts === null ? offset : partsAt, offset)
    if (parts === null) {
      parts = []
      partsAt = offset
    }
    parts.push(data)
    if (type === fragment.full || type === fragment.last) {
      records.push(parts.length === 1 ? data : Buffer.concat(parts))
      parts = null
    }
    offset += logHeaderBytes + length
  }
  return { records, damagedAt: null, tornAt: parts === null ? null : partsAt }
}

/** The type of the whole and sound fragment at this place, or null. */
export function fragmentAt(file: Buffer, offset: number, blockEnd: number): number | null {
  if (offset + logHeaderBytes > blockEnd) return null
  const end = offset + logHeaderBytes + file.readUInt16LE(offset + 4)
  const type = file[offset + 6] ?? 0
  if (type < fragment.full || type > fragment.last || end > blockEnd) return null
  return crc32c(file, offset + 6, end) === unmaskCrc(file.readUInt32LE(offset)) ? type : null
}

/** Tells damage from a torn end: whether any record begins behind the broken place. */
function broken(file: Buffer, records: Uint8Array[], brokenAt: number, searchFrom = brokenAt): LevelLog {
  const beginsRecord = (offset: number, blockEnd: number): boolean => {
    const type = file[offset + 6]
    return (type === fragment.full || type === fragment.first) && fragmentAt(file, offset, blockEnd) !== null
  }
  // In the broken block lengths can't be trusted: every byte may be a beginning.
  let blockEnd = Math.min(file.length, searchFrom - (searchFrom % logBlockBytes) + logBlockBytes)
  for (let offset = searchFrom; offset + logHeaderBytes <= blockEnd; offset++) {
    if (offset !== brokenAt && beginsRecord(offset, blockEnd)) return { records, damagedAt: brokenAt, tornAt: null }
  }
  // The following ones begin with a fragment.
  for (let block = blockEnd; block < file.length; block += logBlockBytes) {
    blockEnd = Math.min(file.length, block + logBlockBytes)
    let offset = block
    while (fragmentAt(file, offset, blockEnd) !== null) {
      if (beginsRecord(offset, blockEnd)) return { records, damagedAt: brokenAt, tornAt: null }
      offset += logHeaderBytes + file.readUInt16LE(offset + 4)
    }
  }
  return { records, damagedAt: null, tornAt: brokenAt }
}
