import type { SavingName } from '@weft/protocol'

/**
 * How it stands with storing edits, for the whole server: what the committer and the watch of the disk find out, and all rooms
 * are told.
 */
export class Saving {
  #isFailing = false
  #isFull = false
  readonly #listeners: (() => void)[] = []

  get state(): Exclude<SavingName, 'damaged'> {
    if (this.#isFull) return 'disk-full'
    return this.#isFailing ? 'saving-failing' : 'saving'
  }

  /** Too little space is left: nobody's edits are taken. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** @param listener called when `state` has changed */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Whether the last write failed. */
  setFailing(isFailing: boolean): void {
    this.#change(() => {
      this.#isFailing = isFailing
    })
  }

  setFull(isFull: boolean): void {
    this.#change(() => {
      this.#isFull = isFull
    })
  }

  #change(change: () => void): void {
    const before = this.state
    change()
    if (this.state !== before) for (const listener of this.#listeners) listener()
  }
}
