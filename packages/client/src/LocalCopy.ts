import * as Y from 'yjs'
import { asError, StoreError } from './errors.ts'
import type { LocalStore } from './LocalStore.ts'
import { backOff, type Pauses } from './retryDelay.ts'
import type { SaveTracker } from './SaveTracker.ts'
import { withinTime } from './withinTime.ts'

/** Longest wait for a store that opens (or closes) before the document goes on without it, in ms. */
const STORE_TIMEOUT_MS = 3_000

/**
 * Shortest pause between two writes that nobody waits for, in ms. A write costs a flush of the disk, measured 0.7 to 20 ms: with
 * this, somebody who types fast costs at most five of them a second and not one for each key.
 */
const WRITE_PAUSE_MS = 200

/** Before a store is opened again after it failed. */
const REOPEN: Pauses = { firstMs: 1_000, longestMs: 60_000 }

/**
 * When what is stored is written anew as one update: many rows are slow to read (500 take 5 to 10 ms to apply). Rows and bytes
 * may grow with the document, so that an edit costs the same however large that is.
 */
const TAIL = { rows: 500, snapshotBytesPerRow: 2_048, bytes: 256 << 10 }

/** What a copy needs to know of its document, and tells it. */
export interface LocalCopyHost {
  /** Local edits so far. */
  readonly edits: Pick<SaveTracker, 'version'>
  /** The store has brought content. */
  loaded(): void
  /** Everything up to `version` is kept on this device. */
  kept(version: number): void
  /** The store can't be used, or (`undefined`) can again. */
  storeChanged(error: Error | undefined): void
}

/**
 * The copy of a document on this device: reads the store into the `Y.Doc`, and writes what changes.
 *
 * ```
 *   shut ──open──► open ──write fails, store lost──► shut ──pause──► open …
 *     └── not all could be read ──► damaged
 * ```
 * [L1] What is told as kept is in the store. Updates are written in the order in which they came, so that no kept edit
 *      lacks what it builds upon.
 * [L2] Opening compares: what the `Y.Doc` has and the store lacks is written; nothing else is. So the first opening, one
 *      after a failure and one of a store that somebody emptied are the same.
 * [L3] A damaged store is left as it is. What could be read of it is in the `Y.Doc`, and goes to the server.
 * [L4] A snapshot replaces only what this copy has read into the `Y.Doc` or written from it.
 */
export class LocalCopy {
  readonly #store: LocalStore
  readonly #ydoc: Y.Doc
  readonly #host: LocalCopyHost
  #state: 'shut' | 'open' | 'damaged' | 'closed' = 'shut'
  #error: Error | undefined
  #queue: Uint8Array[] = []
  #queuedBytes = 0
  /** Of what is stored: the tail is all but the largest row. */
  #stored = { rows: 0, bytes: 0, snapshotBytes: 0 }
  #failureCount = 0
  #running: Promise<void> | undefined
  /** What runs has not ended within `STORE_TIMEOUT_MS`. */
  #isHanging = false
  /** The store has gone away by itself, and that is still to be dealt with. */
  #lossToTell: StoreError | undefined
  #isDue = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosing = false

  constructor(store: LocalStore, ydoc: Y.Doc, host: LocalCopyHost) {
    this.#store = store
    this.#ydoc = ydoc
    this.#host = host
  }

  /** Why the store can't be used at present. */
  get error(): Error | undefined {
    return this.#error
  }

