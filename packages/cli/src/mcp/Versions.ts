import { createHash } from 'node:crypto'
import * as Y from 'yjs'

/** Bytes that all kept versions may have together; the ones that were used longest ago go first. */
const MAX_BYTES = 64 * 2 ** 20
const VERSION_LENGTH = 12

/** Names the state of a document: what it contains, and what was deleted. */
export function versionOf(ydoc: Y.Doc): string {
  const state = Y.encodeSnapshot(Y.snapshot(ydoc))
  return createHash('sha256').update(state).digest('hex').slice(0, VERSION_LENGTH)
}

/** The states of documents that an agent was shown: what it changes is compared with what it knew. */
export class Versions {
  /** Yjs updates, by document and version; what was used last is last. */
  readonly #updates = new Map<string, Uint8Array>()
  #bytes = 0

  /** @returns the version's name */
  keep(documentId: string, ydoc: Y.Doc): string {
    const version = versionOf(ydoc)
    if (this.#use(documentId, version) === undefined) {
      this.#add(keyOf(documentId, version), Y.encodeStateAsUpdate(ydoc))
    }
    return version
  }

  /** A document as it was, by a client of its own; null: that isn't known (any more). */
  open(documentId: string, version: string): Y.Doc | null {
    const update = this.#use(documentId, version)
    if (update === undefined) return null
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, update)
    return ydoc
  }

  #use(documentId: string, version: string): Uint8Array | undefined {
    const key = keyOf(documentId, version)
    const update = this.#updates.get(key)
    if (update === undefined) return undefined
    this.#updates.delete(key)
    this.#updates.set(key, update)
    return update
  }

  #add(key: string, update: Uint8Array): void {
    this.#updates.set(key, update)
    this.#bytes += update.length
    for (const [oldest, { length }] of this.#updates) {
      // The newest stays, however large it is.
      if (this.#bytes <= MAX_BYTES || oldest === key) return
      this.#updates.delete(oldest)
      this.#bytes -= length
    }
  }
}

function keyOf(documentId: string, version: string): string {
  return `${version} ${documentId}`
}
