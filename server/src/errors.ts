import type { DocumentId } from '@weft/protocol'

/**
 * Every error code of ours, once: a condition that someone can act on.
 * (A caller's mistake is a `TypeError` or `RangeError` without a code; what a client is told is a close code of `@weft/protocol`.)
 * `retry`: whether the same call may succeed later without anybody's doing.
 */
export const errorCodes = {
  STORE_LOCKED: { meaning: 'another process holds the data folder', retry: false },
  STORE_MISSING: { meaning: 'there is no store at this place, and none was to be created', retry: false },
  STORE_FOREIGN: { meaning: 'the data folder holds something that is not a store of ours', retry: false },
  STORE_DAMAGED: { meaning: 'files of the store are missing or damaged', retry: false },
  STORE_TOO_NEW: { meaning: 'the store was written by a newer version', retry: false },
  STORE_UNWRITABLE: { meaning: 'the data folder cannot be written to', retry: false },
  STORE_CLOSED: { meaning: 'the store is not open (yet, or any more)', retry: false },
  STORAGE_READ_FAILED: { meaning: 'the store could not be read', retry: true },
  STORAGE_WRITE_FAILED: { meaning: 'a write failed, nothing of it was stored', retry: true },
  DOCUMENT_DAMAGED: { meaning: 'stored records of a document are missing or damaged', retry: false },
  DOCUMENT_DELETED: { meaning: 'the document was deleted', retry: false },
  DOCUMENT_FULL: { meaning: 'a document is at its size limit', retry: false },
  HEAD_MOVED: { meaning: 'the head of a document is not where the writer believes it to be', retry: false },
  WORKER_FAILED: { meaning: 'a worker thread ended or ran out of memory during a task', retry: true },
  WORKER_BUSY: { meaning: 'the queue of the worker threads is full', retry: true },
  SHARE_USED: { meaning: 'one user has as many requests waiting as one may', retry: true },
  WORKER_STOPPED: { meaning: 'the worker threads are stopped', retry: false },
  OVERLOADED: { meaning: 'there is no memory for more documents now', retry: true },
  DOCUMENT_INCOMPLETE: { meaning: 'a log names operations that it does not hold', retry: false },
  BACKUP_FOREIGN: { meaning: 'this is no backup of ours', retry: false },
  BACKUP_DAMAGED: { meaning: 'a backup is damaged or was cut short', retry: false },
  BACKUP_TOO_NEW: { meaning: 'a backup was written by a newer version', retry: false },
} as const satisfies Record<string, { meaning: string; retry: boolean }>

export type ErrorCode = keyof typeof errorCodes

export interface WeftErrorOptions {
  /** What was caught. */
  readonly cause?: unknown
  /** The document it is about, where it is about one. */
  readonly documentId?: DocumentId
  /** The position in that document's log, where there is one. */
  readonly seq?: number
}

/** An error that someone can act on: told apart by `code`, explained by its message, never by its class. */
export class WeftError extends Error {
  override readonly name = 'WeftError'
  readonly code: ErrorCode
  readonly documentId: DocumentId | undefined
  readonly seq: number | undefined

  constructor(code: ErrorCode, message: string, options: WeftErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.documentId = options.documentId
    this.seq = options.seq
  }

  /** Whether the same call may succeed later without anybody's doing. */
  get retry(): boolean {
    return errorCodes[this.code].retry
  }
}