  /** Resolves when the store's content is in the `Y.Doc`, or when it is clear that it isn't coming soon. Never rejects. */
  async open(): Promise<void> {
    // A page that is hidden may never run again.
    globalThis.addEventListener?.('visibilitychange', this.#hidden)
    globalThis.addEventListener?.('pagehide', this.#hidden)
    await withinTimeout(this.#run()).catch(error => {
      this.#isHanging = true
      this.#setError(error)
    })
  }

  /** The `Y.Doc` has changed, by anyone but this copy. */
  add(update: Uint8Array): void {
    // A store that isn't open is compared with the `Y.Doc` when it is opened. [L2]
    if (this.#state !== 'open') return
    this.#queue.push(update)
    this.#queuedBytes += update.length
    if (this.#timer === undefined) this.#runSoon()
  }

  /**
   * Resolves when all that the `Y.Doc` holds is kept on this device. Tries again at once where the store had failed.
   * @throws what the store says.
   */
  async flush(): Promise<void> {
    // It may answer yet. Until then nothing is kept, and nobody knows when that will be.
    if (this.#isHanging && this.#error !== undefined) throw this.#error
    // What is under way may have begun before the last edit; what begins after it has not.
    await this.#running
    await this.#run()
    if (this.#error !== undefined) throw this.#error
  }

  /** Writes what is left and releases the store. Never rejects. */
  async close(): Promise<void> {
    this.#isClosing = true
    clearTimeout(this.#timer)
    globalThis.removeEventListener?.('visibilitychange', this.#hidden)
    globalThis.removeEventListener?.('pagehide', this.#hidden)
    const finished = this.#finish()
    // It goes on by itself, and nobody need wait for it again.
    if (this.#isHanging) return
    await withinTimeout(finished).catch(error => this.#setError(error))
  }

  async #finish(): Promise<void> {
    await this.#running
    await this.#run()
    const isOpen = this.#state === 'open'
    this.#state = 'closed'
    // All that counts is written, or `error` says that it isn't.
    if (isOpen) await this.#store.close().catch(error => this.#setError(error))
  }

  readonly #hidden = (): void => {
    if (this.#queue.length > 0) void this.#run()
  }

  /** Opens the store if it isn't, and writes what there is to write: one after the other, and one of it at a time. */
  #run(): Promise<void> {
    this.#running ??= this.#work().finally(() => this.#ran())
    return this.#running
  }

  #ran(): void {
    this.#running = undefined
    this.#isHanging = false
    // What came while it ended.
    if (this.#lossToTell !== undefined || (this.#queue.length > 0 && this.#timer === undefined)) this.#runSoon()
  }

  /** One write for all edits of one turn of the event loop. What runs now looks again when it ends. */
  #runSoon(): void {
    if (this.#running !== undefined || this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      void this.#run()
    })
  }

  async #work(): Promise<void> {
    if (this.#state === 'damaged' || this.#state === 'closed') return
    clearTimeout(this.#timer)
    this.#timer = undefined
    try {
      this.#throwLoss()
      if (this.#state === 'shut') await this.#load()
      if (this.#state === 'open') await this.#write()
    } catch (error) {
      await this.#fail(asError(error))
    }
  }

  async #load(): Promise<void> {
    const { updates, damage } = await this.#store.open(error => {
      this.#lossToTell = error
      this.#runSoon()
    })
    // From here to the end of comparing nothing is awaited: what changes meanwhile is queued behind it.
    const before = this.#ydoc.store.clients.size > 0 ? Y.encodeStateAsUpdate(this.#ydoc) : null
    this.#state = 'open'
    this.#stored = { rows: 0, bytes: 0, snapshotBytes: 0 }
    for (const update of updates) this.#count(update)
    // A document that is being closed gets no content any more; what it has is still written.
    const broken = this.#isClosing ? 0 : this.#apply(updates)
    if (!this.#isClosing && updates.length > 0 && this.#ydoc.store.clients.size > 0) this.#host.loaded()
    if (damage !== null || broken > 0) {
      const what = damage ?? `${broken} of ${updates.length} stored updates are no Yjs updates`
      throw new StoreError('damaged', `the local store is damaged: ${what}`)
    }
    // Before what was queued by observers of the store's content, which may build upon it.
    if (before !== null) this.#queue.unshift(...missing(updates, before))
  }

  #throwLoss(): void {
    const loss = this.#lossToTell
    this.#lossToTell = undefined
    if (loss !== undefined && this.#state === 'open') throw loss
  }

  /** @returns how many of them could not be applied. */
  #apply(updates: readonly Uint8Array[]): number {
    let broken = 0
    if (updates.length === 0) return broken
    this.#ydoc.transact(() => {
      for (const update of updates) {
        try {
          Y.applyUpdate(this.#ydoc, update, this)
        } catch {
          broken++
        }
      }
    }, this)
    return broken
  }

  async #write(): Promise<void> {
    const { version } = this.#host.edits
    const queue = this.#queue
    let isWritten = true
    if (this.#isTailLong()) {
      this.#drop()
      // Holds the queue too, and what waits for its predecessor (Yjs's pending structs).
      const snapshot = Y.encodeStateAsUpdate(this.#ydoc)
      await this.#store.replace(snapshot)
      this.#stored = { rows: 0, bytes: 0, snapshotBytes: 0 }
      this.#count(snapshot)
    } else if (queue.length > 0) {
      this.#drop()
      await this.#store.append(queue)
      for (const update of queue) this.#count(update)
    } else {
      isWritten = false
    }
    this.#failureCount = 0
    this.#setError(undefined)
    this.#host.kept(version)
    if (isWritten && !this.#isClosing) this.#timer = setTimeout(() => this.#pauseOver(), WRITE_PAUSE_MS)
  }

  #pauseOver(): void {
    this.#timer = undefined
    if (this.#queue.length > 0) void this.#run()
  }

  async #fail(error: Error): Promise<void> {
    const isDamaged = error instanceof StoreError && error.code === 'damaged'
    this.#state = isDamaged ? 'damaged' : 'shut'
    this.#drop()
    this.#failureCount++
    this.#setError(error)
    if (!this.#isClosing && !isDamaged) {
      clearTimeout(this.#timer)
      // Nobody else waits for this store: the pauses need not differ.
      const pause = backOff(REOPEN, this.#failureCount, () => 1)
      this.#timer = setTimeout(() => void this.#run(), pause)
    }
    // That it failed is told already.
    await this.#store.close().catch(() => {})
  }

  #isTailLong(): boolean {
    // Closing is to be quick; and a closing document may not have got what is stored. [L4]
    if (this.#isClosing) return false
    const { rows, bytes, snapshotBytes } = this.#stored
    return (
      rows + this.#queue.length > TAIL.rows + snapshotBytes / TAIL.snapshotBytesPerRow ||
      bytes - snapshotBytes + this.#queuedBytes > TAIL.bytes + snapshotBytes
    )
  }

  #count(update: Uint8Array): void {
    this.#stored.rows++
    this.#stored.bytes += update.length
    this.#stored.snapshotBytes = Math.max(this.#stored.snapshotBytes, update.length)
  }

  #drop(): void {
    this.#queue = []
    this.#queuedBytes = 0
  }

  #setError(error: Error | undefined): void {
    if (this.#error === error) return
    this.#error = error
    this.#host.storeChanged(error)
  }
}

/** What `state` has and the stored updates don't, as updates; none where nothing is missing. */
function missing(stored: readonly Uint8Array[], state: Uint8Array): Uint8Array[] {
  // A document tells exactly what an update brought it, deletions too, which a state vector doesn't. Without garbage
  // collection, since the user's document may be without.
  const replica = new Y.Doc({ gc: false })
  for (const update of stored) Y.applyUpdate(replica, update)
  const found: Uint8Array[] = []
  replica.on('update', update => found.push(update))
  Y.applyUpdate(replica, state)
  replica.destroy()
  return found
}

function withinTimeout(work: Promise<void>): Promise<void> {
  const late = () => new StoreError('unavailable', `the local store does not answer for ${STORE_TIMEOUT_MS} ms`)
  return withinTime(work, STORE_TIMEOUT_MS, late)
}
