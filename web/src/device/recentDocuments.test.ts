import { describe, expect, it } from 'vitest'
import { maxRecentDocuments, parseRecent, withRecent, withTitle } from './recentDocuments.ts'

const entry = (documentId: string, openedAt: number, title = '') => ({ documentId, openedAt, title })

describe('the documents opened on this device', () => {
  it('reads what is stored, newest first', () => {
    const stored = JSON.stringify([entry('a', 1), entry('b', 3, 'B'), entry('c', 2)])
    expect(parseRecent(stored).map(({ documentId }) => documentId)).toEqual(['b', 'c', 'a'])
  })

  it('leaves out what it can’t read, and never fails', () => {
    for (const stored of [null, '', '{', '3', 'null', '{"a":1}']) expect(parseRecent(stored)).toEqual([])
    const mixed = JSON.stringify([
      null,
      7,
      {},
      { documentId: '' },
      { documentId: 'a', openedAt: 'x', title: 5 },
      entry('a', 9),
    ])
    expect(parseRecent(mixed)).toEqual([entry('a', 0)])
  })

  it('puts a document that is opened again in front, once', () => {
    const list = [entry('a', 2), entry('b', 1)]
    expect(withRecent(list, entry('b', 3, 'B'))).toEqual([entry('b', 3, 'B'), entry('a', 2)])
  })

  it('keeps a bounded number, with bounded titles', () => {
    let list = parseRecent(null)
    for (let index = 0; index < maxRecentDocuments + 5; index++)
      list = withRecent(list, entry(`d${index}`, index, 'x'.repeat(500)))
    expect(list).toHaveLength(maxRecentDocuments)
    expect(list[0]).toEqual(entry(`d${maxRecentDocuments + 4}`, maxRecentDocuments + 4, 'x'.repeat(120)))
  })

  it('changes a title in place, and nothing if it is the same', () => {
    const list = [entry('a', 2, 'A'), entry('b', 1, 'B')]
    expect(withTitle(list, 'b', 'New')).toEqual([entry('a', 2, 'A'), entry('b', 1, 'New')])
    expect(withTitle(list, 'b', 'B')).toBe(list)
    expect(withTitle(list, 'c', 'C')).toBe(list)
  })
})
