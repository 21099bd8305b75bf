import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { admitUpdate } from './admitUpdate.ts'
import { EMPTY_UPDATE, isStructFree } from './emptyUpdate.ts'
import { Knowledge } from './Knowledge.ts'
import { MalformedUpdate, readUpdate, type UpdateContents } from './readUpdate.ts'
import { trimUpdate } from './trimUpdate.ts'
import { DEFAULT_UPDATE_LIMITS } from './UpdateLimits.ts'

function read(update: Uint8Array): UpdateContents {
  return readUpdate(update, DEFAULT_UPDATE_LIMITS)
}

function createDocument(clientID: number, ...updates: Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = clientID
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}

/** The update of one change. */
function change(doc: Y.Doc, edit: (doc: Y.Doc) => void): Uint8Array {
  const updates: Uint8Array[] = []
  const listener = (update: Uint8Array) => updates.push(update)
  doc.on('update', listener)
  doc.transact(() => edit(doc))
  doc.off('update', listener)
  return Y.mergeUpdates(updates)
}

function typed(clientID: number, text: string): { doc: Y.Doc; update: Uint8Array } {
  const doc = createDocument(clientID)
  return { doc, update: change(doc, () => doc.getText('t').insert(0, text)) }
}

describe('what an update brings', () => {
  it('brings structs beyond the state vector', () => {
    const { doc, update } = typed(5, 'hello')
    const more = change(doc, () => doc.getText('t').insert(5, '!'))
    const knowledge = new Knowledge()
    expect(knowledge.isEmpty).toBe(true)
    expect(knowledge.brings(read(update))).toBe(true)
    knowledge.add(read(update))
    expect(knowledge.isEmpty).toBe(false)
    expect(knowledge.stateVector).toEqual(new Map([[5, 5]]))
    expect(knowledge.brings(read(update))).toBe(false)
    expect(knowledge.brings(read(more))).toBe(true)
    expect(knowledge.brings(read(EMPTY_UPDATE))).toBe(false)
  })

  it('brings deletions that are not known, and no others', () => {
    const { doc, update } = typed(5, 'hello')
    const first = change(doc, () => doc.getText('t').delete(1, 1))
    const second = change(doc, () => doc.getText('t').delete(1, 2))
    const knowledge = Knowledge.fromContents(read(update))
    expect(isStructFree(read(first))).toBe(true)
    expect(isStructFree(read(update))).toBe(false)
    expect(knowledge.brings(read(first))).toBe(true)
    knowledge.add(read(first))
    expect(knowledge.brings(read(first))).toBe(false)
    expect(knowledge.brings(read(second))).toBe(true)
    knowledge.add(read(second))
    expect(knowledge.deletes).toEqual(new Map([[5, [1, 4]]]))
    expect(knowledge.rangeCount).toBe(1)
    expect(knowledge.brings(read(Y.encodeStateAsUpdate(doc)))).toBe(false)
  })
})

describe('whose operations it brings', () => {
  it('names the clients that it extends, not those that it repeats', () => {
    const ann = typed(5, 'hello')
    const bo = createDocument(6, ann.update)
    bo.getText('t').insert(5, '!')
    const both = read(Y.encodeStateAsUpdate(bo))
    expect(new Knowledge().extendedClients(both)).toEqual([6, 5])
    const knowledge = Knowledge.fromContents(read(ann.update))
    expect(knowledge.extendedClients(both)).toEqual([6])
    knowledge.add(both)
    expect(knowledge.extendedClients(both)).toEqual([])
  })
})

