import { closeSync } from 'node:fs'
import { identityOfOpen, readAll } from './DiskFile.ts'

/** How long a file that was replaced is kept, in ms: an editor that had just opened it to write is done by then. */
const PATIENCE_MS = 3_000

/**
 * Files that were replaced here, and are still open: an editor that had opened one to write at that very moment goes on in it,
 * although nobody else finds it any more.
 */
export class ReplacedFiles<Note> {
  readonly #take: (bytes: Uint8Array, note: Note) => void
  readonly #open = new Map<number, { readonly identity: string; readonly note: Note; readonly timer: NodeJS.Timeout }>()

  /** @param take is given what was written into one */
  constructor(take: (bytes: Uint8Array, note: Note) => void) {
    this.#take = take
  }

  /** @param descriptor is closed here @param identity as it was when it was last read */
  watch(descriptor: number, identity: string, note: Note): void {
    const timer = setTimeout(() => this.#look(descriptor), PATIENCE_MS)
    this.#open.set(descriptor, { identity, note, timer })
  }

  /** Looks at all of them now, and lets go of them. */
  close(): void {
    for (const descriptor of [...this.#open.keys()]) this.#look(descriptor)
  }

  #look(descriptor: number): void {
    const file = this.#open.get(descriptor)
    if (file === undefined) return
    clearTimeout(file.timer)
    this.#open.delete(descriptor)
    try {
      if (identityOfOpen(descriptor) !== file.identity) this.#take(readAll(descriptor), file.note)
    } finally {
      closeSync(descriptor)
    }
  }
}
