import { MalformedUpdate } from './MalformedUpdate.ts'

/** Client ids are `random.uint32()` in Yjs; larger ones collide in implementations that keep 32 bits. */
export const CLIENT_ID_BOUND = 2 ** 32
/** Clocks and lengths stay below this, so that no sum of two leaves the exact integers. */
export const CLOCK_BOUND = 2 ** 40

/**
 * Reads lib0's encodings from bytes that nobody trusts.
 * Every length is compared with the bytes that are left before it is used; nothing is copied or allocated.
 * All methods throw `MalformedUpdate`.
 */
export class ByteReader {
  readonly bytes: Uint8Array
  position = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get bytesLeft(): number {
    return this.bytes.length - this.position
  }

  readByte(): number {
    const byte = this.bytes[this.position]
    if (byte === undefined) throw this.endsTooEarly()
    this.position++
    return byte
  }

  /** `varUint`: seven bits per byte, least significant first; at most 2^53 - 1 in at most 8 bytes. */
  readVarUint(): number {
    const byte = this.readByte()
    return byte < 0x80 ? byte : this.#readLongVarUint(byte & 0x7f)
  }

  #readLongVarUint(low: number): number {
    let value = low
    let factor = 128
    for (let count = 1; count < 8; count++) {
      const byte = this.readByte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      factor *= 128
    }
    throw this.malformed('a number over 2^53 - 1')
  }

  /** Passes over a lib0 `varInt`: sign and six bits in the first byte. */
  skipVarInt(): void {
    const first = this.readByte()
    if (first < 0x80) return
    let value = first & 0x3f
    let factor = 64
    for (let count = 1; count < 8; count++) {
      const byte = this.readByte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return
      }
      factor *= 128
    }
    throw this.malformed('a number over 2^53 - 1')
  }

  readClientID(): number {
    const clientID = this.readVarUint()
    if (clientID >= CLIENT_ID_BOUND) throw this.malformed(`client id ${clientID} is not below 2^32`)
    return clientID
  }

  readClock(): number {
    const clock = this.readVarUint()
    if (clock >= CLOCK_BOUND) throw this.malformed(`clock ${clock} is not below 2^40`)
    return clock
  }

  /**
   * The length of something that begins at `clock`.
   * @returns 1 or more; `clock` + length is below 2^40
   */
  readLength(clock: number): number {
    const length = this.readVarUint()
    if (length < 1) throw this.malformed('a length of 0')
    if (clock + length >= CLOCK_BOUND) throw this.malformed(`clock ${clock} and length ${length} end at 2^40 or above`)
    return length
  }

  /** A count of things that take at least `bytesEach` bytes each, so that an announced count can't outgrow the input. */
  readCount(bytesEach: number): number {
    const count = this.readVarUint()
    if (count * bytesEach > this.bytesLeft) {
      throw this.malformed(`${count} entries announced with ${this.bytesLeft} bytes left`)
    }
    return count
  }

  skip(byteCount: number): void {
    if (byteCount > this.bytesLeft) throw this.malformed(`${byteCount} bytes announced with ${this.bytesLeft} left`)
    this.position += byteCount
  }

  /**
   * Passes over a `varString` and checks that it is UTF-8 as `TextDecoder` with `fatal` takes it.
   * @returns its length in UTF-16 code units, in which Yjs counts clocks
   */
  skipString(): number {
    const byteCount = this.readVarUint()
    const start = this.position
    this.skip(byteCount)
    return this.#checkUtf8(start, this.position)
  }

  /** As `skipString`. @returns where its characters begin; they end at `position` */
  skipStringFrom(): number {
    const byteCount = this.readVarUint()
    const start = this.position
    this.skip(byteCount)
    this.#checkUtf8(start, this.position)
    return start
  }

  readString(): string {
    const start = this.skipStringFrom()
    return decoder.decode(this.bytes.subarray(start, this.position))
  }

  /** Whether these bytes come next. */
  nextIs(expected: Uint8Array): boolean {
    for (let offset = 0; offset < expected.length; offset++) {
      if (this.bytes[this.position + offset] !== expected[offset]) return false
    }
    return true
  }

  /** Whether the bytes of two parts are the same. */
  isRepeated(start: number, end: number, otherStart: number, otherEnd: number): boolean {
    if (end - start !== otherEnd - otherStart) return false
    for (let offset = end - start - 1; offset >= 0; offset--) {
      if (this.bytes[start + offset] !== this.bytes[otherStart + offset]) return false
    }
    return true
  }

  #checkUtf8(start: number, end: number): number {
    const { bytes } = this
    let units = end - start
    let index = start
    while (index < end) {
      const lead = bytes[index] as number
      if (lead < 0x80) {
        index++
        continue
      }
      // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF (Unicode, table 3-7).
      let more: number
      let low = 0x80
      let high = 0xbf
      if (lead >= 0xc2 && lead <= 0xdf) more = 1
      else if (lead >= 0xe0 && lead <= 0xef) {
        more = 2
        if (lead === 0xe0) low = 0xa0
        else if (lead === 0xed) high = 0x9f
      } else if (lead >= 0xf0 && lead <= 0xf4) {
        more = 3
        if (lead === 0xf0) low = 0x90
        else if (lead === 0xf4) high = 0x8f
      } else throw this.malformed('a string is not valid UTF-8', index)
      if (index + more >= end) throw this.malformed('a string ends inside a UTF-8 character', index)
      const second = bytes[index + 1] as number
      if (second < low || second > high) throw this.malformed('a string is not valid UTF-8', index)
      for (let offset = 2; offset <= more; offset++) {
        if (((bytes[index + offset] as number) & 0xc0) !== 0x80) {
          throw this.malformed('a string is not valid UTF-8', index)
        }
      }
      // 2 bytes: 1 unit, 3 bytes: 1 unit, 4 bytes: 2 units (a surrogate pair).
      units -= more === 1 ? 1 : 2
      index += more + 1
    }
    return units
  }

  malformed(reason: string, position = this.position): MalformedUpdate {
    return new MalformedUpdate(`${reason}, at byte ${position} of ${this.bytes.length}`)
  }

  endsTooEarly(): MalformedUpdate {
    return new MalformedUpdate(`it ends too early, after ${this.bytes.length} bytes`)
  }
}

// A byte order mark is a character like any other: Yjs counts it.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
