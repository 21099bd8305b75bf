import type { LogEntry, StoredDocument } from '../log/UpdateLog.ts'
import type { StoredLog } from '../worker/Workshop.ts'
import { encodeUpdateFrame } from './encodeFrame.ts'
import { MAX_RUN_UPDATES, mergeRuns } from './PendingBatch.ts'

/** What a session that is behind gets next. */
export interface Piece {
  /** Frames with updates. */
  readonly frames: Buffer
  /** The position that it brings its reader to. */
  readonly position: number
  /** Held once for all readers. */
  readonly isShared: boolean
}

/**
 * A document's stored bytes as frames, while somebody joins it or catches up: no document is built, no byte parsed.
 *
 * ```
 * seq   keptAfter      snapshotSeq                    head
 *           |  kept stretch  |  run of 100 | run | open |
 *           |== snapshot ====|
 * ```
 * The tail leaves in runs of at most 100 entries, each merged once and kept as a frame.
 */
export class StoredBytes {
  readonly #keptAfter: number
  readonly #snapshotSeq: number
  /** The entries from `keptAfter + 1` on. */
  readonly #entries: Uint8Array[]
  readonly #runs = new Map<number, Piece>()
  #snapshot: Uint8Array | null
  /** Once it is made, the snapshot is held inside of its frame only. */
  #snapshotFrame: Buffer | null = null
  #snapshotLength = 0
  #byteLength: number

  constructor(
    stored: Pick<StoredDocument, 'keptAfter' | 'snapshotSeq' | 'snapshot'> & { entries: readonly LogEntry[] },
  ) {
    this.#keptAfter = stored.keptAfter
    this.#snapshotSeq = stored.snapshotSeq
    this.#snapshot = stored.snapshot
    this.#entries = stored.entries.map(entry => entry.update)
    this.#byteLength = stored.snapshot?.length ?? 0
    for (const update of this.#entries) this.#byteLength += update.length
  }

  /** Bytes of the snapshot and all entries here; 1 more, so that an empty document holds something, too. */
  get byteLength(): number {
    return this.#byteLength + 1
  }

  /** The last entry that is here. */
  get head(): number {
    return this.#keptAfter + this.#entries.length
  }

  get snapshotSeq(): number {
    return this.#snapshotSeq
  }

  /** The snapshot's update; null where there is none. */
  get snapshot(): Uint8Array | null {
    if (this.#snapshot !== null) return this.#snapshot
    const frame = this.#snapshotFrame
    return frame === null ? null : frame.subarray(frame.length - this.#snapshotLength)
  }

  /** Takes in what was committed after `after`; what it has already (a read may see a commit before we are told) it skips. */
  append(after: number, updates: readonly Uint8Array[]): void {
    for (const update of updates.slice(this.head - after)) {
      this.#entries.push(update)
      this.#byteLength += update.length
    }
  }

  /** Snapshot and tail: all that is here, for a worker. */
  get storedLog(): StoredLog {
    return { snapshot: this.snapshot, updates: this.updatesAfter(this.#snapshotSeq) }
  }

  /** The entries after a position; for a worker. A document that was begun anew has its first one after others' numbers. */
  updatesAfter(position: number): Uint8Array[] {
    return this.#entries.slice(Math.max(0, position - this.#keptAfter))
  }

  /** The next piece for a reader at `position`; null at the head. */
  next(position: number): Piece | null {
    if (position >= this.head) return null
    // From 0 the snapshot is the shortest way; behind the kept stretch it is the only one.
    if (position < this.#snapshotSeq && (position === 0 || position < this.#keptAfter)) {
      return { frames: this.#encodeSnapshot(), position: this.#snapshotSeq, isShared: true }
    }
    // A document that was deleted and begun anew goes on at its old head, without a snapshot.
    return this.#run(Math.max(position, this.#keptAfter))
  }

  #encodeSnapshot(): Buffer {
    if (this.#snapshotFrame === null) {
      if (this.#snapshot === null) throw new RangeError('a document with a snapshot position has no snapshot')
      this.#snapshotLength = this.#snapshot.length
      this.#snapshotFrame = encodeUpdateFrame(this.#snapshot)
      this.#snapshot = null
    }
    return this.#snapshotFrame
  }

  #run(position: number): Piece {
    // Runs begin at fixed places, so that readers share them; one who stands inside a run gets its rest by itself.
    const index = Math.floor((position - this.#snapshotSeq) / MAX_RUN_UPDATES)
    const start = this.#snapshotSeq + index * MAX_RUN_UPDATES
    const end = Math.min(start + MAX_RUN_UPDATES, this.head)
    const isWhole = start === position
    const cached = isWhole ? this.#runs.get(start) : undefined
    if (cached !== undefined && cached.position === end) return cached
    const updates = this.#entries.slice(position - this.#keptAfter, end - this.#keptAfter)
    const frames = Buffer.concat(mergeRuns(updates).map(encodeUpdateFrame))
    const piece = { frames, position: end, isShared: isWhole && end === start + MAX_RUN_UPDATES }
    if (isWhole) this.#runs.set(start, piece)
    return piece
  }
}
