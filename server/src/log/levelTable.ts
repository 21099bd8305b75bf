// LevelDB's tables, as bytes: doc/table_format.md.

export const footerBytes = 48
export const blockTrailerBytes = 5

export interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/** Snappy never makes its input smaller than this part of it (a copy of 64 bytes takes three). */
const maxExpansion = 22

/** Snappy's format (format_description.txt); null: broken. */
export function uncompress(block: Uint8Array): Uint8Array | null {
  const { bytes, isWhole } = uncompressBlock(block)
  return isWhole ? bytes : null
}

/** The same of a block that may be broken: what comes before that. */
export function uncompressUpToDamage(block: Uint8Array): Uint8Array {
  return uncompressBlock(block).bytes
}

function uncompressBlock(block: Uint8Array): { bytes: Uint8Array; isWhole: boolean } {
  const reader = new VarintReader(block)
  const length = reader.number()
  if (length > block.length * maxExpansion) return { bytes: new Uint8Array(), isWhole: false }
  const result = new Uint8Array(length)
  let to = 0
  const broken = () => ({ bytes: result.subarray(0, to), isWhole: false })
  while (!reader.atEnd) {
    const tag = reader.byte()
    const kind = tag & 3
    if (kind === 0) {
      let length = tag >> 2
      if (length >= 60) length = reader.littleEndian(length - 59)
      const literal = reader.take(length + 1)
      if (reader.failed || to + literal.length > result.length) return broken()
      result.set(literal, to)
      to += literal.length
      continue
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const distance = kind === 1 ? ((tag >> 5) << 8) | reader.byte() : reader.littleEndian(kind === 2 ? 2 : 4)
    if (reader.failed || distance === 0 || distance > to || to + length > result.length) return broken()
    for (let i = 0; i < length; i++, to++) result[to] = result[to - distance] ?? 0
  }
  return reader.failed || to !== result.length ? broken() : { bytes: result, isWhole: true }
}

/** The values of an index block: `entry = shared • unshared • valueLength • key • value`, then restarts(4 each) • count(4). */
export function blockHandles(block: Uint8Array): (BlockHandle | null)[] {
  const view = Buffer.from(block.buffer, block.byteOffset, block.length)
  if (view.length < 4) return [null]
  const end = view.length - 4 - 4 * view.readUInt32LE(view.length - 4)
  if (end < 0) return [null]
  const handles: (BlockHandle | null)[] = []
  const reader = new VarintReader(block.subarray(0, end))
  while (!reader.atEnd) {
    reader.number()
    const unshared = reader.number()
    const valueLength = reader.number()
    reader.skip(unshared)
    const value = new VarintReader(reader.take(valueLength))
    const handle = value.handle()
    handles.push(reader.failed || value.failed ? null : handle)
  }
  return handles
}

/** Reads on behind the end as zeros and says so in `failed`: the caller asks once. */
export class VarintReader {
  offset = 0
  failed = false
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.failed || this.offset >= this.#bytes.length
  }

  byte(): number {
    const byte = this.#bytes[this.offset]
    if (byte === undefined) this.failed = true
    this.offset++
    return byte ?? 0
  }

  number(): number {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = this.byte()
      value += (byte & 127) * shift
      if (byte < 128) break
      if (shift > 2 ** 49) {
        this.failed = true
        break
      }
    }
    return this.failed ? 0 : value
  }

  littleEndian(length: number): number {
    let value = 0
    for (let i = 0; i < length; i++) value += this.byte() * 256 ** i
    return value
  }

  handle(): BlockHandle {
    const offset = this.number()
    return { offset, size: this.number() }
  }

  skip(length: number): void {
    this.take(length)
  }

  bytes(): Uint8Array {
    return this.take(this.number())
  }

  take(length: number): Uint8Array {
    if (this.offset + length > this.#bytes.length) this.failed = true
    const taken = this.#bytes.subarray(this.offset, this.offset + length)
    this.offset += length
    return taken
  }
}
