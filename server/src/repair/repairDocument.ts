import type { DocumentId } from '@weft/protocol'
import * as Y from 'yjs'
import { checkStoredDocument } from '../backup/checkStoredDocument.ts'
import { Knowledge } from '../crdt/Knowledge.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import { readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import { WeftError } from '../errors.ts'
import { decodeSnapshot, decodeWitnesses, describeDamage, readRecords } from '../log/documentRecords.ts'
import {
  type DocumentKey,
  type DocumentRow,
  decodeCompactionRow,
  decodeNameRow,
  decodeRecord,
  decodeRow,
  documentKey,
  nameKey,
  recordKind,
  recordOverheadBytes,
  rowKey,
  seqOfKey,
} from '../log/levelRecord.ts'
import type { WholeDocument } from '../log/UpdateLog.ts'
import type { FoundDocument } from './FoundRecords.ts'
import type { FoundOperation } from './salvageFiles.ts'

/** Positions `from` to `to`, both included. */
export type SeqRange = readonly [from: number, to: number]

/** What became of one document. */
export interface RepairedDocument {
  /** Where its name is lost: `recovered/` and its hash. */
  readonly documentId: DocumentId
  /**
   * - `whole`: as it was, nothing was wrong with it; `deleted`: its tombstone is there;
   * - `repaired`: made anew of what was found; `lost`: nothing of it was.
   */
  readonly state: 'whole' | 'deleted' | 'repaired' | 'lost'
  /** What is to be stored; null: nothing. */
  readonly document: WholeDocument | null
  /** Entries of its log that were not found, and are in no snapshot that was. */
  readonly lost: readonly SeqRange[]
  /** Entries that were found, and build on what is lost: whoever still has that brings both. */
  readonly leftOut: readonly SeqRange[]
  /** What was wrong, in words. */
  readonly problems: readonly string[]
}

/**
 * Makes a document of all that was found of it. What reads as it should is left as it is, position for position. Of what doesn't,
 * every update with a right checksum counts, wherever it was found: Yjs's updates may come in any order, and twice. They become
 * one snapshot at the old head, so that no position is ever used for something else.
 * @returns null: no document, a write that never took place was taken back
 */
export async function repairDocument(found: FoundDocument): Promise<RepairedDocument | null> {
  const latest = latestOf(found.operations)
  const isKnown = latest.some(({ value }) => value !== null)
  if (!isKnown) return null
  const key = nameOf(found)
  const problem = key === null ? 'its name is lost' : await readAsItIs(key, latest)
  if (problem !== null && typeof problem !== 'string') return problem
  const salvage = new Salvage(key ?? unnamed(found.hash), found)
  return salvage.result([problem ?? 'it is damaged'])
}

function unnamed(hash: Buffer): DocumentKey {
  const documentId = `recovered/${hash.toString('hex')}` as DocumentId
  return { documentId, name: Buffer.from(documentId), hash }
}

/** Its name, by the record under it. */
function nameOf({ operations }: FoundDocument): DocumentKey | null {
  // A row of names begins with the prefix of names, which no other key has.
  const [prefix] = nameKey(Buffer.of())
  const named = operations.find(({ key }) => key[0] === prefix)
  return named === undefined ? null : documentKey(named.key.subarray(1).toString('utf8') as DocumentId)
}

/** Of each key what was written last. */
function latestOf(operations: readonly FoundOperation[]): FoundOperation[] {
  const latest = new Map<string, FoundOperation>()
  for (const operation of operations) {
    const id = operation.key.toString('latin1')
    const known = latest.get(id)
    if (known === undefined || known.sequence <= operation.sequence) latest.set(id, operation)
  }
  return [...latest.values()].sort((a, b) => Buffer.compare(a.key, b.key))
}

/** @returns the document, or what is wrong with it */
async function readAsItIs(key: DocumentKey, latest: readonly FoundOperation[]): Promise<RepairedDocument | string> {
  const valueAt = (place: Buffer) => latest.find(operation => operation.key.equals(place))?.value ?? undefined
  const scan = async (gte: Buffer, lt: Buffer): Promise<[Buffer, Buffer][]> =>
    latest.flatMap(({ key, value }) =>
      value !== null && Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0 ? [[key, value]] : [],
    )
  const row = decodeWitnesses(key, valueAt(rowKey(key.hash)), valueAt(nameKey(key.name)))
  if (row instanceof WeftError) return describeDamage(key, row)
  if (row === null) return 'its row and its name are missing'
  const stored = await readRecords(key, row, scan, true)
  if (stored instanceof WeftError) return describeDamage(key, stored)
  const [problem] = checkStoredDocument(stored)
  if (problem !== undefined) return problem
  const { documentId } = key
  const document = { ...stored, documentId, createdAt: row.createdAt }
  const state = row.deletedAt === null ? 'whole' : 'deleted'
  return { documentId, state, document, lost: [], leftOut: [], problems: [] }
}

