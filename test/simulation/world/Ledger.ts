import type { DocumentId } from '@weft/protocol'
import * as Y from 'yjs'
import { decodeRecord, decodeRow, documentKey, recordKind } from '../../../server/src/log/levelRecord.ts'
import { createDocument } from '../../crdt/randomEdits.ts'
import type { DiskOperation } from './Disk.ts'
import { OperationSet, type Operations, operationsOf } from './operations.ts'

/** What is true of one document, between one beginning and its deletion. */
interface Book {
  readonly documentId: DocumentId
  /** How often it was deleted. */
  era: number
  /** All that ever was safe on disk. */
  durable: OperationSet
  /** `Map<clientID, clock>` of that, as far as the server has heard: a write that is safe may not have come back yet. */
  told: ReadonlyMap<number, number>
  /** What Yjs makes of all entries, in order. */
  replay: Y.Doc
  head: number
  /** What was acknowledged or seen: to be looked for at the end. */
  promised: OperationSet
  /** A bit of it was flipped: it may be refused as a whole, and nothing false may be told. */
  isDamaged: boolean
}

/**
 * What is on disk, read from its bytes and not from what the server believes; and what the server told people that is on disk.
 */
export class Ledger {
  /** By the hash in their keys. */
  readonly #books = new Map<string, Book>()
  readonly #byName = new Map<DocumentId, Book>()
  readonly #problem: (text: string) => void
  /** Clients of people who may only read: nothing of theirs may ever be stored. */
  readonly forbiddenClients = new Set<number>()

  constructor(documentIds: readonly DocumentId[], problem: (text: string) => void) {
    this.#problem = problem
    for (const documentId of documentIds) {
      const book: Book = {
        documentId,
        era: 0,
        durable: new OperationSet(),
        told: new Map(),
        replay: createDocument(1),
        head: 0,
        promised: new OperationSet(),
        isDamaged: false,
      }
      this.#books.set(documentKey(documentId).hash.toString('latin1'), book)
      this.#byName.set(documentId, book)
    }
  }

  book(documentId: DocumentId): Book {
    const book = this.#byName.get(documentId)
    if (book === undefined) throw new RangeError(`no book of ${documentId}`)
    return book
  }

  /** A key of the disk is damaged. */
  damaged(key: string): void {
    const book = this.#books.get(key.slice(1, 17))
    if (book !== undefined) book.isDamaged = true
  }

  get damagedDocuments(): DocumentId[] {
    return [...this.#books.values()].filter(({ isDamaged }) => isDamaged).map(({ documentId }) => documentId)
  }

  /** The server has heard of all that is durable. */
  told(): void {
    for (const book of this.#books.values()) book.told = new Map(book.durable.clocks)
  }

  /** Records have become durable, in this order. */
  stored(records: readonly (readonly DiskOperation[])[]): void {
    // What one of them puts and a later one deletes was never there: a failed write that is taken back.
    const entries = new Map<Book, Map<number, Uint8Array>>()
    for (const operations of records) {
      for (const { key, value } of operations) {
        const book = this.#books.get(key.subarray(1, 17).toString('latin1'))
        if (book === undefined) continue
        if (key[0] === 0x62 && value !== null) this.#row(book, value, key, entries)
        if (key[0] !== 0x64 || key.length !== 24) continue
        const seq = key.readUIntBE(18, 6)
        if (key[17] === recordKind.entry) {
          const added = entries.get(book) ?? new Map<number, Uint8Array>()
          entries.set(book, added)
          if (value === null) added.delete(seq)
          else added.set(seq, this.#body(value, recordKind.entry, key, seq))
        } else if (key[17] === recordKind.snapshot && value !== null) {
          // Garbage collection brings deletions that no entry carried.
          const body = value.subarray(36 + value.readUInt16BE(34), value.length - 4)
          book.durable.add({ structs: [], deletes: this.#snapshotDeletes(body) })
        }
      }
    }
    for (const [book, added] of entries) {
      for (const seq of [...added.keys()].sort((a, b) => a - b)) {
        const update = added.get(seq)
        if (update !== undefined) this.#entry(book, seq, update)
      }
    }
  }

  #snapshotDeletes(body: Uint8Array): readonly number[] {
    try {
      return operationsOf(body).deletes
    } catch {
      return []
    }
  }

  #body(value: Buffer, kind: 1, key: Buffer, seq: number): Uint8Array {
    const record = decodeRecord(value, kind, key.subarray(1, 17), seq)
    if (typeof record === 'string') {
      this.#problem(`an entry was written that can't be read: ${record}`)
      return new Uint8Array(0)
    }
    return record.body
  }

  #row(book: Book, value: Buffer, key: Buffer, entries: Map<Book, unknown>): void {
    const row = decodeRow(value, { documentId: book.documentId, name: Buffer.alloc(0), hash: key.subarray(1, 17) })
    if (typeof row === 'string') {
      this.#problem(`a row was written that can't be read: ${row}`)
      return
    }
    // In the bin all of it is there still.
    if (row.deletedAt === null || row.snapshotSeq > 0 || row.keptAfter < row.head) return
    entries.delete(book)
    book.era++
    book.durable = new OperationSet()
    book.told = new Map()
    book.replay = createDocument(1)
    book.promised = new OperationSet()
    book.head = row.head
  }

  #entry(book: Book, seq: number, update: Uint8Array): void {
    if (seq > book.head + 1) this.#problem(`entry ${seq} of ${book.documentId} follows entry ${book.head}`)
    book.head = Math.max(book.head, seq)
    let operations: Operations
    try {
      operations = operationsOf(update)
    } catch (error) {
      this.#problem(`an entry of ${book.documentId} that Yjs can't decode was stored: ${error}`)
      return
    }
    for (let i = 0; i < operations.structs.length; i += 3) {
      const client = operations.structs[i] ?? 0
      if (this.forbiddenClients.has(client)) {
        this.#problem(`an edit of client ${client}, who may only read, was stored in ${book.documentId}`)
      }
    }
    const gap = book.durable.add(operations)
    if (gap !== null) this.#problem(`entry ${seq} of ${book.documentId} is not causally closed: ${gap}`)
    try {
      Y.applyUpdate(book.replay, update)
    } catch (error) {
      this.#problem(`entry ${seq} of ${book.documentId} can't be applied: ${error}`)
      return
    }
    const { pendingStructs, pendingDs } = book.replay.store
    if (pendingStructs !== null || pendingDs !== null) {
      this.#problem(`entry ${seq} of ${book.documentId} is not causally closed: something of it stays pending`)
    }
  }

  /** Somebody was told that these are on disk, or was sent them. */
  promise(documentId: DocumentId, era: number, operations: Operations, what: string): void {
    const book = this.book(documentId)
    // Of before the deletion.
    if (era !== book.era) return
    // Deleting a type deletes what is in it, without a word.
    const isImplied = (client: number, clock: number) => Y.getItem(book.replay.store, Y.createID(client, clock)).deleted
    const missing = book.durable.missing(operations, isImplied)
    if (missing !== null) this.#problem(`${what} is not on disk in ${documentId}: ${missing}`)
    else book.promised.add(operations)
  }

  /** Compares what was promised with what is there in the end. */
  checkPromises(documentId: DocumentId, present: OperationSet): void {
    const missing = this.book(documentId).promised.missingFrom(present)
    if (missing !== null) this.#problem(`what was acknowledged or seen is gone from ${documentId}: ${missing}`)
  }
}
