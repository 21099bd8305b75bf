interface Waiter {
  version: number
  resolve: () => void
  reject: (error: Error) => void
}

/**
 * Which local edits are committed on the server.
 * A version is the number of local edits so far: version 3 is the document after the third edit.
 * [S1] `saved` only rises, and only to a version that was asked for and acknowledged.
 * [S2] A waiter resolves only when its version is saved; otherwise it waits, or rejects by `fail`.
 */
export class SaveTracker {
  #version = 0
  #saved = 0
  #waiters: Waiter[] = []

  /** Local edits so far. */
  get version(): number {
    return this.#version
  }

  /** Local edits that are not known to be committed on the server. */
  get unsavedCount(): number {
    return this.#version - this.#saved
  }

  /** One more local edit. */
  edited(): void {
    this.#version++
  }

  /**
   * Everything up to `version` is committed.
   * @returns whether that is news.
   */
  acknowledged(version: number): boolean {
    // [S1] An acknowledgement of what was never made is a server's mistake, not a save.
    if (version <= this.#saved || version > this.#version) return false
    this.#saved = version
    const due = this.#waiters.filter(waiter => waiter.version <= version)
    this.#waiters = this.#waiters.filter(waiter => waiter.version > version)
    for (const waiter of due) waiter.resolve()
    return true
  }

  /** Resolves when every edit so far is committed; rejects with what `fail` is given. */
  whenSaved(): Promise<void> {
    const version = this.#version
    if (version <= this.#saved) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ version, resolve, reject })
    })
  }

  /** All who wait for a save learn that it does not come. What is unsaved stays so. */
  fail(error: Error): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(error)
  }
}
