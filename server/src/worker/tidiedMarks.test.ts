import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../../../test/crdt/Random.ts'
import { readUpdate } from '../crdt/readUpdate.ts'
import { DEFAULT_UPDATE_LIMITS } from '../crdt/UpdateLimits.ts'
import { tidiedMarks } from './tidiedMarks.ts'

const seed = Number(process.env.WEFT_TEST_SEED ?? Date.now() % 2 ** 31)

function newDoc(clientID: number, update?: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = clientID
  if (update !== undefined) Y.applyUpdate(doc, update)
  return doc
}

/** The same document, as a log gives it: of its root types no class is known. */
const logged = (doc: Y.Doc): Y.Doc => newDoc(9, Y.encodeStateAsUpdate(doc))

/** What a change of somebody else deletes; it does nothing else. */
function deletionsOf(doc: Y.Doc, change: (doc: Y.Doc) => void): Map<number, number[]> {
  const other = newDoc(8, Y.encodeStateAsUpdate(doc))
  other.getText('text')
  const updates: Uint8Array[] = []
  other.on('update', update => updates.push(update))
  other.transact(() => change(other))
  const { structs, deletes } = readUpdate(Y.mergeUpdates(updates), DEFAULT_UPDATE_LIMITS)
  expect([structs.size, deletes.size]).toEqual([0, 1])
  return new Map([...deletes].map(([clientID, ranges]) => [clientID, [...ranges]]))
}

const marksOf = (doc: Y.Doc): Y.Item[] => {
  const marks: Y.Item[] = []
  for (let item = doc.getText('text')._start; item !== null; item = item.right) {
    if (!item.deleted && item.content instanceof Y.ContentFormat) marks.push(item)
  }
  return marks
}

function rangesOf(items: readonly Y.Item[]): Map<number, number[]> {
  const ranges = new Map<number, number[]>()
  for (const { id } of [...items].sort((a, b) => a.id.clock - b.id.clock)) {
    ranges.set(id.client, [...(ranges.get(id.client) ?? []), id.clock, id.clock + 1])
  }
  return ranges
}

describe('deletions of a reader', () => {
  it('are an edit where they take text, a part of it too, an embedded type, or an entry of a map', () => {
    const doc = newDoc(1)
    doc.getText('text').insert(0, 'hello')
    doc.getArray('list').insert(0, [new Y.Text('inside')])
    doc.getMap('map').set('key', 1)
    for (const change of [
      (other: Y.Doc) => other.getText('text').delete(1, 2),
      (other: Y.Doc) => other.getArray('list').delete(0, 1),
      (other: Y.Doc) => other.getMap('map').delete('key'),
    ]) {
      expect(tidiedMarks(logged(doc), deletionsOf(doc, change))).toBeNull()
    }
  })

  it('are an edit where they end a format, at the end of a text and before more of it', () => {
    for (const rest of ['', ' there']) {
      const doc = newDoc(1)
      doc.getText('text').insert(0, rest)
      doc.getText('text').insert(0, 'hello', { bold: true })
      const unbold = deletionsOf(doc, other => other.getText('text').format(0, 5, { bold: null }))
      expect(tidiedMarks(logged(doc), unbold)).toBeNull()
    }
  })

  it('are an edit where somebody who types on would see it', () => {
    const doc = newDoc(1)
    doc.getText('text').insert(0, 'hello', { bold: true })
    expect(tidiedMarks(logged(doc), rangesOf(marksOf(doc).slice(1)))).toBeNull()
  })

  it('are none where they take marks of no use; but those together with what is left may be one', () => {
    // Both make it bold at once: two marks at each end.
    const doc = newDoc(1)
    doc.getText('text').insert(0, 'hello there')
    const [ann, bo] = [newDoc(2, Y.encodeStateAsUpdate(doc)), newDoc(3, Y.encodeStateAsUpdate(doc))]
    for (const each of [ann, bo]) each.getText('text').format(0, 5, { bold: true })
    const both = logged(doc)
    for (const each of [ann, bo]) Y.applyUpdate(both, Y.encodeStateAsUpdate(each))
    const [own, others] = [2, 3].map(client => rangesOf(marksOf(both).filter(({ id }) => id.client === client)))
    if (own === undefined || others === undefined) throw new Error('two clients')
    expect([own.size, others.size]).toEqual([1, 1])
    expect(tidiedMarks(both, own)).toEqual(own)
    expect(tidiedMarks(both, others)).toEqual(others)
    expect(tidiedMarks(both, new Map([...own, ...others]))).toBeNull()
  })

  it('are none where everything is deleted already, or not known', () => {
    const [ann, bo] = [newDoc(1), newDoc(2)]
    ann.getMap('map').set('key', 'ann')
    bo.getMap('map').set('key', 'bo')
    Y.applyUpdate(ann, Y.encodeStateAsUpdate(bo))
    const { deletes } = readUpdate(Y.encodeStateAsUpdate(ann), DEFAULT_UPDATE_LIMITS)
    expect(deletes.size).toBe(1)
    // Two set one key at once: a log has both, and no deletion of the one that lost.
    const doc = newDoc(9, Y.encodeStateAsUpdate(newDoc(1)))
    for (const each of [ann, bo]) Y.applyUpdate(doc, Y.encodeStateAsUpdate(each))
    expect(tidiedMarks(doc, deletes)).toEqual(new Map())
    expect(tidiedMarks(doc, new Map([[7, [0, 3]]]))).toEqual(new Map())
    expect(tidiedMarks(newDoc(9), new Map())).toEqual(new Map())
  })

  it(`are none exactly where each letter looks as before (seed ${seed})`, () => {
    const random = new Random(seed)
    const values = [true, null, 'red', { href: 'a' }]
    let edits = 0
    for (let round = 0; round < 300; round++) {
      const base = newDoc(1)
      base.getText('text').insert(0, 'abcdefgh.')
      const writers = [2, 3].map(clientID => newDoc(clientID, Y.encodeStateAsUpdate(base)))
      for (const writer of writers) {
        const text = writer.getText('text')
        for (let i = random.below(4); i >= 0; i--) {
          // The last letter stays as it is: what follows it is another test's.
          const length = text.length - 1
          const at = random.below(length)
          const key = random.below(2) === 0 ? 'bold' : 'mark'
          text.format(at, 1 + random.below(length - at), { [key]: values[random.below(values.length)] })
          if (random.below(3) === 0) text.delete(random.below(length), 1)
        }
      }
      const doc = logged(base)
      for (const writer of writers) Y.applyUpdate(doc, Y.encodeStateAsUpdate(writer))
      const chosen = marksOf(doc).filter(() => random.below(2) === 0)
      const deletes = rangesOf(chosen)
      const before = looks(doc)
      const isEdit = tidiedMarks(doc, deletes) === null
      doc.transact(transaction => {
        for (const mark of chosen) mark.delete(transaction)
      })
      expect([round, isEdit]).toEqual([round, before !== looks(doc)])
      if (isEdit) edits++
    }
    expect(edits).toBeGreaterThan(0)
    expect(edits).toBeLessThan(300)
  })
})

/** Each letter with its attributes. */
function looks(doc: Y.Doc): string {
  const letters: unknown[] = []
  for (const { insert, attributes = {} } of newDoc(10, Y.encodeStateAsUpdate(doc)).getText('text').toDelta()) {
    for (const letter of insert) letters.push([letter, Object.entries(attributes).sort()])
  }
  return JSON.stringify(letters)
}
