import { randomBytes } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { checkLevelFiles } from './checkLevelFiles.ts'
import { type LevelOperation, LevelStore } from './LevelStore.ts'
import {
  afterNames,
  type CompactionRow,
  type DocumentKey,
  type DocumentRow,
  decodeCompactionRow,
  decodeNameRow,
  decodeRecord,
  decodeRow,
  decodeSentinel,
  documentKey,
  documentRange,
  encodeCompactionRow,
  encodeNameRow,
  encodeRecord,
  encodeRow,
  encodeSentinel,
  everything,
  hashesBeginningWith,
  maxUint48,
  type NameRow,
  nameKey,
  recordFormat,
  recordKey,
  recordKind,
  sentinelKey,
  seqOfKey,
} from './levelRecord.ts'
import { finishFirstStart, measureFolder, prepareFolder, probeWrite } from './storeFolder.ts'
import type {
  Append,
  Compaction,
  ListedDocument,
  ListOptions,
  LogEntry,
  LogState,
  LogStats,
  OpenedDocument,
  StoredDocument,
  UpdateLog,
} from './UpdateLog.ts'

export interface LevelUpdateLogOptions {
  /** The data folder: LevelDB's own, nothing else lives in it. */
  readonly folder: string
  /** Whether an absent or empty folder becomes a new store; without it that is `STORE_MISSING`. */
  readonly create: boolean
  /** How many bytes of tables a start reads to check them, smallest tables first. Default 64 MiB: about 100 ms. */
  readonly checkedTableBytes?: number
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
 * [L2] Every batch that changes a document puts its row (head, bounds of what is kept) along. What a read finds must be exactly
 *      what the row says: LevelDB drops log records and skips blocks without a word, and flips in its tables go unseen.
 * [L3] A document is witnessed twice, by its row and by its name, which are written together and lie in different places: one
 *      without the other, or with another revision, is damage. So a lost row is not an unwritten document, and an old row, which
 *      shows where a newer one is lost, is not the present state.
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
  #store: LevelStore
  #isClosing = false
  #closed: Promise<void> | null = null
  #lastWrite: Promise<unknown> = Promise.resolve()
  #reopening: Promise<unknown> | null = null
  /** Of documents that were written to or read: the last in use, so that neither hashes nor rows are made again. */
  readonly #rows = new Map<DocumentId, { readonly key: DocumentKey; readonly row: DocumentRow }>()
  readonly #damaged = new Map<DocumentId, WeftError>()
  readonly #reclaimable = new Map<DocumentId, Buffer>()
  #failedChanges: Change[] = []

  private constructor(folder: string, store: LevelStore, storeId: Buffer, warnings: readonly string[]) {
    this.#folder = folder
    this.#store = store
    this.storeId = storeId.toString('hex')
    this.warnings = warnings
  }

