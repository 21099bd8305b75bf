/** Reads lib0's varints and length-prefixed bytes. What doesn't fit throws: then a server sent something broken. */
export class ByteReader {
  position = 0
  #bytes: Uint8Array = new Uint8Array(0)

  constructor(bytes?: Uint8Array) {
    if (bytes !== undefined) this.reset(bytes)
  }

  get isAtEnd(): boolean {
    return this.position === this.#bytes.length
  }

  reset(bytes: Uint8Array): this {
    this.#bytes = bytes
    this.position = 0
    return this
  }

  byte(): number {
    const value = this.#bytes[this.position++]
    if (value === undefined) throw new RangeError('a message ends too early')
    return value
  }

  varUint(): number {
    let value = this.byte()
    if (value < 128) return value
    value &= 127
    for (let factor = 128; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  /** A view, valid as long as the bytes that are read. */
  varBytes(): Uint8Array {
    const length = this.varUint()
    this.skip(length)
    return this.#bytes.subarray(this.position - length, this.position)
  }

  varString(): string {
    const bytes = this.varBytes()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  }

  skip(count: number): void {
    this.position += count
    if (this.position > this.#bytes.length) throw new RangeError('a message ends too early')
  }

  skipVarBytes(): void {
    this.skip(this.varUint())
  }

  /** Skips a string and tells its length in UTF-16 units, which is how Yjs counts. */
  skipVarString(): number {
    const end = this.varUint() + this.position
    let units = 0
    while (this.position < end) {
      const byte = this.byte()
      if (byte < 0x80 || byte >= 0xc0) units += byte >= 0xf0 ? 2 : 1
    }
    return units
  }
}
