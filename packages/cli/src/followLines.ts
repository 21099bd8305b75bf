import type { WeftDocument } from '@weft/client'
import { textOf } from '@weft/client/text'
import { commonSubsequence } from '@weft/schema'
import type * as Y from 'yjs'

/** Lines that have changed next to each other. */
export interface TextChange {
  /** Where they begin in the text as it is now, from 1. */
  readonly line: number
  readonly removed: readonly string[]
  readonly inserted: readonly string[]
  /** Names of those who wrote meanwhile, as far as they are known: who only deletes isn't. */
  readonly by: readonly string[]
}

/** Changes that come within so many ms are told as one. */
const PAUSE_MS = 500

/** Tells how a document's text changes, line by line. */
export class TextChanges {
  readonly #document: WeftDocument
  readonly #tell: (change: TextChange) => void
  readonly #writers = new Set<string>()
  #lines: string[]
  #timer: NodeJS.Timeout | null = null

  constructor(document: WeftDocument, tell: (change: TextChange) => void) {
    this.#document = document
    this.#tell = tell
    this.#lines = textOf(document).split('\n')
    document.ydoc.on('afterTransaction', this.#changed)
  }

  /** What has changed until now is told before. */
  stop(): void {
    this.#document.ydoc.off('afterTransaction', this.#changed)
    if (this.#timer !== null) this.#flush()
  }

  readonly #changed = ({ beforeState, afterState, deleteSet }: Y.Transaction) => {
    let isChange = deleteSet.clients.size > 0
    for (const [clientID, clock] of afterState) {
      if ((beforeState.get(clientID) ?? 0) >= clock) continue
      isChange = true
      // Now: whoever writes and leaves is gone a moment later.
      const name = this.#document.awareness.getStates().get(clientID)?.user?.name
      if (typeof name === 'string') this.#writers.add(name)
    }
    if (isChange) this.#timer ??= setTimeout(() => this.#flush(), PAUSE_MS)
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const before = this.#lines
    this.#lines = textOf(this.#document).split('\n')
    const by = [...this.#writers]
    this.#writers.clear()
    for (const change of diffLines(before, this.#lines)) this.#tell({ ...change, by })
  }
}

/** Where two texts differ, in order. */
export function diffLines(before: readonly string[], after: readonly string[]): Omit<TextChange, 'by'>[] {
  const changes: Omit<TextChange, 'by'>[] = []
  let [a, b] = [0, 0]
  for (const [nextA, nextB] of [...commonSubsequence(before, after), [before.length, after.length] as const]) {
    if (nextA > a || nextB > b) {
      changes.push({ line: b + 1, removed: before.slice(a, nextA), inserted: after.slice(b, nextB) })
    }
    a = nextA + 1
    b = nextB + 1
  }
  return changes
}