  /**
   * @throws {WeftError} `STORE_LOCKED`, `STORE_MISSING`, `STORE_FOREIGN`, `STORE_DAMAGED`, `STORE_TOO_NEW`, `STORE_UNWRITABLE`
   */
  static async open(options: LevelUpdateLogOptions): Promise<LevelUpdateLog> {
    const { checkedTableBytes = defaultCheckedTableBytes } = options
    const content = await prepareFolder(options.folder, options.create)
    const warnings = content === 'store' ? await checkLevelFiles(options.folder, checkedTableBytes) : []
    const store = new LevelStore(options.folder)
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
        storeId = randomBytes(16)
        const sentinel = encodeSentinel(recordFormat, storeId, Date.now())
        await store.write([{ type: 'put', key: sentinelKey, value: sentinel }])
      }
      if (content === 'first start') await finishFirstStart(options.folder)
      return new LevelUpdateLog(options.folder, store, storeId, warnings)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  get state(): LogState {
    if (this.#isClosing) return 'closed'
    return this.#store.state === 'open' && this.#failedChanges.length === 0 && !this.#reopening ? 'open' : 'failed'
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
        operations.push(...putRow(key, after, time))
        changes.push({ key, before, after })
      })
      await this.#commit(operations, changes)
    })
  }

  async open(documentId: DocumentId): Promise<OpenedDocument> {
    const { snapshot: _, ...opened } = await this.#readDocument(documentKey(documentId), false)
    return opened
  }

  async read(documentId: DocumentId): Promise<StoredDocument> {
    return this.#readDocument(documentKey(documentId), true)
  }

  async readFrom(documentId: DocumentId, after: number): Promise<LogEntry[] | null> {
    const key = documentKey(documentId)
    await this.#readable()
    const known = this.#rows.get(documentId)?.row.revision ?? 0
    const from = recordKey(key.hash, recordKind.entry, after + 1)
    const records = await this.#store.scan(from, recordKey(key.hash, recordKind.compaction, 0))
    const last = records.pop()
    if (last === undefined) {
      // No row: never written, or damaged: the full read tells.
      await this.#readDocument(key, false)
      return []
    }
    const row = this.#decodeRow(key, last)
    if (row.revision < known)
      throw this.#damage(key, row.head, `its row is of revision ${row.revision}, and was of ${known}`)
    if (after < row.keptAfter) return null
    return this.#decodeEntries(key, records, Math.min(after, row.head), row.head)
  }

  compact(compaction: Compaction): Promise<void> {
    return this.#write(async () => {
      const { snapshotSeq, keptAfter } = compaction
      const key = documentKey(compaction.documentId)
      const [before = null] = await this.#readRows([key])
      this.#refuseDeleted(key, before)
      const { head, ...old } = before ?? { head: 0, snapshotSeq: 0, keptAfter: 0 }
      if (
        before === null ||
        !Number.isSafeInteger(snapshotSeq) ||
        !Number.isSafeInteger(keptAfter) ||
        snapshotSeq < Math.max(old.snapshotSeq, old.keptAfter, 1) ||
        snapshotSeq > head ||
        keptAfter < old.keptAfter ||
        keptAfter > snapshotSeq
      ) {
        const present = `head ${head}, snapshot up to ${old.snapshotSeq}, kept after ${old.keptAfter}`
        throw headMoved(
          key,
          `a snapshot up to ${snapshotSeq}, kept after ${keptAfter} doesn't fit its log (${present})`,
        )
      }
      if (compaction.snapshot.length === 0) throw new RangeError('an empty snapshot')
      const time = Date.now()
      const row: CompactionRow = { ...compaction, snapshotBytes: compaction.snapshot.length }
      const snapshot = encodeRecord(
        { kind: recordKind.snapshot, hash: key.hash, seq: snapshotSeq, time },
        compaction.snapshot,
      )
      const after: DocumentRow = { ...before, revision: before.revision + 1, snapshotSeq, keptAfter }
      const compactionKey = recordKey(key.hash, recordKind.compaction, 0)
      const operations: LevelOperation[] = [
        { type: 'put', key: recordKey(key.hash, recordKind.snapshot, 0), value: snapshot },
        { type: 'put', key: compactionKey, value: encodeCompactionRow(key.hash, snapshotSeq, row, time) },
        ...putRow(key, after, time),
        ...deleteEntries(key, old.keptAfter, keptAfter),
      ]
      await this.#commit(operations, [{ key, before, after }])
      this.#reclaimable.set(key.documentId, key.hash)
    })
  }

  delete(documentId: DocumentId, time: number): Promise<void> {
    return this.#write(async () => {
      checkTime(time)
      const key = documentKey(documentId)
      const [before = null] = await this.#readRows([key])
      if (before === null || before.deletedAt !== null) return
      const after: DocumentRow = {
        ...before,
        revision: before.revision + 1,
        deletedAt: time,
        snapshotSeq: 0,
        keptAfter: before.head,
      }
      const operations: LevelOperation[] = [
        { type: 'del', key: recordKey(key.hash, recordKind.snapshot, 0) },
        { type: 'del', key: recordKey(key.hash, recordKind.compaction, 0) },
        ...putRow(key, after, time),
        ...deleteEntries(key, before.keptAfter, before.head),
      ]
      await this.#commit(operations, [{ key, before, after }])
      this.#reclaimable.set(documentId, key.hash)
    })
  }

  revive(documentId: DocumentId): Promise<void> {
    return this.#write(async () => {
      const key = documentKey(documentId)
      const [before = null] = await this.#readRows([key])
      if (before === null || before.deletedAt === null) return
      const after: DocumentRow = { ...before, revision: before.revision + 1, deletedAt: null }
      await this.#commit(putRow(key, after, before.deletedAt), [{ key, before, after }])
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
      const page = await this.#store.scan(from, afterNames, listPageSize)
      for (const [storedKey, value] of page) {
        const name = storedKey.subarray(1)
        if (!name.subarray(0, prefix.length).equals(prefix)) return
        from = nameAfter(name)
        const key = documentKey(name.toString('utf8') as DocumentId)
        const row = this.#decodeName(key, value)
        if (row === null || (row.deletedAt !== null && options.deleted !== true)) continue
        const { createdAt, deletedAt } = row
        yield { documentId: key.documentId, createdAt, deletedAt }
        if (--left <= 0) return
      }
      if (page.length < listPageSize) return
    }
  }

  async reclaim(): Promise<void> {
    await this.#readable()
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
      await probeWrite(this.#folder, 4096)
      return this.state === 'open'
    } catch (error) {
      if (error instanceof WeftError && error.code === 'STORE_UNWRITABLE') return false
      throw error
    }
  }

  reopen(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.state === 'open') return
      // Opening rewrites LevelDB's log as a table. As long as there is no space for that, the present handle still reads.
      const { logBytes } = await measureFolder(this.#folder)
      await probeWrite(this.#folder, logBytes + (1 << 20)).catch(error => {
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
    const { bytes, freeBytes } = await measureFolder(this.#folder)
    return { bytes, freeBytes }
  }

  async approximateSize(documentId: DocumentId): Promise<number> {
    await this.#readable()
    return this.#store.approximateSize(...documentRange(documentKey(documentId).hash))
  }

  close(): Promise<void> {
    this.#isClosing = true
    this.#closed ??= this.#lastWrite.then(() => this.#store.close())
    return this.#closed
  }

  async #openAgain(): Promise<void> {
    await this.#store.close()
    this.#rows.clear()
    await checkLevelFiles(this.#folder, 0)
    this.#store = new LevelStore(this.#folder)
    await this.#store.open(false)
    if ((await readSentinel(this.#store, this.#folder))?.toString('hex') !== this.storeId) {
      throw new WeftError('STORE_FOREIGN', `${this.#folder} holds another store than before`)
    }
    await this.#takeBack()
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
      if (before !== null) return [...entries, ...putRow(key, before, before.createdAt)]
      return [
        ...entries,
        { type: 'del', key: recordKey(key.hash, recordKind.row, 0) },
        { type: 'del', key: nameKey(key.name) },
      ]
    })
    this.#rows.clear()
    if (operations.length > 0) await this.#store.write(operations)
    this.#failedChanges = []
  }

  /** [L1] */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isClosing) return Promise.reject(closedError(this.#folder))
    const result = this.#lastWrite.then(run)
    this.#lastWrite = result.catch(() => {})
    return result
  }

  #write(run: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      if (this.state === 'failed') throw this.#refusal()
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
    this.#rows.delete(key.documentId)
    this.#rows.set(key.documentId, { key, row })
    if (this.#rows.size > maxRows) {
      for (const oldest of this.#rows.keys()) {
        this.#rows.delete(oldest)
        break
      }
    }
  }

  /** Rows for a write. Of a document that wasn't read before, this sees whether row and name agree, and not its entries. */
  async #readRows(keys: readonly DocumentKey[]): Promise<(DocumentRow | null)[]> {
    for (const key of keys) {
      const damage = this.#damaged.get(key.documentId)
      if (damage) throw damage
    }
    const unknown = keys.filter(key => !this.#rows.has(key.documentId))
    const found = new Map<DocumentId, DocumentRow | null>()
    if (unknown.length > 0) {
      const wanted = unknown.flatMap(key => [recordKey(key.hash, recordKind.row, 0), nameKey(key.name)])
      const values = await this.#store.get(wanted)
      unknown.forEach((key, i) => {
        const value = values[2 * i]
        const name = values[2 * i + 1]
        const row = value ? decodeRow(value, key) : null
        if (typeof row === 'string') throw this.#damage(key, 0, row)
        if ((row === null) !== (name === undefined))
          throw this.#damage(key, 0, row ? 'its name is missing' : 'its row is missing')
        found.set(key.documentId, row)
        if (row) this.#remember(key, row)
      })
    }
    return keys.map(key => this.#rows.get(key.documentId)?.row ?? found.get(key.documentId) ?? null)
  }

  async #readDocument(key: DocumentKey, withSnapshot: boolean): Promise<StoredDocument> {
    await this.#readable()
    const from = recordKey(key.hash, recordKind.entry, 0)
    const to = recordKey(key.hash, recordKind.snapshot, withSnapshot ? 1 : 0)
    const readName = async (): Promise<NameRow | null> =>
      this.#decodeName(key, (await this.#store.get([nameKey(key.name)]))[0])
    // Two views, and a write may come between them: revisions only grow, so that this order tells a write from a loss. [L3]
    const nameBefore = await readName()
    const records = await this.#store.scan(from, to)
    const rowIndex = records.findLastIndex(([storedKey]) => storedKey[17] === recordKind.row)
    const rowRecord = records[rowIndex]
    if (rowRecord === undefined) {
      if (records.length > 0)
        throw this.#damage(key, 0, `its row is missing, ${records.length} other records are there`)
      if (nameBefore !== null) throw this.#witnessError(key, null, nameBefore)
      return neverWritten
    }
    const row = this.#decodeRow(key, rowRecord)
    if (nameBefore?.revision !== row.revision) {
      const nameAfter = await readName()
      const isWrittenMeanwhile =
        (nameBefore?.revision ?? 0) < row.revision && row.revision <= (nameAfter?.revision ?? 0)
      if (!isWrittenMeanwhile) throw this.#witnessError(key, row, nameBefore)
    }
    // [L2]
    const entries = this.#decodeEntries(key, records.slice(0, rowIndex), row.keptAfter, row.head)
    const [compactionRecord, snapshotRecord] = records.slice(rowIndex + 1)
    const { head, snapshotSeq, keptAfter, deletedAt } = row
    const opened = { head, snapshotSeq, keptAfter, deletedAt, entries }
    if (snapshotSeq === 0) {
      if (compactionRecord !== undefined) throw this.#damage(key, 0, 'there is a snapshot that its row does not name')
      return { ...opened, snapshotBytes: 0, knowledge: null, keptStateVector: null, snapshot: null }
    }
    if (compactionRecord?.[0][17] !== recordKind.compaction)
      throw this.#damage(key, snapshotSeq, 'its knowledge is missing')
    const compaction = decodeCompactionRow(compactionRecord[1], key.hash, snapshotSeq)
    if (typeof compaction === 'string') throw this.#damage(key, snapshotSeq, compaction)
    if (compaction.keptAfter !== keptAfter) {
      throw this.#damage(key, snapshotSeq, `kept after ${compaction.keptAfter}, and ${keptAfter} by its row`)
    }
    const { snapshotBytes, knowledge, keptStateVector } = compaction
    const stored = { ...opened, snapshotBytes, knowledge, keptStateVector }
    if (!withSnapshot) return { ...stored, snapshot: null }
    if (snapshotRecord === undefined) throw this.#damage(key, snapshotSeq, 'its snapshot is missing')
    const snapshot = decodeRecord(snapshotRecord[1], recordKind.snapshot, key.hash, snapshotSeq)
    if (typeof snapshot === 'string') throw this.#damage(key, snapshotSeq, `${snapshot}, its snapshot`)
    if (snapshot.body.length !== snapshotBytes) {
      throw this.#damage(key, snapshotSeq, `a snapshot of ${snapshot.body.length} bytes, not ${snapshotBytes}`)
    }
    return { ...stored, snapshot: snapshot.body }
  }

  #decodeName(key: DocumentKey, value: Buffer | undefined): NameRow | null {
    if (value === undefined) return null
    const name = decodeNameRow(value, key)
    if (typeof name === 'string') throw this.#damage(key, 0, `${name} under its name`)
    return name
  }

  #witnessError(key: DocumentKey, row: DocumentRow | null, name: NameRow | null): WeftError {
    if (row === null) return this.#damage(key, 0, 'its row is missing, its name is there')
    if (name === null) return this.#damage(key, 0, 'its name is missing, its row is there')
    return this.#damage(key, row.head, `its row is of revision ${row.revision}, its name of ${name.revision}`)
  }

  #decodeRow(key: DocumentKey, [storedKey, value]: readonly [Buffer, Buffer]): DocumentRow {
    if (storedKey[17] !== recordKind.row) throw this.#damage(key, 0, 'its row is missing')
    const row = decodeRow(value, key)
    if (typeof row === 'string') throw this.#damage(key, 0, row)
    return row
  }

  /** Exactly the entries `after + 1 … head`. */
  #decodeEntries(
    key: DocumentKey,
    records: readonly (readonly [Buffer, Buffer])[],
    after: number,
    head: number,
  ): LogEntry[] {
    const entries: LogEntry[] = []
    let seq = after
    for (const [storedKey, value] of records) {
      seq++
      const stored = seqOfKey(storedKey)
      if (stored === null) throw this.#damage(key, seq, `a key of ${storedKey.length} bytes`)
      if (stored !== seq || seq > head) {
        const expected = seq > head ? `the end, after ${head}` : `${seq}`
        throw this.#damage(key, seq, `entry ${stored} in place of ${expected}`)
      }
      const record = decodeRecord(value, recordKind.entry, key.hash, seq)
      if (typeof record === 'string') throw this.#damage(key, seq, record)
      entries.push({ seq, update: record.body, time: record.time })
    }
    if (seq !== head) throw this.#damage(key, seq + 1, `entries ${seq + 1} to ${head} are missing`)
    return entries
  }

  #damage(key: DocumentKey, seq: number, what: string): WeftError {
    const name = JSON.stringify(key.documentId)
    const place = seq > 0 ? ` at entry ${seq}` : ''
    const error = new WeftError('DOCUMENT_DAMAGED', `the stored document ${name} is damaged${place}: ${what}`, {
      documentId: key.documentId,
      seq,
    })
    this.#damaged.set(key.documentId, error)
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
    // A reopening that fails is told to its caller; a read then finds the store closed.
    if (this.#reopening) await this.#reopening.catch(() => {})
    if (this.#isClosing) throw closedError(this.#folder)
    if (this.#store.state === 'closed') {
      throw new WeftError('STORAGE_READ_FAILED', `the store in ${this.#folder} could not be opened again yet`)
    }
  }
}

