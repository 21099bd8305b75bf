import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { DocumentReader } from './DocumentReader.ts'
import { DocumentRows, headMoved, refuseDeleted } from './DocumentRows.ts'
import { deleteDocument } from './deleteDocument.ts'
import { damageError } from './documentRecords.ts'
import { LevelCompactor } from './LevelCompactor.ts'
import { type LevelOperation, LevelStore } from './LevelStore.ts'
import { putName, putRow } from './levelOperations.ts'
import {
  afterNames,
  type DocumentKey,
  type DocumentRow,
  decodeNameRow,
  documentKey,
  documentRange,
  encodeRecord,
  encodeSentinel,
  everything,
  hashesBeginningWith,
  maxUint48,
  nameAfter,
  nameKey,
  recordFormat,
  recordKey,
  recordKind,
  sentinelKey,
} from './levelRecord.ts'
import { type LevelSystem, levelSystem } from './levelSystem.ts'
import { type Change, ReopenableStore } from './ReopenableStore.ts'
import { readDocuments } from './readDocuments.ts'
import { readSentinel } from './readSentinel.ts'
import type {
  Append,
  Compaction,
  DamagedDocument,
  ListedDocument,
  ListOptions,
  LogEntry,
  LogState,
  LogStats,
  OpenedDocument,
  StoredDocument,
  UpdateLog,
  WholeDocument,
} from './UpdateLog.ts'

export interface LevelUpdateLogOptions {
  /** The data folder: LevelDB's own, nothing else lives in it. */
  readonly folder: string
  /** Whether an absent or empty folder becomes a new store; without it that is `STORE_MISSING`. */
  readonly create: boolean
  /** How many bytes of tables a start reads to check them, smallest tables first. Default 64 MiB: about 100 ms. */
  readonly checkedTableBytes?: number
  /** Default: the machine's. */
  readonly system?: LevelSystem
}

const defaultCheckedTableBytes = 64 << 20

/** Names that a list reads at a time. */
const listPageSize = 256
/** Above so many documents with something to reclaim, ranges are those of all hashes with the same first byte. */
const maxReclaimRanges = 64

/**
 * The update log in a LevelDB folder. Keys and records: `levelRecord.ts`.
 *
 * [L1] Writes run one after another, in call order: what a write checks (head, tombstone) is still so when it is stored.
 * [L2] Every batch that changes a document puts its row (head, bounds of what is kept) along, in another place than the records
 *      that it bears witness of. What a read finds must be exactly what the row says: LevelDB drops log records and skips blocks
 *      without a word, and flips in its tables go unseen. So lost entries are missed, and an old row, which shows where a newer
 *      one is lost, finds more entries than it knows of.
 * [L3] A document is witnessed once more, by its name, in a third place: a name without a row, or with other times, is damage.
 *      So a lost row is not an unwritten document, and an old one doesn't bring a deleted document back.
 * [L4] Before LevelDB opens the folder, `checkLevelFiles` reads what LevelDB would forgive: a broken record inside its log, a
 *      manifest that ends early, a table that is missing, short, or whose index is broken.
 *
 * What none of this can catch: the loss of the *last* records, at the very end of LevelDB's log, as long as what remains ends
 * at the border of a record: it looks like a crash a moment earlier. Where it ends inside a record, `warnings` says so: that is
 * ordinary after a loss of power (a batch that was never acknowledged), and not otherwise.
 */
export class LevelUpdateLog implements UpdateLog {
  /** Random, given at the first start: which store this is. Hex. */
  readonly storeId: string
  /** What opening found that someone should read in the server's log: no error, but not silent either. */
  readonly warnings: readonly string[]

  readonly #system: LevelSystem
  readonly #store: ReopenableStore
  readonly #rows: DocumentRows
  readonly #reader: DocumentReader
  readonly #compactor: LevelCompactor
  /** Readers of all documents. */
  #viewCount = 0
  /** Hashes of documents of which something was deleted: space to give back. */
  readonly #reclaimable = new Map<DocumentId, Buffer>()