describe('what is missing', () => {
  it('names the clocks that must be reached', () => {
    const ann = typed(5, 'hello')
    const bo = createDocument(6, ann.update)
    const answer = change(bo, () => bo.getText('t').insert(5, ' you'))
    const later = change(ann.doc, () => ann.doc.getText('t').insert(5, '!'))
    const knowledge = new Knowledge()
    expect(knowledge.missing(read(answer))).toEqual(new Map([[5, 5]]))
    expect(knowledge.missing(read(later))).toEqual(new Map([[5, 5]]))
    expect(knowledge.missing(read(ann.update))).toBe(null)
    knowledge.add(read(ann.update))
    expect(knowledge.missing(read(answer))).toBe(null)
    expect(knowledge.missing(read(later))).toBe(null)
  })

  it('names deletions of what is not known', () => {
    const { doc, update } = typed(5, 'hello')
    const deletion = change(doc, () => doc.getText('t').delete(1, 3))
    expect(new Knowledge().missing(read(deletion))).toEqual(new Map([[5, 4]]))
    expect(Knowledge.fromContents(read(update)).missing(read(deletion))).toBe(null)
  })

  it('adds nothing that lacks something', () => {
    const { doc } = typed(5, 'hello')
    const later = change(doc, () => doc.getText('t').insert(5, '!'))
    const knowledge = new Knowledge()
    expect(() => knowledge.add(read(later))).toThrow(RangeError)
    expect(() => Knowledge.fromContents(read(later))).toThrow(RangeError)
    expect(knowledge.isEmpty).toBe(true)
  })
})

describe('what is known already', () => {
  it('is cut off before the rest is stored', () => {
    const { doc, update } = typed(5, 'hello')
    doc.getText('t').insert(5, ' world')
    const all = Y.encodeStateAsUpdate(doc)
    const knowledge = Knowledge.fromContents(read(update))
    expect(knowledge.overlaps(read(all))).toBe(true)
    const rest = admitUpdate(knowledge, all, read(all), DEFAULT_UPDATE_LIMITS)
    expect(rest).toEqual(trimUpdate(all, new Map([[5, 5]])))
    expect(read(rest ?? EMPTY_UPDATE).structs).toEqual(new Map([[5, { start: 5, end: 11 }]]))
    expect(
      createDocument(7, update, rest ?? EMPTY_UPDATE)
        .getText('t')
        .toString(),
    ).toBe('hello world')
    expect(knowledge.stateVector).toEqual(new Map([[5, 11]]))
    expect(admitUpdate(knowledge, all, read(all), DEFAULT_UPDATE_LIMITS)).toBe(null)
  })

  it('does not come twice in two shapes', () => {
    const { doc } = typed(5, 'hello')
    const update = Y.encodeStateAsUpdate(doc)
    // The same client, the first two operations as garbage.
    const garbage = Uint8Array.of(1, 1, 5, 0, 0, 2, 0)
    const knowledge = Knowledge.fromContents(read(garbage))
    const rest = admitUpdate(knowledge, update, read(update), DEFAULT_UPDATE_LIMITS)
    const replica = createDocument(7, garbage, rest ?? EMPTY_UPDATE)
    expect(Y.encodeStateVector(replica)).toEqual(knowledge.encodeStateVector())
  })

  it('returns the update itself where all of it is new', () => {
    const { update } = typed(5, 'hello')
    expect(admitUpdate(new Knowledge(), update, read(update), DEFAULT_UPDATE_LIMITS)).toBe(update)
  })
})

