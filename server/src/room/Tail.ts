import { covers, readStateVector, type StateVector } from '../crdt/stateVector.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import type { StoredDocument } from '../log/UpdateLog.ts'

/** Entries between two remembered state vectors: a client that was away gets at most so many entries too many. */
const CHECKPOINT_ENTRIES = 64
/** Clients in all state vectors that are remembered of one document, beside its oldest and its newest: about 6 MB. */
const MAX_CHECKPOINT_CLIENTS = 100_000
/** Few but large entries are tidied beyond so many bytes. */
const TIDY_BYTES = 64 * 1024
/** What was committed before a snapshot stays for so long, for those who were away. */
const KEPT_MS = 10 * 60_000

/** A place in the log whose state vector is known: whoever has at least that needs only what follows. */
export interface Checkpoint {
  readonly seq: number
  readonly stateVector: StateVector
  /** Monotonic ms. */
  readonly at: number
  /** Bytes of all entries up to it, since the room was loaded. */
  readonly bytesBefore: number
}

export interface TailSettings {
  readonly tailBytes: number
  readonly tailEntries: number
}

/**
 * The outline of a document's log: where its snapshot and its head are, how much lies between, and at which places the
 * state vector is known. Decides when the log is worth compacting, and how much of it stays.
 *
 * ```
 * keptAfter        snapshotSeq              head
 *     |  kept stretch   |        tail         |
 *     c     c     c     c     c     c     c   |      c: checkpoints
 * ```
 */
export class Tail {
  readonly #settings: TailSettings
  #head: number
  #snapshotSeq: number
  #snapshotBytes: number
  #keptAfter: number
  #bytes = 0
  #writtenBytes = 0
  #checkpoints: Checkpoint[]

  /** @param now monotonic ms */
  constructor(stored: StoredDocument, settings: TailSettings, now: number) {
    this.#settings = settings
    this.#head = stored.head
    this.#snapshotSeq = stored.snapshotSeq
    this.#snapshotBytes = stored.snapshotBytes
    this.#keptAfter = stored.keptAfter
    const stateVector = stored.keptStateVector === null ? new Map() : readStateVector(stored.keptStateVector, NO_LIMITS)
    this.#checkpoints = [{ seq: stored.keptAfter, stateVector, at: now, bytesBefore: 0 }]
    for (const { seq, update } of stored.entries) {
      this.#writtenBytes += update.length
      if (seq > stored.snapshotSeq) this.#bytes += update.length
    }
  }

  /** The last entry that is on disk. */
  get head(): number {
    return this.#head
  }

  /** Bytes of the entries after the snapshot. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes of the document as it is stored, but for what is kept beside its snapshot. */
  get documentBytes(): number {
    return this.#snapshotBytes + this.#bytes
  }

  /** Whether the state vector is worth remembering when so many more entries are committed. */
  wantsCheckpoint(entryCount: number): boolean {
    return this.#head + entryCount - (this.#checkpoints.at(-1)?.seq ?? 0) >= CHECKPOINT_ENTRIES
  }

  /** Entries were committed. */
  append(updates: readonly Uint8Array[]): void {
    this.#head += updates.length
    for (const update of updates) {
      this.#bytes += update.length
      this.#writtenBytes += update.length
    }
  }

  /** Remembers the state vector at the head. @param now monotonic ms */
  checkpoint(stateVector: StateVector, now: number): void {
    if (this.#checkpoints.at(-1)?.seq === this.#head) this.#checkpoints.pop()
    this.#checkpoints.push({ seq: this.#head, stateVector, at: now, bytesBefore: this.#writtenBytes })
    // Whoever was away longer than to the second newest then gets more than needed, from the oldest on.
    while (this.#checkpoints.length > 2 && this.checkpointClients > MAX_CHECKPOINT_CLIENTS)
      this.#checkpoints.splice(1, 1)
  }

  /** Clients in all remembered state vectors. */
  get checkpointClients(): number {
    return this.#checkpoints.reduce((sum, { stateVector }) => sum + stateVector.size, 0)
  }

  /** The position of the last checkpoint that a state vector covers; null where it covers none. */
  positionFor(stateVector: StateVector): number | null {
    let low = 0
    let high = this.#checkpoints.length
    while (low < high) {
      const middle = (low + high) >> 1
      const checkpoint = this.#checkpoints[middle]
      if (checkpoint !== undefined && covers(stateVector, checkpoint.stateVector)) low = middle + 1
      else high = middle
    }
    return this.#checkpoints[low - 1]?.seq ?? null
  }

  /** Relative to the snapshot, so that the cost per edit stays the same however large the document is. */
  get isCompactionDue(): boolean {
    const { tailBytes, tailEntries } = this.#settings
    const maxEntries = Math.min(Math.max(tailEntries, this.#snapshotBytes / 1000), tailEntries * 10)
    return this.#bytes > Math.max(tailBytes, this.#snapshotBytes / 4) || this.#head - this.#snapshotSeq > maxEntries
  }

  /** A quiet document is tidied earlier: whoever opens it next reads a snapshot and little else. */
  get isTidyingDue(): boolean {
    const entries = this.#head - this.#snapshotSeq
    return (
      entries >= 200 ||
      (entries >= 50 && this.#bytes > this.#snapshotBytes / 10) ||
      this.#bytes > Math.max(TIDY_BYTES, this.#snapshotBytes / 2)
    )
  }

  /**
   * The oldest checkpoint from which entries are worth keeping beside a new snapshot: bounded in bytes and age.
   * @param now monotonic ms
   */
  keepFrom(snapshotSeq: number, snapshotBytes: number, now: number): Checkpoint {
    const maxBytes = Math.max(this.#settings.tailBytes / 4, snapshotBytes / 8)
    const upTo = this.#checkpoints.filter(checkpoint => checkpoint.seq <= snapshotSeq)
    const newest = upTo.at(-1)
    if (newest === undefined) throw new Error(`no state vector is known at or before ${snapshotSeq}`)
    const fits = (checkpoint: Checkpoint) =>
      checkpoint.seq >= this.#keptAfter &&
      now - checkpoint.at <= KEPT_MS &&
      newest.bytesBefore - checkpoint.bytesBefore <= maxBytes
    return upTo.find(fits) ?? newest
  }

  /** A snapshot took the place of what lies before `kept`. @param tailBytes bytes of the entries after the snapshot */
  compacted(snapshotSeq: number, snapshotBytes: number, kept: Checkpoint, tailBytes: number): void {
    this.#snapshotSeq = snapshotSeq
    this.#snapshotBytes = snapshotBytes
    this.#keptAfter = kept.seq
    this.#bytes = tailBytes
    this.#checkpoints = this.#checkpoints.filter(checkpoint => checkpoint.seq >= kept.seq)
  }
}
