import type { DocumentId } from '@weft/protocol'

/** One stored update. */
export interface LogEntry {
  /** Position in its document's log: 1, 2, 3 …, dense, never reused. */
  readonly seq: number
  /** Yjs update, v1, exactly the bytes that were appended. */
  readonly update: Uint8Array
  /** When it was committed: ms since the epoch, as the caller gave it. */
  readonly time: number
}

/** What one document gets in a commit. */
export interface Append {
  readonly documentId: DocumentId
  /** The head that the caller knows (0: nobody ever wrote); the updates become `after + 1`, `after + 2` … */
  readonly after: number
  /** At least one; Yjs updates, v1; not changed, and not kept after the promise settles. */
  readonly updates: readonly Uint8Array[]
  /** ms since the epoch. */
  readonly time: number
}

/** A document as far as a room needs it: everything but the snapshot's bytes. */
export interface OpenedDocument {
  /** `seq` of the last entry; 0: nobody ever wrote. */
  readonly head: number
  /** The snapshot holds all entries up to this one; 0: no snapshot. */
  readonly snapshotSeq: number
  /** Size of the snapshot in bytes; 0: no snapshot. */
  readonly snapshotBytes: number
  /** Encoded `Knowledge` at `snapshotSeq`; null: no snapshot. */
  readonly knowledge: Uint8Array | null
  /**
   * Entries with `seq > keptAfter` are stored; `keptAfter <= snapshotSeq`, except in a document that was deleted and revived:
   * it has no snapshot, was empty at `keptAfter`, and goes on from there.
   */
  readonly keptAfter: number
  /** State vector at `keptAfter` (Yjs' encoding); null: no snapshot. */
  readonly keptStateVector: Uint8Array | null
  /** All stored entries, ascending: the kept stretch, then the tail. Dense: `keptAfter + 1 … head`. */
  readonly entries: readonly LogEntry[]
  /** Tombstone: when the document was deleted (ms since the epoch); null: it was not. */
  readonly deletedAt: number | null
}

/** A document with its snapshot. */
export interface StoredDocument extends OpenedDocument {
  /** Yjs update, v1, that holds all entries up to `snapshotSeq`; null: no snapshot. */
  readonly snapshot: Uint8Array | null
}

/** A document with its name: all that a store elsewhere needs to have the same. */
export interface WholeDocument extends StoredDocument {
  readonly documentId: DocumentId
  /** Time of its first entry, ms since the epoch. */
  readonly createdAt: number
}

/** What can't be read whole. */
export interface DamagedDocument {
  /** Null: its name is lost, or it is several documents. */
  readonly documentId: DocumentId | null
  /** In words. */
  readonly damage: string
}

/** What replaces the beginning of a document's log. */
export interface Compaction {
  readonly documentId: DocumentId
  /** The snapshot holds all entries up to this one: at least the present one, at most the head. */
  readonly snapshotSeq: number
  /** Yjs update, v1; not changed, and not kept after the promise settles. */
  readonly snapshot: Uint8Array
  /** Encoded `Knowledge` of the snapshot. */
  readonly knowledge: Uint8Array
  /** Entries up to this one are deleted: at least the present one, at most `snapshotSeq`. */
  readonly keptAfter: number
  /** State vector at `keptAfter`, Yjs' encoding. */
  readonly keptStateVector: Uint8Array
}

/** Which documents to list. */
export interface ListOptions {
  /** Only names that begin so. */
  readonly prefix?: string
  /** Only names after this one: where an earlier listing ended. */
  readonly after?: DocumentId
  /** At most so many. Default: all. */
  readonly limit?: number
  /** Deleted ones too. Default false. */
  readonly deleted?: boolean
}

/** One document in a list. */
export interface ListedDocument {
  readonly documentId: DocumentId
  /** Time of its first entry, ms since the epoch. */
  readonly createdAt: number
  /** Tombstone, ms since the epoch; null: it was not deleted. */
  readonly deletedAt: number | null
}

/** Sizes for the metrics. */
export interface LogStats {
  /** All files of the store, in bytes. */
  readonly bytes: number
  /** Space left for the store, in bytes. */
  readonly freeBytes: number
}

/**
 * - `open`: reads and writes.
 * - `failed`: a write failed. Reads go on; every write is refused until `reopen` has succeeded.
 * - `closed`: neither.
 */
export type LogState = 'open' | 'failed' | 'closed'

/**
 * Ordered updates of many documents.
 *
 * - Order: writes take effect in call order (compactions at their end), and a read sees every write that had resolved when it was called.
 * - Durability: a resolved write survives loss of power.
 * - Atomicity: a write is stored whole, over all its documents, or not at all.
 * - One document's records are read in one consistent view, even while it is appended to or compacted.
 * - A failed read is never an empty document: it rejects.
 *
 * Every method rejects with a `WeftError`:
 * - reads: `DOCUMENT_DAMAGED` (names document and seq; from then on writes to that document are refused with the same code),
 *   `STORAGE_READ_FAILED`, `STORE_CLOSED`;
 * - writes: `STORAGE_WRITE_FAILED` (nothing stored, trying again after `reopen` is safe; a compaction or deletion may turn out
 *   to be done after all, whole), `STORE_CLOSED`, and those named at each.
 */
