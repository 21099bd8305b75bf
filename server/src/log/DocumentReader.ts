import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import type { DocumentRows } from './DocumentRows.ts'
import { damageError, decodeEntries, decodeWitnesses, readRecords, readRemains, type Scan } from './documentRecords.ts'
import {
  type DocumentKey,
  type DocumentRow,
  documentKey,
  documentRange,
  nameKey,
  recordKey,
  recordKind,
  rowKey,
} from './levelRecord.ts'
import type { ReopenableStore } from './ReopenableStore.ts'
import type { LogEntry, StoredDocument } from './UpdateLog.ts'

type ReadByRow<T> = (key: DocumentKey, row: DocumentRow | null) => Promise<T | WeftError>

/** Reads documents of a log against their witnesses, while others write ([L2] of `LevelUpdateLog`). */
export class DocumentReader {
  readonly #store: ReopenableStore
  readonly #rows: DocumentRows

  constructor(store: ReopenableStore, rows: DocumentRows) {
    this.#store = store
    this.#rows = rows
  }

  /** @throws {WeftError} as `UpdateLog.read` */
  read(documentId: DocumentId, withSnapshot: boolean): Promise<StoredDocument> {
    const scan: Scan = async (gte, lt) => {
      await this.#store.untilReopened()
      return this.#store.level.scan(gte, lt)
    }
    return this.#readWitnessed(documentId, (key, row) => readRecords(key, row, scan, withSnapshot))
  }

  /** As `UpdateLog.readFrom`. */
  readFrom(documentId: DocumentId, after: number): Promise<LogEntry[] | null> {
    return this.#readWitnessed(documentId, async (key, row) => {
      if (row === null) {
        const [first] = await this.#store.level.scan(...documentRange(key.hash), 1)
        return first === undefined ? [] : damageError(key, 0, 'its row is missing, other records are there')
      }
      if (after < row.keptAfter) return null
      const from = recordKey(key.hash, recordKind.entry, after + 1)
      const records = await this.#store.level.scan(from, recordKey(key.hash, recordKind.compaction, 0))
      return decodeEntries(key, records, Math.min(after, row.head), row.head)
    })
  }

  /** As `UpdateLog.readRemains`. */
  async readRemains(documentId: DocumentId): Promise<StoredDocument | null> {
    await this.#store.readable()
    const key = documentKey(documentId)
    const reading = (async () => {
      const { level } = this.#store
      const [row, name] = await level.get([rowKey(key.hash), nameKey(key.name)])
      return readRemains(key, row, name, (gte, lt) => this.#store.level.scan(gte, lt))
    })()
    return this.#store.reading(reading)
  }

  /**
   * Reads a document by its row. They are two views, and a write may come between them: then the row is another one
   * afterwards, and all is read again; else what doesn't fit is damage. [L2]
   */
  async #readWitnessed<T>(documentId: DocumentId, read: ReadByRow<T>): Promise<T> {
    const key = documentKey(documentId)
    if (this.#store.isClosing) throw this.#store.closedError()
    return this.#store.reading(this.#readSteps(key, read))
  }

  async #readSteps<T>(key: DocumentKey, read: ReadByRow<T>): Promise<T> {
    const readRow = async (): Promise<DocumentRow | null | WeftError> => {
      await this.#store.untilReopened()
      const known = this.#rows.known(key.documentId)?.revision ?? 0
      const [row, name] = await this.#store.level.get([rowKey(key.hash), nameKey(key.name)])
      return decodeWitnesses(key, row, name, known)
    }
    let row = await readRow()
    for (;;) {
      if (row instanceof WeftError) throw this.#rows.markDamaged(row)
      await this.#store.untilReopened()
      const found = await read(key, row)
      if (!(found instanceof WeftError)) return found
      const now = await readRow()
      if (!(now instanceof WeftError) && now?.revision === row?.revision) throw this.#rows.markDamaged(found)
      row = now
    }
  }
}
