/**
 * Bytes that requests may hold at the same time, all together: as many slow ones as one likes cost no more memory. And nobody
 * holds more than a share of them: who sends slowly, or doesn't read, must not keep all others out.
 */
export class ByteBudget {
  readonly #max: number
  readonly #share: number
  #held = 0
  readonly #holders = new Map<string, number>()

  /** @param share of one holder */
  constructor(max: number, share: number) {
    this.#max = max
    this.#share = share
  }

  /**
   * @param holder whose they are: `holderOf`
   * @returns false: there is no room for them now. Where nothing else is held, any number fits; where this holder holds nothing else,
   *   any share.
   */
  take(bytes: number, holder: string): boolean {
    if (this.#held > 0 && this.#held + bytes > this.#max) return false
    const own = this.#holders.get(holder) ?? 0
    if (own > 0 && own + bytes > this.#share) return false
    this.#held += bytes
    if (own + bytes > 0) this.#holders.set(holder, own + bytes)
    return true
  }

  give(bytes: number, holder: string): void {
    this.#held -= bytes
    const left = (this.#holders.get(holder) ?? 0) - bytes
    if (left > 0) this.#holders.set(holder, left)
    else this.#holders.delete(holder)
  }
}
