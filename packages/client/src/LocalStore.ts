import type * as Y from 'yjs'

/**
 * Where a document is kept on this device. `connect` opens it before the network answers; from then on it writes every
 * change of the `Y.Doc`, whoever made it.
 */
export interface LocalStore {
  /**
   * Applies what is stored to `ydoc`, and keeps what changes from then on.
   * The origin of what it applies must not be the network's: it counts as unsaved until the server has it.
   * @returns whether nothing was stored.
   */
  open(ydoc: Y.Doc): Promise<{ isEmpty: boolean }>
  /** Resolves when what was written is stored and the store is released. The `Y.Doc` still lives. */
  close(): Promise<void>
}
