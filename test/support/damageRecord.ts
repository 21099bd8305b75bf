import type { DocumentId } from '@weft/protocol'
import { LevelStore } from '../../server/dist/log/LevelStore.js'
import {
  documentKey,
  pieceRange,
  type RecordKind,
  recordKey,
  recordKind,
  rowKey,
} from '../../server/dist/log/levelRecord.js'

/** Flips a bit in a record of a store whose server doesn't run. */
export async function damageRecord(folder: string, documentId: string, kind: RecordKind, seq: number): Promise<void> {
  const store = new LevelStore(folder)
  await store.open(false)
  const { hash } = documentKey(documentId as DocumentId)
  const [piece = Buffer.of()] = await store.keys(...pieceRange(hash))
  const others = kind === recordKind.row ? rowKey(hash) : recordKey(hash, kind, seq)
  const key = kind === recordKind.snapshot ? piece : others
  const [value] = await store.get([key])
  if (value === undefined) throw new Error(`there is no record of kind ${kind} at ${seq}`)
  const at = value.length >> 1
  value[at] = (value[at] ?? 0) ^ 4
  await store.write([{ type: 'put', key, value }])
  await store.close()
}