describe('entries of several characters under a key', () => {
  /** `center` at key `align` of root map `m`, by client 5: six operations. */
  const entry = Uint8Array.of(1, 1, 5, 0, 0x24, 1, 1, 0x6d, 1, 0x61, 6, ...Buffer.from('center'), 0)
  /** A struct of client 6 with this text and this origin, and with these further blocks and deletions. */
  const follow = (clientID: number, clock: number, text: string): Uint8Array =>
    Uint8Array.of(1, 1, 6, 0, 0x84, clientID, clock, text.length, ...Buffer.from(text), 0)

  it('are taken, and replaced, and deleted', () => {
    const replaced = follow(5, 5, 'left')
    const deleted = Uint8Array.of(0, 1, 5, 1, 0, 6)
    for (const next of [replaced, deleted]) {
      const knowledge = Knowledge.fromContents(read(entry))
      expect(knowledge.objection(read(next))).toBe(null)
    }
  })

  it('are not cut by an origin, a right origin or a deletion', () => {
    const knowledge = Knowledge.fromContents(read(entry))
    const right = Uint8Array.of(1, 1, 6, 0, 0x44, 5, 3, 1, 0x78, 0)
    const rightAtStart = Uint8Array.of(1, 1, 6, 0, 0x44, 5, 0, 1, 0x78, 0)
    expect(knowledge.objection(read(follow(5, 2, 'x')))).toMatch(/in two/)
    expect(knowledge.objection(read(right))).toMatch(/in two/)
    expect(knowledge.objection(read(rightAtStart))).toBe(null)
    expect(knowledge.objection(read(Uint8Array.of(0, 1, 5, 1, 2, 4)))).toMatch(/in two/)
    expect(knowledge.objection(read(Uint8Array.of(0, 1, 5, 1, 0, 5)))).toMatch(/in two/)
    const update = follow(5, 2, 'x')
    expect(() => admitUpdate(knowledge, update, read(update), DEFAULT_UPDATE_LIMITS)).toThrow(MalformedUpdate)
    expect(knowledge.stateVector).toEqual(new Map([[5, 6]]))
  })

  it('may be cut once they are deleted', () => {
    const knowledge = Knowledge.fromContents(read(entry))
    knowledge.add(read(Uint8Array.of(0, 1, 5, 1, 0, 6)))
    expect(knowledge.objection(read(follow(5, 2, 'x')))).toBe(null)
  })

  it('are known by what they follow, through other updates and after decoding', () => {
    let knowledge = Knowledge.fromContents(read(entry))
    knowledge.add(read(follow(5, 5, 'left')))
    knowledge = Knowledge.decode(knowledge.encode()).clone()
    const cut = Uint8Array.of(1, 1, 7, 0, 0x84, 6, 1, 1, 0x78, 0)
    expect(knowledge.objection(read(cut))).toMatch(/in two/)
    expect(knowledge.objection(read(Uint8Array.of(1, 1, 7, 0, 0x84, 6, 3, 1, 0x78, 0)))).toBe(null)
  })

  it('are not cut within the update that brings them', () => {
    // Client 6: `left` after the entry, and then `x` after its second character; client 5's own, in one block.
    const own = Uint8Array.of(1, 2, 6, 0, 0x84, 5, 5, 4, ...Buffer.from('left'), 0x84, 6, 1, 1, 0x78, 0)
    expect(Knowledge.fromContents(read(entry)).objection(read(own))).toMatch(/in two/)
    const other = [1, 7, 0, 0x84, 6, 1, 1, 0x78, 1, 6, 0, 0x84, 5, 5, 4, ...Buffer.from('left'), 0]
    expect(Knowledge.fromContents(read(entry)).objection(read(Uint8Array.of(2, ...other)))).toMatch(/in two/)
    // The same after a text: honest.
    const text = Uint8Array.of(1, 1, 5, 0, 0x04, 1, 1, 0x6d, 6, ...Buffer.from('center'), 0)
    expect(Knowledge.fromContents(read(text)).objection(read(own))).toBe(null)
    expect(Knowledge.fromContents(read(text)).objection(read(Uint8Array.of(2, ...other)))).toBe(null)
  })
})

