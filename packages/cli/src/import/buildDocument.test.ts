import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { buildDocument, isEmptyDocument } from './buildDocument.ts'

/** The updates of a document in which one client types letter by letter. */
function typed(text: string, clientID = 1): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (const letter of text) doc.getText('text').insert(doc.getText('text').length, letter)
  return updates
}

const textOf = (ydoc: Y.Doc) => ydoc.getText('text').toString()

describe('buildDocument', () => {
  it('puts updates together in any order, however often they come', () => {
    const updates = typed('hello')
    const { ydoc, problems } = buildDocument([...updates.toReversed(), ...updates])
    expect(textOf(ydoc)).toBe('hello')
    expect(problems).toEqual([])
  })

  it('leaves out what does not decode, and says which update it was', () => {
    const [first = new Uint8Array(), ...rest] = typed('hello')
    const { ydoc, problems } = buildDocument([first, Uint8Array.of(1, 2), ...rest, new Uint8Array()])
    expect(textOf(ydoc)).toBe('hello')
    expect(problems).toEqual([
      expect.stringMatching(/^update 2 of 7 can't be read \(2 bytes: .+\)$/),
      expect.stringMatching(/^update 7 of 7 can't be read \(0 bytes: .+\)$/),
    ])
  })

  it('leaves out what builds on a missing update: nothing of it is ever sent', () => {
    const updates = typed('hello')
    const { ydoc, problems } = buildDocument(updates.filter((_, i) => i !== 2))
    expect(textOf(ydoc)).toBe('he')
    expect(problems).toEqual([expect.stringContaining('the store lacks operations of client 1 from 2 on')])
    const copy = new Y.Doc()
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(ydoc))
    expect(copy.store.pendingStructs).toBe(null)
    expect(textOf(copy)).toBe('he')
  })

  it('leaves out the deletion of what is missing', () => {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'ab')
    const before = Y.encodeStateVector(doc)
    doc.getText('text').delete(0, 1)
    const { ydoc, problems } = buildDocument([Y.encodeStateAsUpdate(doc, before)])
    expect(problems).toEqual([expect.stringContaining('the store lacks what it deletes')])
    expect(isEmptyDocument(ydoc)).toBe(true)
    expect(ydoc.store.pendingDs).toBe(null)
  })

  it('knows a document in which there never was anything from one that was emptied', () => {
    expect(isEmptyDocument(buildDocument([]).ydoc)).toBe(true)
    expect(isEmptyDocument(buildDocument([Uint8Array.of(0, 0)]).ydoc)).toBe(true)
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'a')
    doc.getText('text').delete(0, 1)
    expect(isEmptyDocument(buildDocument([Y.encodeStateAsUpdate(doc)]).ydoc)).toBe(false)
  })
})
