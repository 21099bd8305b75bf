/** How large a document is: `large` is warned of, `full` takes nothing more but deletions. */
export type SizeState = 'fine' | 'large' | 'full'

export interface GrowthLimits {
  readonly warnDocumentBytes: number
  readonly maxDocumentBytes: number
  readonly maxDocumentClients: number
}

/** A full document is writable again when compaction has brought it below this share of its limit: not for the next keystroke only. */
const ROOM_AGAIN = 15 / 16

/** Keeps a document within its size. Its bytes are those of its log: the snapshot, what follows it, and what waits for the disk. */
export class Growth {
  readonly #limits: GrowthLimits
  readonly #onChange: (state: SizeState) => void
  #state: SizeState = 'fine'

  /** @param onChange called with each new state */
  constructor(limits: GrowthLimits, onChange: (state: SizeState) => void) {
    this.#limits = limits
    this.#onChange = onChange
  }

  get state(): SizeState {
    return this.#state
  }

  /** Whether more clients than a document may have would have written it. */
  refusesClients(count: number): boolean {
    return count > this.#limits.maxDocumentClients
  }

  /**
   * Whether an update that brings operations is too much. Where there is hardly any room the document is full from then on; else
   * it is this update's own affair, and others write on.
   * @param bytes of the document, without the update
   */
  refuses(bytes: number, updateBytes: number): boolean {
    const { maxDocumentBytes } = this.#limits
    if (this.#state !== 'full' && bytes + updateBytes <= maxDocumentBytes) return false
    if (bytes >= maxDocumentBytes * ROOM_AGAIN) this.#take('full')
    return true
  }

  /** Whether an update of so many bytes may be too much: then it is worth looking at what it brings. */
  mayRefuse(bytes: number, updateBytes: number): boolean {
    return this.#state === 'full' || bytes + updateBytes > this.#limits.maxDocumentBytes
  }

  /** The document has so many bytes now. @param isCompacted nothing of them can be spared any more */
  measure(bytes: number, isCompacted: boolean): void {
    const { warnDocumentBytes, maxDocumentBytes } = this.#limits
    if (bytes >= maxDocumentBytes) this.#take('full')
    else if (this.#state === 'full' && !(isCompacted && bytes < maxDocumentBytes * ROOM_AGAIN)) return
    else this.#take(bytes >= warnDocumentBytes ? 'large' : 'fine')
  }

  #take(state: SizeState): void {
    if (state === this.#state) return
    this.#state = state
    this.#onChange(state)
  }
}
