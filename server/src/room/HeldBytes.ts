import type { DocumentId } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import type { StoredDocument, UpdateLog } from '../log/UpdateLog.ts'
import { type BytesCache, type BytesHolder, KEPT_MS } from './BytesCache.ts'
import { readForRoom } from './readForRoom.ts'
import { StoredBytes } from './StoredBytes.ts'

export interface HeldBytesSources {
  readonly documentId: DocumentId
  readonly log: Pick<UpdateLog, 'read' | 'readRemains'>
  readonly bytesCache: BytesCache
  readonly clock: Clock
  /** The last position of the log that the room knows of. */
  readonly head: () => number
  /** Whether they are in use. */
  readonly isNeeded: () => boolean
}

/** The stored bytes of an open document: held while somebody uses them, let go of when the cache says so, and read again. */
export class HeldBytes implements BytesHolder {
  readonly #sources: HeldBytesSources
  #bytes: StoredBytes | null
  #loading: Promise<StoredBytes> | null = null
  /** Commits while they are being read. */
  #missed: Uint8Array[] = []
  /** When they were let go of, monotonic ms. */
  #droppedAt = Number.NEGATIVE_INFINITY
  #isSought = false

  constructor(stored: StoredDocument, sources: HeldBytesSources) {
    this.#sources = sources
    this.#bytes = new StoredBytes(stored)
    sources.bytesCache.used(this)
  }

  /** Null: they must be loaded. */
  get now(): StoredBytes | null {
    return this.#bytes
  }

  get isSought(): boolean {
    return this.#isSought
  }

  get isLoading(): boolean {
    return this.#loading !== null
  }

  /** @throws {WeftError} `OVERLOADED`, and what `UpdateLog.read` throws */
  load(): Promise<StoredBytes> {
    if (this.#bytes !== null) {
      this.used()
      return Promise.resolve(this.#bytes)
    }
    this.#loading ??= this.#read().finally(() => {
      this.#loading = null
      this.#missed = []
    })
    return this.#loading
  }

  async #read(): Promise<StoredBytes> {
    const { documentId, log, bytesCache, head } = this.#sources
    const headBefore = head()
    this.#isSought = this.#sources.clock.now() - this.#droppedAt < KEPT_MS
    const { stored } = await bytesCache.load(() => readForRoom(log, documentId))
    const bytes = new StoredBytes(stored)
    // What was committed meanwhile is in the view that was read, or comes after it.
    bytes.append(headBefore, this.#missed)
    this.#bytes = bytes
    this.used()
    return bytes
  }

  /** These were committed after `after`. */
  append(after: number, updates: readonly Uint8Array[]): void {
    this.#bytes?.append(after, updates)
    if (this.#loading !== null) this.#missed.push(...updates)
  }

  /** A compaction wrote others in their place. */
  replace(bytes: () => StoredBytes): void {
    if (this.#bytes !== null) this.#bytes = bytes()
  }

  used(): void {
    this.#sources.bytesCache.used(this)
  }

  /** Somebody who was sent them needs them no more. */
  unused(): void {
    if (this.#bytes !== null) this.#sources.bytesCache.unused(this)
  }

  get heldBytes(): number {
    return this.#bytes?.byteLength ?? 0
  }

  dropBytes(): void {
    if (this.#bytes === null || this.#loading !== null || this.#sources.isNeeded()) return
    this.#bytes = null
    this.#droppedAt = this.#sources.clock.now()
  }
}