interface Times {
  readonly createdAt: number
  readonly deletedAt: number | null
}

/** A document that doesn't read as it should, put together from its records. */
class Salvage {
  readonly #key: DocumentKey
  readonly #operations: readonly FoundOperation[]
  readonly #row: DocumentRow | null
  readonly #times: Times | null
  /** Positions and times up to these were deleted with the document, and don't come back. */
  readonly #deletedSeq: number
  readonly #deletedTime: number
  readonly #entries = new Map<number, { time: number; updates: Uint8Array[] }>()

  constructor(key: DocumentKey, { operations }: FoundDocument) {
    this.#key = key
    this.#operations = operations
    const rows = this.#decoded(recordKind.row, value => decodeRow(value, key))
    const names = this.#decoded(recordKind.name, value => decodeNameRow(value, key))
    // Revisions tell which row is the newest, whatever became of LevelDB's numbers.
    const newest = rows.toSorted((a, b) => b.found.revision - a.found.revision)[0]
    this.#row = newest?.found ?? null
    const name = names.toSorted((a, b) => b.sequence - a.sequence)[0]
    const isNameNewer = name !== undefined && (newest === undefined || name.sequence > newest.sequence)
    this.#times = isNameNewer ? name.found : (newest?.found ?? null)
    const tombstones = rows.filter(({ found }) => found.deletedAt !== null)
    this.#deletedSeq = Math.max(0, ...tombstones.map(({ found }) => found.head))
    const times = [...rows, ...names].map(({ found }) => found.deletedAt ?? 0)
    this.#deletedTime = Math.max(0, ...times)
  }

