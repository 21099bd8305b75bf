/** Bytes that many may hold at the same time, all together. */
export class MemoryBudget {
  readonly max: number
  #used = 0

  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.#used
  }

  /** @returns false: there is no room for them now */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.max) return false
    this.#used += bytes
    return true
  }

  /** As `take`, for what is held already, whether there is room or not. */
  force(bytes: number): void {
    this.#used += bytes
  }

  give(bytes: number): void {
    this.#used -= bytes
  }
}
