import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { RecentMap } from '../RecentMap.ts'
import { decodeWitnesses } from './documentRecords.ts'
import type { LevelOperation } from './LevelStore.ts'
import { deleteEntries, deleteKey, putRow } from './levelOperations.ts'
import { type DocumentKey, type DocumentRow, documentKey, nameKey, rowKey } from './levelRecord.ts'
import type { Change, ReopenableStore } from './ReopenableStore.ts'

/** Rows that writes needn't read again, about 150 bytes each. */
const maxRows = 20_000

/**
 * The rows of a log's documents, as its writes need them: read once, remembered with every commit. And which documents are
 * damaged: those are not written to any more.
 */
export class DocumentRows {
  readonly #store: ReopenableStore
  /** Of documents that were written to or read: the last in use, so that neither hashes nor rows are made again. */
  readonly #rows = new RecentMap<DocumentId, { readonly key: DocumentKey; readonly row: DocumentRow }>(maxRows)
  readonly #damaged = new Map<DocumentId, WeftError>()

  constructor(store: ReopenableStore) {
    this.#store = store
  }

  get damagedCount(): number {
    return this.#damaged.size
  }

  isDamaged(documentId: DocumentId): boolean {
    return this.#damaged.has(documentId)
  }

  keyOf(documentId: DocumentId): DocumentKey {
    return this.#rows.get(documentId)?.key ?? documentKey(documentId)
  }

  /** The row of the last write, where it is remembered. */
  known(documentId: DocumentId): DocumentRow | null {
    return this.#rows.get(documentId)?.row ?? null
  }

  /**
   * Rows for a write. Of a document that wasn't read before, this sees whether row and name agree, and not its entries.
   * @throws {WeftError} `DOCUMENT_DAMAGED`
   */
  async read(keys: readonly DocumentKey[]): Promise<(DocumentRow | null)[]> {
    for (const key of keys) {
      const damage = this.#damaged.get(key.documentId)
      if (damage) throw damage
    }
    // Kept apart: remembering one forgets another.
    const found = new Map<DocumentId, DocumentRow | null>()
    for (const { documentId } of keys) {
      const known = this.#rows.get(documentId)
      if (known !== undefined) found.set(documentId, known.row)
    }
    const unknown = keys.filter(key => !found.has(key.documentId))
    if (unknown.length > 0) {
      const values = await this.#store.level.get(unknown.flatMap(key => [rowKey(key.hash), nameKey(key.name)]))
      unknown.forEach((key, i) => {
        const row = decodeWitnesses(key, values[2 * i], values[2 * i + 1])
        if (row instanceof WeftError) throw this.markDamaged(row)
        found.set(key.documentId, row)
        if (row) this.#remember(key, row)
      })
    }
    return keys.map(key => found.get(key.documentId) ?? null)
  }

  /** @throws {WeftError} `DOCUMENT_DAMAGED`, `DOCUMENT_DELETED` */
  async readLive(key: DocumentKey): Promise<DocumentRow | null> {
    const [row = null] = await this.read([key])
    refuseDeleted(key, row)
    return row
  }

  /** Puts a write's batch to disk, and remembers what became of the rows. */
  async commit(operations: LevelOperation[], changes: readonly Change[]): Promise<void> {
    await this.#store.commit(operations, changes)
    for (const { key, after } of changes) this.#remember(key, after)
  }

  #remember(key: DocumentKey, row: DocumentRow): void {
    this.#rows.set(key.documentId, { key, row })
  }

  /** From now on, writes to the document are refused. */
  markDamaged(error: WeftError): WeftError {
    if (error.documentId !== undefined) this.#damaged.set(error.documentId, error)
    return error
  }

  /** Nothing is left of it that could be damaged. */
  forgetDamage(documentId: DocumentId): void {
    this.#damaged.delete(documentId)
  }

  /**
   * A write that failed may be on disk all the same (an fsync that failed after the bytes were there). It was rejected, so its
   * appends are taken back: trying them again starts where it did before.
   */
  async takeBack(failedChanges: readonly Change[]): Promise<void> {
    this.#rows.clear()
    const changes = failedChanges.filter(({ key }) => !this.#damaged.has(key.documentId))
    const rows = await this.read(changes.map(change => change.key))
    const operations = changes.flatMap(({ key, before, after }, i): LevelOperation[] => {
      const row = rows[i] ?? null
      // Deletions and compactions that took place can't be undone, and needn't: both are whole, and may be done again.
      if (row === null || row.head !== after.head || row.head === (before?.head ?? 0)) return []
      const entries = deleteEntries(key, before?.head ?? 0, after.head)
      if (before !== null) return [...entries, putRow(key, before, before.createdAt)]
      return [...entries, deleteKey(rowKey(key.hash)), deleteKey(nameKey(key.name))]
    })
    this.#rows.clear()
    if (operations.length > 0) await this.#store.level.write(operations)
  }
}

/** @throws {WeftError} `DOCUMENT_DELETED` */
export function refuseDeleted(key: DocumentKey, row: DocumentRow | null): void {
  if (row?.deletedAt == null) return
  const { documentId } = key
  throw new WeftError('DOCUMENT_DELETED', `the document ${JSON.stringify(documentId)} was deleted`, {
    documentId,
    seq: row.head,
  })
}

export function headMoved({ documentId }: DocumentKey, what: string): WeftError {
  return new WeftError('HEAD_MOVED', `the document ${JSON.stringify(documentId)} can't be written to: ${what}`, {
    documentId,
  })
}
