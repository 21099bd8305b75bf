import type { StoreError } from './errors.ts'

/** What a store has of a document. */
export interface StoredUpdates {
  /** Yjs updates, v1, oldest first; all that can be read. */
  readonly updates: readonly Uint8Array[]
  /** In words: what is stored and can't be read. `null`: nothing. */
  readonly damage: string | null
}

/**
 * Where one document's updates are kept on this device. It knows nothing of Yjs or the network: `LocalCopy` decides what is
 * written and when. `test/localStore/localStoreSuite.ts` is this contract as tests.
 *
 * - Calls don't overlap: each waits for the one before, `close` too. The promises of `open`, `append` and `replace` reject
 *   with a `StoreError`.
 * - A promise that resolves is kept: what was written survives the end of the process, and loss of power where the system
 *   can do that.
 * - A write that rejects has stored nothing or everything. After it, only `close` and `open` are called.
 * - After `close` a store can be opened again.
 */
export interface LocalStore {
  /**
   * Reads all. Opening writes nothing, however often.
   * @param lost is told when the store goes away by itself while it is open: somebody clears the browser's data.
   */
  open(lost: (error: StoreError) => void): Promise<StoredUpdates>
  /** Adds updates, all or none. */
  append(updates: readonly Uint8Array[]): Promise<void>
  /**
   * Puts one update in the place of all that was read or written since `open`, in one step. What others have written
   * meanwhile (another tab) stays.
   */
  replace(update: Uint8Array): Promise<void>
  close(): Promise<void>
}
