import type { WeftDocument } from '@weft/client'
import { type ClockRange, restoreInserts } from '@weft/schema'
import * as Y from 'yjs'
import { canTake, joinChanges } from './SyncBase.ts'
import type { SyncRecord, SyncState, SyncVersion, UnsavedChange } from './SyncState.ts'

/** How long after the server has a change somebody may still write who hasn't got it, in ms. */
const UNSEEN_MS = 300
const CLOSE_TIMEOUT_MS = 10_000

/** What is to be told of a document and its file. */
export interface SyncTeller {
  problem(message: string): void
  note(message: string): void
}

/**
 * A document, with the record of what it and its file had in common: takes the file's changes so that a killed process makes
 * none twice and loses none.
 */
export class SyncedDocument {
  readonly document: WeftDocument
  readonly #state: SyncState
  readonly #teller: SyncTeller
  #record: SyncRecord | null
  /** What others may not have seen yet. */
  #unseen: readonly ClockRange[] = []
  #isClosed = false

  constructor(document: WeftDocument, state: SyncState, teller: SyncTeller) {
    this.document = document
    this.#state = state
    this.#teller = teller
    this.#record = state.read()
    this.#takeUnsaved()
    document.ydoc.on('update', this.#updated)
  }

  get record(): SyncRecord | null {
    return this.#record
  }

  get newest(): SyncVersion | undefined {
    return this.#record?.versions[0]
  }

  /** On the disk when it returns. */
  write(record: SyncRecord): void {
    this.#state.write(record)
    this.#record = record
  }

  /** For this process; a later one can do without. */
  remember(record: SyncRecord | null): void {
    this.#record = record
  }

  /**
   * Records, then edits the document.
   * @param change null: nothing is to be edited
   */
  apply(record: Omit<SyncRecord, 'unsaved'>, change: UnsavedChange | null): void {
    this.write({ ...record, unsaved: joinChanges(this.#record?.unsaved ?? null, change) })
    if (change !== null) this.#edit(change)
  }

  /** Waits until the server has all, 10 s at most, and closes the document. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.document.ydoc.off('update', this.#updated)
    try {
      await this.document.close({ timeoutMs: CLOSE_TIMEOUT_MS })
      this.#setSaved()
    } catch (error) {
      this.#teller.note(`${messageOf(error)}; the next run brings it`)
      await this.document.close({ saved: false })
    }
    this.#state.unlock()
  }

  readonly #updated = (_update: Uint8Array, origin: unknown) => {
    if (origin !== this && this.#unseen.length > 0) queueMicrotask(() => this.#restore())
  }

  #edit({ update, written }: UnsavedChange): void {
    this.#unseen = [...this.#unseen, ...written]
    Y.applyUpdate(this.document.ydoc, update, this)
    const unsaved = this.#record?.unsaved
    this.document.saved().then(
      () => {
        if (this.#isClosed) return
        if (this.#record?.unsaved === unsaved) this.#setSaved()
        setTimeout(() => {
          this.#unseen = this.#unseen.filter(range => !written.includes(range))
        }, UNSEEN_MS).unref()
      },
      error => {
        if (!this.#isClosed) this.#teller.problem(messageOf(error))
      },
    )
  }

  #setSaved(): void {
    if (this.#record !== null && this.#record.unsaved !== null) this.write({ ...this.#record, unsaved: null })
  }

  /** Somebody has deleted what holds a change of the file that they can't have seen yet: it is put back. */
  #restore(): void {
    const { newest } = this
    if (this.#isClosed || this.#record === null || newest === undefined || this.#unseen.length === 0) return
    const update = restoreInserts(this.document.ydoc, newest.state, this.#unseen)
    if (update === null) return
    // Once.
    this.#unseen = []
    this.apply(this.#record, { update, written: [] })
    this.#teller.note('somebody deleted what the file has just changed: it is kept')
  }

  /** What an earlier run took in and the server may not have. */
  #takeUnsaved(): void {
    const unsaved = this.#record?.unsaved ?? null
    if (unsaved === null || !canTake(this.document.ydoc, unsaved.update)) return
    this.#edit(unsaved)
    this.#restore()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