describe('encoded forms', () => {
  function example(): Knowledge {
    const ann = typed(300, 'hello world')
    const bo = createDocument(2 ** 32 - 1, ann.update)
    const updates = [ann.update, change(bo, () => bo.getText('t').insert(3, 'abc'))]
    updates.push(
      change(bo, () => bo.getText('t').delete(1, 4)),
      change(bo, () => bo.getMap('m').set('k', 1)),
    )
    updates.push(change(bo, () => bo.getText('t').delete(6, 2)))
    const knowledge = new Knowledge()
    for (const update of updates) knowledge.add(read(update))
    return knowledge
  }

  it('encodes the state vector as Yjs does', () => {
    const knowledge = example()
    expect(Y.decodeStateVector(knowledge.encodeStateVector())).toEqual(knowledge.stateVector)
    expect(new Knowledge().encodeStateVector()).toEqual(Y.encodeStateVector(new Y.Doc()))
  })

  it('encodes the delete set as an update without structs', () => {
    const knowledge = example()
    const contents = read(knowledge.encodeDeleteSet())
    expect(contents.structs.size).toBe(0)
    expect(contents.deletes).toEqual(knowledge.deletes)
    expect(knowledge.rangeCount).toBeGreaterThan(2)
    expect(new Knowledge().encodeDeleteSet()).toEqual(EMPTY_UPDATE)
  })

  it('keeps them until something is added', () => {
    const knowledge = example()
    const stateVector = knowledge.encodeStateVector()
    const deleteSet = knowledge.encodeDeleteSet()
    expect(knowledge.encodeStateVector()).toBe(stateVector)
    expect(knowledge.encodeDeleteSet()).toBe(deleteSet)
    knowledge.add(read(typed(7, 'x').update))
    expect(knowledge.encodeStateVector()).not.toEqual(stateVector)
    expect(knowledge.encodeDeleteSet()).toBe(deleteSet)
    knowledge.addDeletes(new Map([[7, [0, 1]]]))
    expect(knowledge.encodeDeleteSet()).not.toEqual(deleteSet)
  })

  it('comes back from its stored form', () => {
    for (const knowledge of [example(), new Knowledge()]) {
      const decoded = Knowledge.decode(knowledge.encode())
      expect(decoded.stateVector).toEqual(knowledge.stateVector)
      expect(decoded.deletes).toEqual(knowledge.deletes)
      expect(decoded.encode()).toEqual(knowledge.encode())
      expect([decoded.clientCount, decoded.rangeCount]).toEqual([knowledge.clientCount, knowledge.rangeCount])
    }
  })

  it('refuses stored forms that are cut off, longer or of another format', () => {
    const stored = example().encode()
    for (let length = 0; length < stored.length; length++) {
      expect(() => Knowledge.decode(stored.subarray(0, length)), `${length} bytes`).toThrow(MalformedUpdate)
    }
    expect(() => Knowledge.decode(Uint8Array.of(...stored, 0))).toThrow(/1 bytes follow/)
    expect(() => Knowledge.decode(Uint8Array.of(2, ...stored.subarray(1)))).toThrow(/format 2/)
  })

  it('refuses stored forms that break its invariants', () => {
    const decode = (...bytes: number[]) => Knowledge.decode(Uint8Array.of(1, ...bytes))
    expect(decode(1, 5, 9, 1, 5, 1, 0, 9, 0, 0).deletes).toEqual(new Map([[5, [0, 9]]]))
    expect(() => decode(2, 5, 9, 6, 9, 0, 0, 0)).toThrow(/falling/)
    expect(() => decode(1, 5, 0, 0, 0, 0)).toThrow(/length of 0/)
    expect(() => decode(1, 5, 9, 1, 5, 1, 0, 10, 0, 0)).toThrow(/beyond/)
    expect(() => decode(1, 5, 9, 1, 5, 2, 0, 1, 0, 1, 0, 0)).toThrow(/touching/)
    expect(() => decode(1, 5, 9, 1, 5, 0, 0, 0, 0, 0)).toThrow(/without ranges/)
    expect(() => decode(1, 5, 9, 2, 5, 1, 0, 1, 6, 1, 0, 1, 0, 0)).toThrow(/falling/)
    expect(() => decode(0xff, 0xff, 0xff, 0x7f)).toThrow(/announced/)
  })

  it('clones into something independent', () => {
    const knowledge = example()
    const clone = knowledge.clone()
    const before = knowledge.encode()
    clone.add(read(typed(7, 'xyz').update))
    clone.addDeletes(new Map([[300, [0, 11]]]))
    expect(knowledge.encode()).toEqual(before)
    expect(clone.stateVector.get(7)).toBe(3)
    expect(clone.deletes.get(300)).toEqual([0, 11])
  })
})
