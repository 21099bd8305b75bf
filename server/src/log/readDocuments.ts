import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { decodeWitnesses, describeDamage, readRecords } from './documentRecords.ts'
import type { LevelView } from './LevelStore.ts'
import {
  afterNames,
  allRecords,
  allRows,
  type DocumentKey,
  documentKey,
  documentRange,
  foreignRanges,
  nameKey,
  rowKey,
} from './levelRecord.ts'
import type { DamagedDocument, WholeDocument } from './UpdateLog.ts'

/** Names or rows that are read at a time. */
const pageSize = 256

/**
 * All documents of a store, by their names, one at a time in memory; then how many have lost theirs.
 * Each is read against its witnesses, as `LevelUpdateLog` does ([L2], [L3]).
 * @throws {WeftError} `STORAGE_READ_FAILED`, `STORE_CLOSED`
 */
export async function* readDocuments(view: LevelView): AsyncGenerator<WholeDocument | DamagedDocument> {
  let named = 0
  for await (const [storedKey, nameValue] of pages(view, nameKey(Buffer.of()), afterNames)) {
    const name = storedKey.subarray(1)
    const key = keyOf(name)
    if (key === null) {
      yield { documentId: null, damage: `a name that no document has: ${JSON.stringify(name.toString('utf8'))}` }
      continue
    }
    const { documentId } = key
    const ownRow = rowKey(key.hash)
    const [rowRecord] = await view.scan(ownRow, Buffer.concat([ownRow, Buffer.of(0)]), 1)
    if (rowRecord !== undefined) named++
    const row = decodeWitnesses(key, rowRecord?.[1], nameValue)
    const stored = row instanceof WeftError ? row : await readRecords(key, row, view.scan, true)
    if (stored instanceof WeftError || row instanceof WeftError || row === null) {
      const damage = stored instanceof WeftError ? describeDamage(key, stored) : 'its row is missing'
      yield { documentId, damage }
    } else yield { ...stored, documentId, createdAt: row.createdAt }
  }
  let rows = 0
  for await (const _ of pages(view, ...allRows)) rows++
  if (rows > named) yield { documentId: null, damage: `${rows - named} of ${rows} documents without a name` }
}

/**
 * Looks for what belongs to no document, which nobody ever reads. Takes about as long as reading all small documents.
 * @returns in words; null: nothing
 */
export async function findStrays(view: LevelView): Promise<string | null> {
  let strays = 0
  const look = async (from: Buffer, to: Buffer): Promise<void> => {
    if (Buffer.compare(from, to) < 0 && (await view.scan(from, to, 1)).length > 0) strays++
  }
  // Rows and records are both in the order of the hashes: between the records of one row and of the next there is nothing.
  let [from] = allRecords
  for await (const [storedKey] of pages(view, ...allRows)) {
    const [first, end] = documentRange(storedKey.subarray(1))
    await look(from, first)
    from = end
  }
  await look(from, allRecords[1])
  for (const [first, end] of foreignRanges) await look(first, end)
  if (strays === 0) return null
  return `records that belong to no document, in ${strays === 1 ? '1 place' : `${strays} places`}`
}

/** Records one by one, read in pages. */
async function* pages(view: LevelView, first: Buffer, end: Buffer): AsyncGenerator<[key: Buffer, value: Buffer]> {
  for (let from = first; ; ) {
    const page = await view.scan(from, end, pageSize)
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    from = Buffer.concat([last[0], Buffer.of(0)])
  }
}

/** Null: no document can have this name, which a flipped bit may have made. */
function keyOf(name: Buffer): DocumentKey | null {
  try {
    const key = documentKey(name.toString('utf8') as DocumentId)
    return key.name.equals(name) ? key : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
