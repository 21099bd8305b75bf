/** Bytes that come in chunks of any size, taken in lengths of one's own. */
export class ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Buffer = Buffer.alloc(0)
  #offset = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** How many bytes were taken. */
  get offset(): number {
    return this.#offset
  }

  async isAtEnd(): Promise<boolean> {
    return !(await this.#fill())
  }

  /**
   * The next so many bytes, a view where they came in one chunk; fewer at the end.
   * @returns null: there are none
   */
  async take(length: number): Promise<Buffer | null> {
    if (length === 0) return Buffer.alloc(0)
    if (!(await this.#fill())) return null
    if (this.#chunk.length >= length) return this.#cut(length)
    const parts: Buffer[] = []
    let missing = length
    while (missing > 0 && (await this.#fill())) {
      const part = this.#cut(Math.min(missing, this.#chunk.length))
      parts.push(part)
      missing -= part.length
    }
    return Buffer.concat(parts)
  }

  /** Lets the source go, where it hasn't ended. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #cut(length: number): Buffer {
    const part = this.#chunk.subarray(0, length)
    this.#chunk = this.#chunk.subarray(length)
    this.#offset += length
    return part
  }

  /** @returns whether there is at least one byte */
  async #fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) return false
      this.#chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length)
    }
    return true
  }
}