  #decoded<T extends object>(
    kind: number,
    decode: (value: Buffer, key: Buffer) => T | string,
  ): { found: T; sequence: number }[] {
    return this.#operations.flatMap(({ key, sequence, value }) => {
      if (value === null || value.length < recordOverheadBytes || value[1] !== kind) return []
      const found = decode(value, key)
      return typeof found === 'string' ? [] : [{ found, sequence }]
    })
  }

  async result(problems: readonly string[]): Promise<RepairedDocument> {
    const { documentId } = this.#key
    this.#findEntries()
    const snapshot = await this.#findSnapshot()
    const head = Math.max(this.#row?.head ?? 0, this.#latestSnapshotSeq(), 0, ...this.#entries.keys())
    const createdAt = this.#times?.createdAt ?? Math.min(Date.now(), ...[...this.#entries.values()].map(e => e.time))
    if (this.#times !== null && this.#times.deletedAt !== null) {
      const document = tombstone(documentId, head, createdAt, this.#times.deletedAt)
      return { documentId, state: 'deleted', document, lost: [], leftOut: [], problems }
    }
    const seqs = [...this.#entries.keys()].filter(seq => seq > (snapshot?.seq ?? 0)).sort((a, b) => a - b)
    const lost = missing(Math.max(snapshot?.seq ?? 0, this.#deletedSeq), seqs, head)
    const { doc, leftOut } = this.#replay(snapshot?.update ?? null, seqs)
    const update = Y.encodeStateAsUpdate(doc)
    const isEmpty = snapshot === null && seqs.length === leftOut.length
    if (isEmpty) return { documentId, state: 'lost', document: null, lost, leftOut: asRanges(leftOut), problems }
    const document: WholeDocument = {
      documentId,
      createdAt,
      deletedAt: null,
      head,
      snapshotSeq: head,
      snapshot: update,
      snapshotBytes: update.length,
      knowledge: Knowledge.fromContents(readUpdate(update, NO_LIMITS)).encode(),
      keptAfter: head,
      keptStateVector: Y.encodeStateVector(doc),
      entries: [],
    }
    const [problem] = checkStoredDocument(document)
    if (problem !== undefined)
      throw new Error(`${JSON.stringify(documentId)} was repaired, and is not whole: ${problem}`)
    return { documentId, state: 'repaired', document, lost, leftOut: asRanges(leftOut), problems }
  }

  #findEntries(): void {
    const found = this.#decoded(recordKind.entry, (value, key) => {
      const seq = seqOfKey(key)
      if (seq === null) return 'no key of an entry'
      const record = decodeRecord(value, recordKind.entry, this.#key.hash, seq)
      return typeof record === 'string' ? record : { ...record, seq }
    })
    for (const { found: entry } of found) {
      if (entry.seq <= this.#deletedSeq || entry.time <= this.#deletedTime) continue
      const known = this.#entries.get(entry.seq) ?? { time: entry.time, updates: [] }
      known.updates.push(entry.body)
      this.#entries.set(entry.seq, known)
    }
  }

  #compactions() {
    return this.#decoded(recordKind.compaction, value => {
      const snapshotSeq = value.readUIntBE(22, 6)
      const compaction = decodeCompactionRow(value, this.#key.hash, snapshotSeq)
      return typeof compaction === 'string' ? compaction : { ...compaction, snapshotSeq }
    })
      .map(({ found }) => found)
      .filter(({ snapshotSeq, time }) => snapshotSeq > this.#deletedSeq && time > this.#deletedTime)
      .sort((a, b) => b.snapshotSeq - a.snapshotSeq)
  }

  #latestSnapshotSeq(): number {
    return this.#compactions()[0]?.snapshotSeq ?? 0
  }

  /** The newest one of which every piece is there; LevelDB may still have an older one. */
  async #findSnapshot(): Promise<{ seq: number; update: Uint8Array } | null> {
    for (const compaction of this.#compactions()) {
      const { snapshotSeq } = compaction
      const pieces = new Map<string, readonly [Buffer, Buffer]>()
      for (const { key, value } of this.#operations) {
        if (value === null || key[17] !== recordKind.snapshot || key.readUInt16BE(18) !== compaction.generation)
          continue
        const record = decodeRecord(value, recordKind.snapshot, this.#key.hash, snapshotSeq)
        if (typeof record !== 'string' && record.time === compaction.time) pieces.set(key.toString('hex'), [key, value])
      }
      const sorted = [...pieces.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, piece]) => piece)
      const update = await decodeSnapshot(this.#key, sorted, snapshotSeq, compaction)
      if (update instanceof WeftError || contentsOf(update) === null) continue
      return { seq: snapshotSeq, update }
    }
    return null
  }

  #replay(snapshot: Uint8Array | null, seqs: readonly number[]): { doc: Y.Doc; leftOut: number[] } {
    const doc = new Y.Doc()
    if (snapshot !== null) Y.applyUpdate(doc, snapshot)
    const taken: { seq: number; contents: UpdateContents }[] = []
    const leftOut = new Set<number>()
    for (const seq of seqs) {
      for (const update of this.#entries.get(seq)?.updates ?? []) {
        const contents = contentsOf(update)
        if (contents === null) {
          leftOut.add(seq)
          continue
        }
        Y.applyUpdate(doc, update)
        taken.push({ seq, contents })
      }
    }
    // What waits for something that is lost: a log never holds that.
    doc.store.pendingStructs = null
    doc.store.pendingDs = null
    const known = Y.decodeStateVector(Y.encodeStateVector(doc))
    for (const { seq, contents } of taken) {
      for (const [clientID, { end }] of contents.structs) if ((known.get(clientID) ?? 0) < end) leftOut.add(seq)
    }
    return { doc, leftOut: [...leftOut].sort((a, b) => a - b) }
  }
}

/** Null: it doesn't decode. */
function contentsOf(update: Uint8Array): UpdateContents | null {
  try {
    return readUpdate(update, NO_LIMITS)
  } catch (error) {
    if (error instanceof MalformedUpdate) return null
    throw error
  }
}

function tombstone(documentId: DocumentId, head: number, createdAt: number, deletedAt: number): WholeDocument {
  const nothing = { snapshotSeq: 0, snapshot: null, snapshotBytes: 0, knowledge: null, keptStateVector: null }
  return { documentId, createdAt, deletedAt, head, keptAfter: head, entries: [], ...nothing }
}

/** What of `after + 1 … head` isn't there. @param seqs ascending */
function missing(after: number, seqs: readonly number[], head: number): SeqRange[] {
  const ranges: SeqRange[] = []
  let next = after + 1
  for (const seq of [...seqs, head + 1]) {
    if (seq > next) ranges.push([next, seq - 1])
    next = Math.max(next, seq + 1)
  }
  return ranges
}

function asRanges(seqs: readonly number[]): SeqRange[] {
  const ranges: [number, number][] = []
  for (const seq of seqs) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === seq - 1) last[1] = seq
    else ranges.push([seq, seq])
  }
  return ranges
}