  private constructor(store: LevelStore, system: LevelSystem, storeId: Buffer, warnings: readonly string[]) {
    this.#system = system
    this.#store = new ReopenableStore(store, system)
    this.#rows = new DocumentRows(this.#store)
    this.#reader = new DocumentReader(this.#store, this.#rows)
    this.#compactor = new LevelCompactor(this.#store, this.#rows, {
      wallTime: () => system.wallTime(),
      compacted: ({ documentId, hash }) => this.#reclaimable.set(documentId, hash),
    })
    this.storeId = storeId.toString('hex')
    this.warnings = warnings
  }

  /**
   * @throws {WeftError} `STORE_LOCKED`, `STORE_MISSING`, `STORE_FOREIGN`, `STORE_DAMAGED`, `STORE_TOO_NEW`, `STORE_UNWRITABLE`
   */
  static async open(options: LevelUpdateLogOptions): Promise<LevelUpdateLog> {
    const { checkedTableBytes = defaultCheckedTableBytes, system = levelSystem } = options
    const content = await system.prepareFolder(options.folder, options.create)
    const warnings = content === 'store' ? await system.checkFiles(options.folder, checkedTableBytes) : []
    const store = new LevelStore(options.folder, system)
    await store.open(content === 'first start')
    try {
      let storeId = await readSentinel(store, options.folder)
      if (storeId === null) {
        if (content === 'store' || (await store.scan(...everything, 1)).length > 0) {
          throw new WeftError(
            'STORE_FOREIGN',
            `${options.folder} holds a LevelDB that is not ours: it has no sentinel record`,
          )
        }
        storeId = system.randomBytes(16)
        const sentinel = encodeSentinel(recordFormat, storeId, system.wallTime())
        await store.write([{ type: 'put', key: sentinelKey, value: sentinel }])
      }
      if (content === 'first start') await system.finishFirstStart(options.folder)
      return new LevelUpdateLog(store, system, storeId, warnings)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  get state(): LogState {
    return this.#store.state
  }

  append(batch: readonly Append[]): Promise<void> {
    return this.#store.write(async () => {
      const keys = checkBatch(batch, documentId => this.#rows.keyOf(documentId))
      const rows = await this.#rows.read(keys)
      const operations: LevelOperation[] = []
      const changes: Change[] = []
      batch.forEach((append, i) => {
        const key = at(keys, i)
        const before = rows[i] ?? null
        refuseDeleted(key, before)
        if ((before?.head ?? 0) !== append.after)
          throw headMoved(key, `its head is ${before?.head ?? 0}, not ${append.after}`)
        const { time } = append
        let seq = append.after
        for (const update of append.updates) {
          seq++
          const record = encodeRecord({ kind: recordKind.entry, hash: key.hash, seq, time }, update)
          operations.push({ type: 'put', key: recordKey(key.hash, recordKind.entry, seq), value: record })
        }
        const after: DocumentRow = {
          revision: (before?.revision ?? 0) + 1,
          head: seq,
          createdAt: before?.createdAt ?? time,
          deletedAt: null,
          snapshotSeq: before?.snapshotSeq ?? 0,
          keptAfter: before?.keptAfter ?? 0,
        }
        operations.push(putRow(key, after, time))
        if (before === null) operations.push(putName(key, after))
        changes.push({ key, before, after })
      })
      await this.#rows.commit(operations, changes)
    })
  }

  async open(documentId: DocumentId): Promise<OpenedDocument> {
    const { snapshot: _, ...opened } = await this.#reader.read(documentId, false)
    return opened
  }

  read(documentId: DocumentId): Promise<StoredDocument> {
    return this.#reader.read(documentId, true)
  }

  readRemains(documentId: DocumentId): Promise<StoredDocument | null> {
    return this.#reader.readRemains(documentId)
  }

  get damagedCount(): number {
    return this.#rows.damagedCount
  }

  readFrom(documentId: DocumentId, after: number): Promise<LogEntry[] | null> {
    return this.#reader.readFrom(documentId, after)
  }

  compact(compaction: Compaction): Promise<void> {
    if (this.#store.isClosing) return Promise.reject(this.#store.closedError())
    return this.#compactor.compact(compaction)
  }

  bin(documentId: DocumentId, time: number): Promise<void> {
    return this.#store.write(async () => {
      checkTime(time)
      const key = documentKey(documentId)
      const [before = null] = await this.#rows.read([key])
      if (before === null || before.deletedAt !== null) return
      const after: DocumentRow = { ...before, revision: before.revision + 1, deletedAt: time }
      await this.#rows.commit([putRow(key, after, time), putName(key, after)], [{ key, before, after }])
    })
  }

  delete(documentId: DocumentId, time: number): Promise<void> {
    return this.#store.write(async () => {
      checkTime(time)
      const key = await deleteDocument(this.#store.level, this.#rows, documentId, time)
      if (key !== null) this.#reclaimable.set(documentId, key.hash)
    })
  }

  revive(documentId: DocumentId): Promise<void> {
    return this.#store.write(async () => {
      const key = documentKey(documentId)
      const [before = null] = await this.#rows.read([key])
      if (before === null || before.deletedAt === null) return
      const after: DocumentRow = { ...before, revision: before.revision + 1, deletedAt: null }
      await this.#rows.commit([putRow(key, after, before.deletedAt), putName(key, after)], [{ key, before, after }])
    })
  }

  async *list(options: ListOptions = {}): AsyncGenerator<ListedDocument> {
    const prefix = Buffer.from(options.prefix ?? '', 'utf8')
    let left = options.limit ?? Number.POSITIVE_INFINITY
    let from = nameKey(prefix)
    const after = options.after === undefined ? null : nameAfter(Buffer.from(options.after, 'utf8'))
    if (after !== null && Buffer.compare(after, from) > 0) from = after
    // Pages, each a read view of its own: a reader that takes its time holds neither an iterator nor old files.
    while (left > 0) {
      await this.#store.readable()
      // Where each counts, no more than are asked for.
      const pageSize = options.deleted === true ? Math.min(listPageSize, left) : listPageSize
      const page = await this.#store.level.scan(from, afterNames, pageSize)
      for (const [storedKey, value] of page) {
        const name = storedKey.subarray(1)
        if (!name.subarray(0, prefix.length).equals(prefix)) return
        from = nameAfter(name)
        const key = documentKey(name.toString('utf8') as DocumentId)
        const row = decodeNameRow(value, key)
        // A damaged one is listed like any other: who opens it is told. Nothing hides because of it.
        if (typeof row === 'string') this.#rows.markDamaged(damageError(key, 0, `${row} under its name`))
        const { createdAt, deletedAt } = typeof row === 'string' ? { createdAt: 0, deletedAt: null } : row
        if (deletedAt !== null && options.deleted !== true) continue
        yield { documentId: key.documentId, createdAt, deletedAt }
        if (--left <= 0) return
      }
      if (page.length < pageSize) return
    }
  }

  async *documents(): AsyncGenerator<WholeDocument | DamagedDocument> {
    await this.#store.readable()
    const view = this.#store.level.view()
    this.#viewCount++
    try {
      // What is damaged in the view may have been deleted since: whoever opens the document finds out.
      yield* readDocuments(view)
    } finally {
      this.#viewCount--
      await view.close()
    }
  }

  async reclaim(): Promise<void> {
    await this.#store.readable()
    // What a view still sees keeps its space: another time.
    if (this.#viewCount > 0) return
    const documents = [...this.#reclaimable]
    // A range a step, so that closing needn't wait for all of it.
    const ranges =
      documents.length > maxReclaimRanges
        ? [...new Set(documents.map(([, hash]) => hash[0] ?? 0))].map(hashesBeginningWith)
        : documents.map(([, hash]) => documentRange(hash))
    for (const [from, to] of ranges) {
      if (this.#store.isClosing) return
      if (this.state !== 'open') throw this.#store.refusal()
      await this.#store.level.compactRange(from, to)
    }
    for (const [documentId] of documents) this.#reclaimable.delete(documentId)
  }

  async isWritable(): Promise<boolean> {
    if (this.state !== 'open') return false
    try {
      await this.#system.probeWrite(this.#store.folder, 4096)
      return this.state === 'open'
    } catch (error) {
      if (error instanceof WeftError && error.code === 'STORE_UNWRITABLE') return false
      throw error
    }
  }

  reopen(): Promise<void> {
    return this.#store.reopen(failedChanges => this.#recover(failedChanges))
  }

  async #recover(failedChanges: readonly Change[]): Promise<void> {
    const { folder, level } = this.#store
    if ((await readSentinel(level, folder))?.toString('hex') !== this.storeId) {
      throw new WeftError('STORE_FOREIGN', `${folder} holds another store than before`)
    }
    await this.#rows.takeBack(failedChanges)
  }

  async stats(): Promise<LogStats> {
    const { bytes, freeBytes } = await this.#system.measureFolder(this.#store.folder)
    return { bytes, freeBytes }
  }

  async approximateSize(documentId: DocumentId): Promise<number> {
    await this.#store.readable()
    return this.#store.level.approximateSize(...documentRange(documentKey(documentId).hash))
  }

  close(): Promise<void> {
    return this.#store.close(this.#compactor.last)
  }
}

function checkBatch(batch: readonly Append[], keyOf: (documentId: DocumentId) => DocumentKey): DocumentKey[] {
  const seen = new Set<DocumentId>()
  return batch.map(({ documentId, after, updates, time }) => {
    if (seen.has(documentId)) throw new RangeError(`${JSON.stringify(documentId)} is in the batch twice`)
    seen.add(documentId)
    if (updates.length === 0 || updates.some(update => update.length === 0))
      throw new RangeError(`nothing to append to ${JSON.stringify(documentId)}`)
    if (!Number.isSafeInteger(after) || after < 0 || after + updates.length > maxUint48)
      throw new RangeError(`after: ${after}`)
    checkTime(time)
    return keyOf(documentId)
  })
}

function checkTime(time: number): void {
  if (!Number.isSafeInteger(time) || time < 1 || time > maxUint48) throw new RangeError(`not a time in ms: ${time}`)
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError(`no item at ${index}`)
  return item
}
