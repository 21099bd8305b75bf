/** Builds a message: lib0's varints and length-prefixed bytes, in a buffer that grows and is used again. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafe(512)
  #length = 0

  get length(): number {
    return this.#length
  }

  clear(): this {
    this.#length = 0
    return this
  }

  byte(value: number): this {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
    return this
  }

  /** @param value whole, 0 … 2^53 - 1 */
  varUint(value: number): this {
    this.#reserve(8)
    let rest = value
    while (rest > 127) {
      this.#bytes[this.#length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#length++] = rest
    return this
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  /** Length, then bytes. */
  varBytes(value: Uint8Array): this {
    return this.varUint(value.length).bytes(value)
  }

  varString(value: string): this {
    return this.varBytes(Buffer.from(value))
  }

  /** What was written, until the next `clear`. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What was written, as bytes of its own. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.#length)
    this.#bytes.copy(taken, 0, 0, this.#length)
    return taken
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
