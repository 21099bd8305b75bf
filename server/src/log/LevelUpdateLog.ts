import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { RecentMap } from '../RecentMap.ts'
import {
  damageError,
  decodeEntries,
  decodeWitnesses,
  pieceBytes,
  readRecords,
  readRemains,
  type Scan,
} from './documentRecords.ts'
import { type LevelOperation, LevelStore } from './LevelStore.ts'
import {
  afterNames,
  type CompactionRow,
  type DocumentKey,
  type DocumentRow,
  decodeCompactionRow,
  decodeNameRow,
  decodeRow,
  documentKey,
  documentRange,
  encodeCompactionRow,
  encodeNameRow,
  encodeRecord,
  encodeRow,
  encodeSentinel,
  everything,
  generationOf,
  hashesBeginningWith,
  isSoundRecord,
  maxUint48,
  nameAfter,
  nameKey,
  pieceKey,
  pieceRange,
  recordFormat,
  recordKey,
  recordKind,
  rowKey,
  sentinelKey,
  seqOfKey,
} from './levelRecord.ts'
import { type LevelSystem, levelSystem } from './levelSystem.ts'
import { readDocuments } from './readDocuments.ts'
import { readSentinel } from './readSentinel.ts'
import {
  type Append,
  type Compaction,
  type DamagedDocument,
  holdsContent,
  type ListedDocument,
  type ListOptions,
  type LogEntry,
  type LogState,
  type LogStats,
  type OpenedDocument,
  type StoredDocument,
  type UpdateLog,
  type WholeDocument,
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

/** Rows that writes needn't read again, about 150 bytes each. */
const maxRows = 20_000
/** Names that a list reads at a time. */
const listPageSize = 256
/** Above so many documents with something to reclaim, ranges are those of all hashes with the same first byte. */
const maxReclaimRanges = 64

interface Change {
  readonly key: DocumentKey
  readonly before: DocumentRow | null
  readonly after: DocumentRow
}

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

  readonly #folder: string
  readonly #system: LevelSystem
  #store: LevelStore
  #isClosing = false
  #closed: Promise<void> | null = null
  #lastWrite: Promise<unknown> = Promise.resolve()
  #lastCompaction: Promise<unknown> = Promise.resolve()
  readonly #reads = new Set<Promise<unknown>>()
  #reopening: Promise<unknown> | null = null
  /** Readers of all documents. */
  #viewCount = 0
  /** Of documents that were written to or read: the last in use, so that neither hashes nor rows are made again. */
  readonly #rows = new RecentMap<DocumentId, { readonly key: DocumentKey; readonly row: DocumentRow }>(maxRows)
  readonly #damaged = new Map<DocumentId, WeftError>()
  readonly #reclaimable = new Map<DocumentId, Buffer>()
  #failedChanges: Change[] = []

  private constructor(
    folder: string,
    system: LevelSystem,
    store: LevelStore,
    storeId: Buffer,
    warnings: readonly string[],
  ) {
    this.#folder = folder
    this.#system = system
    this.#store = store
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
      return new LevelUpdateLog(options.folder, system, store, storeId, warnings)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  get state(): LogState {
    if (this.#isClosing) return 'closed'
    return this.#isFailed ? 'failed' : 'open'
  }

  get #isFailed(): boolean {
    return this.#store.state !== 'open' || this.#failedChanges.length > 0 || this.#reopening !== null
  }

  append(batch: readonly Append[]): Promise<void> {
    return this.#write(async () => {
      const keys = checkBatch(batch, documentId => this.#rows.get(documentId)?.key ?? documentKey(documentId))
      const rows = await this.#readRows(keys)
      const operations: LevelOperation[] = []
      const changes: Change[] = []
      batch.forEach((append, i) => {
        const key = at(keys, i)
        const before = rows[i] ?? null
        this.#refuseDeleted(key, before)
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
      await this.#commit(operations, changes)
    })
  }

  async open(documentId: DocumentId): Promise<OpenedDocument> {
    const { snapshot: _, ...opened } = await this.#readDocument(documentId, false)
    return opened
  }

  read(documentId: DocumentId): Promise<StoredDocument> {
    return this.#readDocument(documentId, true)
  }

  async readRemains(documentId: DocumentId): Promise<StoredDocument | null> {
    await this.#readable()
    const key = documentKey(documentId)
    const reading = (async () => {
      const [row, name] = await this.#store.get([rowKey(key.hash), nameKey(key.name)])
      return readRemains(key, row, name, (gte, lt) => this.#store.scan(gte, lt))
    })()
    this.#reads.add(reading)
    return reading.finally(() => this.#reads.delete(reading))
  }

  get damagedCount(): number {
    return this.#damaged.size
  }

  readFrom(documentId: DocumentId, after: number): Promise<LogEntry[] | null> {
    return this.#readWitnessed(documentId, async (key, row) => {
      if (row === null) {
        const [first] = await this.#store.scan(...documentRange(key.hash), 1)
        return first === undefined ? [] : damageError(key, 0, 'its row is missing, other records are there')
      }
      if (after < row.keptAfter) return null
      const from = recordKey(key.hash, recordKind.entry, after + 1)
      const records = await this.#store.scan(from, recordKey(key.hash, recordKind.compaction, 0))
      return decodeEntries(key, records, Math.min(after, row.head), row.head)
    })
  }

  compact(compaction: Compaction): Promise<void> {
    // One at a time: what a compaction takes for left over must not be another one's.
    if (this.#isClosing) return Promise.reject(closedError(this.#folder))
    const result = this.#lastCompaction.then(() => this.#compact(compaction))
    this.#lastCompaction = result.catch(() => {})
    return result
  }

  async #compact(compaction: Compaction): Promise<void> {
    const { snapshot, snapshotSeq, keptAfter } = compaction
    if (snapshot.length === 0) throw new RangeError('an empty snapshot')
    const key = documentKey(compaction.documentId)
    const time = this.#system.wallTime()
    // Looked at anew at each step: a document may have been deleted meanwhile, or deleted and revived.
    const step = (run: (before: DocumentRow) => Promise<void>) =>
      this.#writePart(async () => run(checkCompaction(key, await this.#readLiveRow(key), compaction)))
    let generation = 0
    let old: Buffer[] = []
    await step(async before => {
      const pieces = await this.#store.keys(...pieceRange(key.hash))
      const live = await this.#liveGeneration(key, before)
      old = pieces.filter(piece => generationOf(piece) === live)
      generation = freeGeneration(pieces)
      // What compactions left that were cut short, before there is more of it.
      const left = pieces.filter(piece => generationOf(piece) !== live)
      if (left.length > 0) await this.#store.write(left.map(deleteKey))
    })
    const pieceCount = Math.ceil(snapshot.length / pieceBytes)
    const putPiece = (piece: number): LevelOperation => ({
      type: 'put',
      key: pieceKey(key.hash, generation, piece),
      value: encodeRecord(
        { kind: recordKind.snapshot, hash: key.hash, seq: snapshotSeq, time },
        snapshot.subarray(piece * pieceBytes, (piece + 1) * pieceBytes),
      ),
    })
    // All but the last, each a write of its own, so that others' commits come between. Nobody reads them yet.
    for (let piece = 0; piece < pieceCount - 1; piece++) await step(() => this.#store.write([putPiece(piece)]))
    await step(async before => {
      const after: DocumentRow = { ...before, revision: before.revision + 1, snapshotSeq, keptAfter }
      const row: CompactionRow = { ...compaction, snapshotBytes: snapshot.length, generation }
      const operations: LevelOperation[] = [
        putPiece(pieceCount - 1),
        ...old.map(deleteKey),
        {
          type: 'put',
          key: recordKey(key.hash, recordKind.compaction, 0),
          value: encodeCompactionRow(key.hash, snapshotSeq, row, time),
        },
        putRow(key, after, time),
        ...deleteEntries(key, before.keptAfter, keptAfter),
      ]
      await this.#commit(operations, [{ key, before, after }])
    })
    this.#reclaimable.set(key.documentId, key.hash)
  }

  /** The generation of the present snapshot's pieces; null where there is none. What is damaged is found by who reads it. */
  async #liveGeneration(key: DocumentKey, { snapshotSeq }: DocumentRow): Promise<number | null> {
    if (snapshotSeq === 0) return null
    const [value] = await this.#store.get([recordKey(key.hash, recordKind.compaction, 0)])
    const compaction =
      value === undefined ? 'its knowledge is missing' : decodeCompactionRow(value, key.hash, snapshotSeq)
    if (typeof compaction === 'string') throw this.#markDamaged(damageError(key, snapshotSeq, compaction))
    return compaction.generation
  }

  bin(documentId: DocumentId, time: number): Promise<void> {
    return this.#write(async () => {
      checkTime(time)
      const key = documentKey(documentId)
      const [before = null] = await this.#readRows([key])
      if (before === null || before.deletedAt !== null) return
      const after: DocumentRow = { ...before, revision: before.revision + 1, deletedAt: time }
      await this.#commit([putRow(key, after, time), putName(key, after)], [{ key, before, after }])
    })
  }

  delete(documentId: DocumentId, time: number): Promise<void> {
    return this.#write(async () => {
      checkTime(time)
      const key = documentKey(documentId)
      const isDamaged = this.#damaged.has(documentId)
      const before = isDamaged ? await this.#damagedRow(key, time) : ((await this.#readRows([key]))[0] ?? null)
      if (before === null || (before.deletedAt !== null && !holdsContent(before))) return
      const after: DocumentRow = {
        ...before,
        revision: before.revision + 1,
        deletedAt: before.deletedAt ?? time,
        snapshotSeq: 0,
        keptAfter: before.head,
      }
      const keys = await this.#store.keys(...documentRange(key.hash))
      // A tombstone keeps the head: it must be the true one.
      const seqs = keys.filter(stored => stored[17] === recordKind.entry).map(seqOfKey)
      if (
        !isDamaged &&
        (seqs.length !== before.head - before.keptAfter || (seqs.length > 0 && seqs.at(-1) !== before.head))
      )
        throw this.#markDamaged(damageError(key, before.head, `${seqs.length} entries, and its head is ${before.head}`))
      const operations = [...keys.map(deleteKey), putRow(key, after, time), putName(key, after)]
      await this.#commit(operations, [{ key, before, after }])
      this.#damaged.delete(documentId)
      this.#reclaimable.set(documentId, key.hash)
    })
  }

  /** What a damaged document's row should say, as far as can be told: with a head that no entry was ever behind. */
  async #damagedRow(key: DocumentKey, time: number): Promise<DocumentRow> {
    const [rowValue, nameValue] = await this.#store.get([rowKey(key.hash), nameKey(key.name)])
    const row = rowValue === undefined ? null : decodeRow(rowValue, key)
    const name = nameValue === undefined ? null : decodeNameRow(nameValue, key)
    const known = this.#rows.get(key.documentId)?.row ?? null
    const sound = typeof row === 'string' ? null : row
    const seqs = (await this.#store.keys(...documentRange(key.hash))).flatMap(stored =>
      stored[17] === recordKind.entry ? (seqOfKey(stored) ?? []) : [],
    )
    const head = Math.max(sound?.head ?? 0, known?.head ?? 0, ...seqs.slice(-1))
    const createdAt = sound?.createdAt ?? known?.createdAt ?? (typeof name === 'string' ? null : name?.createdAt)
    return {
      revision: Math.max(sound?.revision ?? 0, known?.revision ?? 0),
      // A row that is lost may have had a snapshot behind the last entry that is left.
      head: sound === null && known === null ? Math.max(head, await this.#snapshotSeq(key)) : head,
      createdAt: createdAt ?? time,
      deletedAt: null,
      snapshotSeq: 0,
      keptAfter: 0,
    }
  }

  /** The position of a snapshot, as far as its record can be read; 0: none. */
  async #snapshotSeq(key: DocumentKey): Promise<number> {
    const [value] = await this.#store.get([recordKey(key.hash, recordKind.compaction, 0)])
    return value === undefined || !isSoundRecord(value) ? 0 : value.readUIntBE(22, 6)
  }

  revive(documentId: DocumentId): Promise<void> {
    return this.#write(async () => {
      const key = documentKey(documentId)
      const [before = null] = await this.#readRows([key])
      if (before === null || before.deletedAt === null) return
      const after: DocumentRow = { ...before, revision: before.revision + 1, deletedAt: null }
      await this.#commit([putRow(key, after, before.deletedAt), putName(key, after)], [{ key, before, after }])
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
      await this.#readable()
      // Where each counts, no more than are asked for.
      const pageSize = options.deleted === true ? Math.min(listPageSize, left) : listPageSize
      const page = await this.#store.scan(from, afterNames, pageSize)
      for (const [storedKey, value] of page) {
        const name = storedKey.subarray(1)
        if (!name.subarray(0, prefix.length).equals(prefix)) return
        from = nameAfter(name)
        const key = documentKey(name.toString('utf8') as DocumentId)
        const row = decodeNameRow(value, key)
        // A damaged one is listed like any other: who opens it is told. Nothing hides because of it.
        if (typeof row === 'string') this.#markDamaged(damageError(key, 0, `${row} under its name`))
        const { createdAt, deletedAt } = typeof row === 'string' ? { createdAt: 0, deletedAt: null } : row
        if (deletedAt !== null && options.deleted !== true) continue
        yield { documentId: key.documentId, createdAt, deletedAt }
        if (--left <= 0) return
      }
      if (page.length < pageSize) return
    }
  }

  async *documents(): AsyncGenerator<WholeDocument | DamagedDocument> {
    await this.#readable()
    const view = this.#store.view()
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
    await this.#readable()
    // What a view still sees keeps its space: another time.
    if (this.#viewCount > 0) return
    const documents = [...this.#reclaimable]
    // A range a step, so that closing needn't wait for all of it.
    const ranges =
      documents.length > maxReclaimRanges
        ? [...new Set(documents.map(([, hash]) => hash[0] ?? 0))].map(hashesBeginningWith)
        : documents.map(([, hash]) => documentRange(hash))
    for (const [from, to] of ranges) {
      if (this.#isClosing) return
      if (this.state !== 'open') throw this.#refusal()
      await this.#store.compactRange(from, to)
    }
    for (const [documentId] of documents) this.#reclaimable.delete(documentId)
  }

  async isWritable(): Promise<boolean> {
    if (this.state !== 'open') return false
    try {
      await this.#system.probeWrite(this.#folder, 4096)
      return this.state === 'open'
    } catch (error) {
      if (error instanceof WeftError && error.code === 'STORE_UNWRITABLE') return false
      throw error
    }
  }

  reopen(): Promise<void> {
    if (this.#isClosing) return Promise.reject(closedError(this.#folder))
    return this.#inTurn(async () => {
      if (this.state === 'open') return
      // Opening rewrites LevelDB's log as a table. As long as there is no space for that, the present handle still reads.
      const { logBytes } = await this.#system.measureFolder(this.#folder)
      await this.#system.probeWrite(this.#folder, logBytes + (1 << 20)).catch(error => {
        throw new WeftError('STORAGE_WRITE_FAILED', `the store is still not writable: ${error.message}`, {
          cause: error,
        })
      })
      this.#reopening = this.#openAgain()
      try {
        await this.#reopening
      } finally {
        this.#reopening = null
      }
    })
  }

  async stats(): Promise<LogStats> {
    const { bytes, freeBytes } = await this.#system.measureFolder(this.#folder)
    return { bytes, freeBytes }
  }

  async approximateSize(documentId: DocumentId): Promise<number> {
    await this.#readable()
    return this.#store.approximateSize(...documentRange(documentKey(documentId).hash))
  }

  close(): Promise<void> {
    this.#isClosing = true
    this.#closed ??= this.#lastCompaction
      .then(() => Promise.allSettled([this.#lastWrite, ...this.#reads]))
      .then(() => this.#store.close())
    return this.#closed
  }

  async #openAgain(): Promise<void> {
    await this.#store.close()
    this.#rows.clear()
    await this.#system.checkFiles(this.#folder, 0)
    this.#store = new LevelStore(this.#folder, this.#system)
    await this.#store.open(false)
    try {
      await this.#recognise()
      await this.#takeBack()
    } catch (error) {
      // Closed again: what the failed write left behind must not be read.
      await this.#store.close()
      throw error
    }
  }

  async #recognise(): Promise<void> {
    if ((await readSentinel(this.#store, this.#folder))?.toString('hex') !== this.storeId) {
      throw new WeftError('STORE_FOREIGN', `${this.#folder} holds another store than before`)
    }
  }

  /**
   * A write that failed may be on disk all the same (an fsync that failed after the bytes were there). It was rejected, so its
   * appends are taken back: trying them again starts where it did before.
   */
  async #takeBack(): Promise<void> {
    const changes = this.#failedChanges.filter(({ key }) => !this.#damaged.has(key.documentId))
    const rows = await this.#readRows(changes.map(change => change.key))
    const operations = changes.flatMap(({ key, before, after }, i): LevelOperation[] => {
      const row = rows[i] ?? null
      // Deletions and compactions that took place can't be undone, and needn't: both are whole, and may be done again.
      if (row === null || row.head !== after.head || row.head === (before?.head ?? 0)) return []
      const entries = deleteEntries(key, before?.head ?? 0, after.head)
      if (before !== null) return [...entries, putRow(key, before, before.createdAt)]
      return [...entries, deleteKey(rowKey(key.hash)), deleteKey(nameKey(key.name))]
    })
    this.#rows.clear()
    if (operations.length > 0) await this.#store.write(operations)
    this.#failedChanges = []
  }

  /** [L1] */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(run)
    this.#lastWrite = result.catch(() => {})
    return result
  }

  #write(run: () => Promise<void>): Promise<void> {
    return this.#isClosing ? Promise.reject(closedError(this.#folder)) : this.#writePart(run)
  }

  /** A step of a write that had begun before the store was closed. */
  #writePart(run: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isFailed) throw this.#refusal()
      await run()
    })
  }

  #refusal(): WeftError {
    const what = 'refuses writes after one failed, until reopened'
    return new WeftError('STORAGE_WRITE_FAILED', `the store in ${this.#folder} ${what}`)
  }

  async #commit(operations: LevelOperation[], changes: Change[]): Promise<void> {
    try {
      await this.#store.write(operations)
    } catch (error) {
      this.#failedChanges = changes
      throw error
    }
    for (const { key, after } of changes) this.#remember(key, after)
  }

  #remember(key: DocumentKey, row: DocumentRow): void {
    this.#rows.set(key.documentId, { key, row })
  }

  /** Rows for a write. Of a document that wasn't read before, this sees whether row and name agree, and not its entries. */
  async #readRows(keys: readonly DocumentKey[]): Promise<(DocumentRow | null)[]> {
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
      const values = await this.#store.get(unknown.flatMap(key => [rowKey(key.hash), nameKey(key.name)]))
      unknown.forEach((key, i) => {
        const row = decodeWitnesses(key, values[2 * i], values[2 * i + 1])
        if (row instanceof WeftError) throw this.#markDamaged(row)
        found.set(key.documentId, row)
        if (row) this.#remember(key, row)
      })
    }
    return keys.map(key => found.get(key.documentId) ?? null)
  }

  /** @throws {WeftError} `DOCUMENT_DELETED` */
  async #readLiveRow(key: DocumentKey): Promise<DocumentRow | null> {
    const [row = null] = await this.#readRows([key])
    this.#refuseDeleted(key, row)
    return row
  }

  /**
   * Reads a document by its row. They are two views, and a write may come between them: then the row is another one
   * afterwards, and all is read again; else what doesn't fit is damage. [L2]
   */
  async #readWitnessed<T>(
    documentId: DocumentId,
    read: (key: DocumentKey, row: DocumentRow | null) => Promise<T | WeftError>,
  ): Promise<T> {
    const key = documentKey(documentId)
    if (this.#isClosing) throw closedError(this.#folder)
    const reading = this.#readSteps(key, read)
    this.#reads.add(reading)
    return reading.finally(() => this.#reads.delete(reading))
  }

  async #readSteps<T>(
    key: DocumentKey,
    read: (key: DocumentKey, row: DocumentRow | null) => Promise<T | WeftError>,
  ): Promise<T> {
    const readRow = async (): Promise<DocumentRow | null | WeftError> => {
      await this.#untilReopened()
      const known = this.#rows.get(key.documentId)?.row.revision ?? 0
      const [row, name] = await this.#store.get([rowKey(key.hash), nameKey(key.name)])
      return decodeWitnesses(key, row, name, known)
    }
    let row = await readRow()
    for (;;) {
      if (row instanceof WeftError) throw this.#markDamaged(row)
      await this.#untilReopened()
      const found = await read(key, row)
      if (!(found instanceof WeftError)) return found
      const now = await readRow()
      if (!(now instanceof WeftError) && now?.revision === row?.revision) throw this.#markDamaged(found)
      row = now
    }
  }

  #readDocument(documentId: DocumentId, withSnapshot: boolean): Promise<StoredDocument> {
    const scan: Scan = async (gte, lt) => {
      await this.#untilReopened()
      return this.#store.scan(gte, lt)
    }
    return this.#readWitnessed(documentId, (key, row) => readRecords(key, row, scan, withSnapshot))
  }

  /** From now on, writes to the document are refused. */
  #markDamaged(error: WeftError): WeftError {
    if (error.documentId !== undefined) this.#damaged.set(error.documentId, error)
    return error
  }

  #refuseDeleted(key: DocumentKey, row: DocumentRow | null): void {
    if (row?.deletedAt == null) return
    const { documentId } = key
    throw new WeftError('DOCUMENT_DELETED', `the document ${JSON.stringify(documentId)} was deleted`, {
      documentId,
      seq: row.head,
    })
  }

  async #readable(): Promise<void> {
    if (this.#isClosing) throw closedError(this.#folder)
    await this.#untilReopened()
    if (this.#isClosing) throw closedError(this.#folder)
  }

  async #untilReopened(): Promise<void> {
    // A reopening that fails is told to its caller; a read then finds the store closed.
    if (this.#reopening) await this.#reopening.catch(() => {})
    if (this.#store.state === 'closed') {
      throw new WeftError('STORAGE_READ_FAILED', `the store in ${this.#folder} could not be opened again yet`)
    }
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

/** @throws {WeftError} `HEAD_MOVED` */
function checkCompaction(key: DocumentKey, row: DocumentRow | null, compaction: Compaction): DocumentRow {
  const { snapshotSeq, keptAfter } = compaction
  const { head, ...old } = row ?? { head: 0, snapshotSeq: 0, keptAfter: 0 }
  if (
    row === null ||
    !Number.isSafeInteger(snapshotSeq) ||
    !Number.isSafeInteger(keptAfter) ||
    // Without a snapshot there was nothing at `keptAfter`: one of before a deletion must not bring back what was deleted.
    snapshotSeq < (old.snapshotSeq > 0 ? Math.max(old.snapshotSeq, old.keptAfter) : old.keptAfter + 1) ||
    snapshotSeq > head ||
    keptAfter < old.keptAfter ||
    keptAfter > snapshotSeq
  ) {
    const present = `head ${head}, snapshot up to ${old.snapshotSeq}, kept after ${old.keptAfter}`
    throw headMoved(key, `a snapshot up to ${snapshotSeq}, kept after ${keptAfter} doesn't fit its log (${present})`)
  }
  return row
}

/** Of a document's every change [L2]. */
function putRow(key: DocumentKey, row: DocumentRow, time: number): LevelOperation {
  return { type: 'put', key: rowKey(key.hash), value: encodeRow(key, row, time) }
}

/** Together with the row, when either of the two times changes [L3]. */
function putName(key: DocumentKey, row: DocumentRow): LevelOperation {
  return { type: 'put', key: nameKey(key.name), value: encodeNameRow(key, row) }
}

function deleteKey(key: Buffer): LevelOperation {
  return { type: 'del', key }
}

function deleteEntries(key: DocumentKey, after: number, upTo: number): LevelOperation[] {
  const operations: LevelOperation[] = []
  for (let seq = after + 1; seq <= upTo; seq++) operations.push(deleteKey(recordKey(key.hash, recordKind.entry, seq)))
  return operations
}

/** A generation that none of these pieces has. */
function freeGeneration(pieces: readonly Buffer[]): number {
  const used = new Set(pieces.map(generationOf))
  let generation = 0
  while (used.has(generation)) generation++
  return generation
}

function headMoved({ documentId }: DocumentKey, what: string): WeftError {
  return new WeftError('HEAD_MOVED', `the document ${JSON.stringify(documentId)} can't be written to: ${what}`, {
    documentId,
  })
}

function closedError(folder: string): WeftError {
  return new WeftError('STORE_CLOSED', `the store in ${folder} is closed`)
}

function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new RangeError(`no item at ${index}`)
  return item
}
