/** Bytes that requests may hold at the same time, all together: as many slow ones as one likes cost no more memory. */
export class ByteBudget {
  readonly #max: number
  #held = 0

  constructor(max: number) {
    this.#max = max
  }

  /** @returns false: there is no room for them now. Where nothing else is held, any number fits. */
  take(bytes: number): boolean {
    if (this.#held > 0 && this.#held + bytes > this.#max) return false
    this.#held += bytes
    return true
  }

  give(bytes: number): void {
    this.#held -= bytes
  }
}