const neverWritten: StoredDocument = {
  head: 0,
  snapshotSeq: 0,
  snapshotBytes: 0,
  knowledge: null,
  keptAfter: 0,
  keptStateVector: null,
  entries: [],
  deletedAt: null,
  snapshot: null,
}

async function readSentinel(store: LevelStore, folder: string): Promise<Buffer | null> {
  const [value] = await store.get([sentinelKey])
  if (value === undefined) return null
  const sentinel = decodeSentinel(value)
  if (typeof sentinel === 'string')
    throw new WeftError('STORE_DAMAGED', `the sentinel of the store in ${folder} is ${sentinel}`)
  if (sentinel.format > recordFormat) {
    const formats = `format ${sentinel.format}, and this version knows ${recordFormat}`
    throw new WeftError('STORE_TOO_NEW', `the store in ${folder} was written by a newer version (${formats})`)
  }
  return sentinel.storeId
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

/** Row and name, always together [L3]. */
function putRow(key: DocumentKey, row: DocumentRow, time: number): LevelOperation[] {
  return [
    { type: 'put', key: recordKey(key.hash, recordKind.row, 0), value: encodeRow(key, row, time) },
    { type: 'put', key: nameKey(key.name), value: encodeNameRow(key, row) },
  ]
}

function deleteEntries(key: DocumentKey, after: number, upTo: number): LevelOperation[] {
  const operations: LevelOperation[] = []
  for (let seq = after + 1; seq <= upTo; seq++)
    operations.push({ type: 'del', key: recordKey(key.hash, recordKind.entry, seq) })
  return operations
}

/** The first key after that name's. */
function nameAfter(name: Buffer): Buffer {
  return Buffer.concat([nameKey(name), Buffer.from([0])])
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