export interface UpdateLog {
  readonly state: LogState

  /**
   * Adds updates at the ends of the logs of one or more documents (each at most once per batch): one atomic, durable write.
   * A batch in which one document is refused stores nothing for any; the error's `documentId` says which one it was.
   * @throws {WeftError} `HEAD_MOVED`: `after` is not the head; `DOCUMENT_DELETED`: it has a tombstone (see `revive`);
   * `DOCUMENT_DAMAGED`.
   * @throws {RangeError} no update, an empty update, a document twice, a time or name that can't be stored.
   */
  append(batch: readonly Append[]): Promise<void>

  /** One consistent read. Creates nothing: a document that nobody has written has `head` 0 and no entries. */
  open(documentId: DocumentId): Promise<OpenedDocument>

  /** The same with the snapshot's bytes, in one view. */
  read(documentId: DocumentId): Promise<StoredDocument>

  /**
   * What can be read of a damaged document: its snapshot and the entries after it up to the last sound one, as a document that
   * ends there (`keptAfter` is the snapshot's position, `keptStateVector` null). Null: nothing.
   */
  readRemains(documentId: DocumentId): Promise<StoredDocument | null>

  /** Documents that were found damaged since the log was opened. */
  readonly damagedCount: number

  /** The entries with `seq > after`, or null where compaction has taken some of them (`after < keptAfter`). */
  readFrom(documentId: DocumentId, after: number): Promise<LogEntry[] | null>

  /**
   * Puts snapshot and knowledge, and deletes the entries up to `keptAfter`, at once for every reader. Others' writes don't wait
   * for a large snapshot.
   * @throws {WeftError} `HEAD_MOVED`: positions that don't fit the log (a later compaction, or a deletion, came first);
   * `DOCUMENT_DELETED`, `DOCUMENT_DAMAGED`.
   */
  compact(compaction: Compaction): Promise<void>

  /**
   * Leaves a tombstone, and keeps what is stored until it is deleted: nothing can be written, and `revive` brings all of it back.
   * Of a document that nobody has written, or that has a tombstone already: nothing happens.
   * @throws {WeftError} `DOCUMENT_DAMAGED`
   * @param time ms since the epoch.
   */
  bin(documentId: DocumentId, time: number): Promise<void>

  /**
   * Deletes all that is stored of a document and leaves a tombstone with its head, in one write.
   * Of a document that nobody has written, or that is deleted already: nothing happens. One in the bin keeps its tombstone's time.
   * A damaged one goes, too: what is written to it afterwards is whole.
   * @param time ms since the epoch.
   */
  delete(documentId: DocumentId, time: number): Promise<void>

  /**
   * Takes a tombstone away: the document is what it was in the bin; if it was deleted, it is empty, and goes on after its old
   * head. Without a tombstone: nothing happens.
   */
  revive(documentId: DocumentId): Promise<void>

  /** The documents, ordered by the UTF-8 bytes of their names. Not one view: what is written meanwhile may show or not. */
  list(options?: ListOptions): AsyncIterable<ListedDocument>

  /**
   * Everything that is stored, deleted documents too, as it was at the moment when the first one is asked for; by name. Writes
   * go on meanwhile, and don't show. What is damaged comes as that, and holds up nothing else.
   * Whoever stops early must say so (`return`): until then, what is deleted or compacted keeps its space.
   */
  documents(): AsyncIterable<WholeDocument | DamagedDocument>

  /**
   * Gives the space of what compactions and deletions left back to the file system. Slow (rewrites files): call it when idle.
   * While somebody reads all `documents`, it leaves that for the next call.
   */
  reclaim(): Promise<void>

  /** Whether a write would find a healthy place now: tries a small one of its own, outside of the log. */
  isWritable(): Promise<boolean>

  /**
   * After a failed write: makes the log writable again. What the failed write had left behind is taken away.
   * In state `open`: nothing happens. Rejects and stays `failed` where it still can't be written to; reads go on meanwhile.
   */
  reopen(): Promise<void>

  stats(): Promise<LogStats>

  /** Bytes that a document takes in the store, roughly, what is still in memory not counted. */
  approximateSize(documentId: DocumentId): Promise<number>

  /** Waits for what is under way, refuses what comes later. A second call waits for the first. */
  close(): Promise<void>
}

/** Whether anything is stored of a document beside a tombstone. */
export function holdsContent({
  head,
  snapshotSeq,
  keptAfter,
}: Pick<OpenedDocument, 'head' | 'snapshotSeq' | 'keptAfter'>): boolean {
  return snapshotSeq > 0 || head > keptAfter
}
