import { expect, it } from 'vitest'
import { StoredBytes } from './StoredBytes.ts'

it('gives all entries of a document that was begun anew, however many there were before', () => {
  const update = (value: number) => Uint8Array.of(0, value)
  const entries = [6, 7, 8, 9, 10, 11].map(seq => ({ seq, update: update(seq), time: 1 }))
  const bytes = new StoredBytes({ keptAfter: 5, snapshotSeq: 0, snapshot: null, entries })
  expect(bytes.updatesAfter(0).map(([, value]) => value)).toEqual([6, 7, 8, 9, 10, 11])
  expect(bytes.updatesAfter(9).map(([, value]) => value)).toEqual([10, 11])
})
