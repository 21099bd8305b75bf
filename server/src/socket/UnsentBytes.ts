/** Where all connections together hold much, each may hold so much only: who reads keeps up all the same. */
const SHORT_OF_MEMORY_BYTES = 64 << 10

/**
 * Bytes that wait for clients to read them, over all connections. Half of what may wait at most makes the bound of each one
 * small; beyond all of it, who has more than that is let go.
 */
export class UnsentBytes {
  readonly #maxEach: number
  readonly #max: number
  #total = 0

  /** @param maxEach for one connection @param max for all of them */
  constructor(maxEach: number, max: number) {
    this.#maxEach = maxEach
    this.#max = max
  }

  get total(): number {
    return this.#total
  }

  /** What one connection may have waiting now, before it is written to no more. */
  get bound(): number {
    return this.#total <= this.#max / 2 ? this.#maxEach : Math.min(this.#maxEach, SHORT_OF_MEMORY_BYTES)
  }

  /** Whether a connection has to go so that others can be served. @param own what waits for it */
  isTooMuch(own: number): boolean {
    return this.#total > this.#max && own > this.bound
  }

  /** What waits for a connection has changed by so much. */
  changed(bytes: number): void {
    this.#total += bytes
  }
}
