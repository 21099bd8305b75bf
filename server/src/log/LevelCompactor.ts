import { type DocumentRows, headMoved } from './DocumentRows.ts'
import { damageError, pieceBytes } from './documentRecords.ts'
import type { LevelOperation } from './LevelStore.ts'
import { deleteEntries, deleteKey, putRow } from './levelOperations.ts'
import {
  type CompactionRow,
  type DocumentKey,
  type DocumentRow,
  decodeCompactionRow,
  documentKey,
  encodeCompactionRow,
  encodeRecord,
  generationOf,
  pieceKey,
  pieceRange,
  recordKey,
  recordKind,
} from './levelRecord.ts'
import type { ReopenableStore } from './ReopenableStore.ts'
import type { Compaction } from './UpdateLog.ts'

export interface LevelCompactorOptions {
  /** ms since the epoch. */
  readonly wallTime: () => number
  /** A document was: what its log held before takes space on disk. */
  readonly compacted: (key: DocumentKey) => void
}

/** Replaces logs by snapshots, one at a time: what a compaction takes for left over must not be another one's. */
export class LevelCompactor {
  readonly #store: ReopenableStore
  readonly #rows: DocumentRows
  readonly #options: LevelCompactorOptions
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: ReopenableStore, rows: DocumentRows, options: LevelCompactorOptions) {
    this.#store = store
    this.#rows = rows
    this.#options = options
  }

  /** Resolves when those have ended that were asked for by now. */
  get last(): Promise<unknown> {
    return this.#last
  }

  /** @throws {WeftError} as `UpdateLog.compact` */
  compact(compaction: Compaction): Promise<void> {
    const result = this.#last.then(() => this.#compact(compaction))
    this.#last = result.catch(() => {})
    return result
  }

  async #compact(compaction: Compaction): Promise<void> {
    const { snapshot, snapshotSeq, keptAfter } = compaction
    if (snapshot.length === 0) throw new RangeError('an empty snapshot')
    const key = documentKey(compaction.documentId)
    const time = this.#options.wallTime()
    // Looked at anew at each step: a document may have been deleted meanwhile, or deleted and revived.
    const step = (run: (before: DocumentRow) => Promise<void>) =>
      this.#store.writePart(async () => run(checkCompaction(key, await this.#rows.readLive(key), compaction)))
    let generation = 0
    let old: Buffer[] = []
    await step(async before => {
      const pieces = await this.#store.level.keys(...pieceRange(key.hash))
      const live = await this.#liveGeneration(key, before)
      old = pieces.filter(piece => generationOf(piece) === live)
      generation = freeGeneration(pieces)
      // What compactions left that were cut short, before there is more of it.
      const left = pieces.filter(piece => generationOf(piece) !== live)
      if (left.length > 0) await this.#store.level.write(left.map(deleteKey))
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
    for (let piece = 0; piece < pieceCount - 1; piece++) await step(() => this.#store.level.write([putPiece(piece)]))
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
      await this.#rows.commit(operations, [{ key, before, after }])
    })
    this.#options.compacted(key)
  }

  /** The generation of the present snapshot's pieces; null where there is none. What is damaged is found by who reads it. */
  async #liveGeneration(key: DocumentKey, { snapshotSeq }: DocumentRow): Promise<number | null> {
    if (snapshotSeq === 0) return null
    const [value] = await this.#store.level.get([recordKey(key.hash, recordKind.compaction, 0)])
    const compaction =
      value === undefined ? 'its knowledge is missing' : decodeCompactionRow(value, key.hash, snapshotSeq)
    if (typeof compaction === 'string') throw this.#rows.markDamaged(damageError(key, snapshotSeq, compaction))
    return compaction.generation
  }
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

/** A generation that none of these pieces has. */
function freeGeneration(pieces: readonly Buffer[]): number {
  const used = new Set(pieces.map(generationOf))
  let generation = 0
  while (used.has(generation)) generation++
  return generation
}
