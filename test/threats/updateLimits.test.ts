import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { putTogether, takeApart, type UpdateModel } from '../crdt/updateModel.ts'
import { RawClient } from '../support/RawClient.ts'
import { sharedServer } from '../support/testServer.ts'
import { typist } from '../support/typist.ts'

const server = sharedServer({
  WEFT_MAX_UPDATE_STRUCTS: '1000',
  WEFT_MAX_UPDATE_ROOT_NAMES: '3',
  WEFT_MAX_UPDATE_NESTING: '10',
  WEFT_MAX_JSON_LEVELS: '5',
  WEFT_ROOT_NAMES: 'text,a,b,c,map',
})

let documents = 0

/** Sends an update to a document of its own, where somebody else works. @returns how its sender ended; null: it was committed */
async function outcomeOf(update: Uint8Array): Promise<string | null> {
  const url = `${server().socketUrl}/update-${documents++}`
  const [witness, sender] = [await RawClient.join(url), await RawClient.join(url)]
  sender.update(update)
  sender.askAck(1)
  const outcome = await Promise.race([
    sender.closed.then(({ code, reason }) => `${code} ${reason}`),
    sender.nextAck(1).then(
      () => null,
      () => sender.closed.then(({ code, reason }) => `${code} ${reason}`),
    ),
  ])
  // Whatever became of it, others go on, and have nothing of what was refused.
  await witness.commit(typist(4_000_000_001).type('x'), 1)
  if (outcome !== null) expect(witness.untaken('update')).toEqual([])
  witness.cut()
  sender.cut()
  return outcome
}

/** An update of what somebody does in a new document. */
function made(edit: (doc: Y.Doc) => void): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = 7
  doc.transact(() => edit(doc))
  return Y.encodeStateAsUpdate(doc)
}

/** The update of a few words, changed before it is sent. */
function changed(change: (model: UpdateModel) => void): Uint8Array {
  const ann = typist(7)
  ann.type('some ')
  ann.text.insert(0, 'words')
  const model = takeApart(Y.encodeStateAsUpdate(ann.doc))
  change(model)
  return putTogether(model)
}

const first = (model: UpdateModel) => {
  const [block] = model.blocks
  if (block === undefined) throw new Error('an update without a block')
  return block
}

describe('an update', () => {
  it('is committed as it is made', async () => {
    expect(await outcomeOf(changed(() => {}))).toBeNull()
  })

  it('[threat U2] whose text ends at clock 2⁴⁰ is refused: 1007', async () => {
    const far = changed(model => Object.assign(first(model), { clock: 2 ** 40 - 5 }))
    expect(await outcomeOf(far)).toMatch(/^1007 malformed: /)
  })

  it.each<[string, (doc: Y.Doc, over: number) => void, number, RegExp]>([
    [
      'structs',
      (doc, over) => {
        // Each at the beginning: none of them merges with its neighbour.
        for (let i = 0; i < 1000 + over; i++) doc.getText('text').insert(0, 'x')
      },
      1,
      /structs are over 1000/,
    ],
    [
      'names of root types',
      (doc, over) => {
        for (const name of ['a', 'b', 'c', 'text'].slice(0, 3 + over)) doc.getText(name).insert(0, 'x')
      },
      1,
      /more than 3 root names/,
    ],
    [
      'levels of types',
      (doc, over) => {
        let parent: Y.Map<unknown> = doc.getMap('map')
        for (let i = 0; i < 10 + over; i++) parent = parent.set('k', new Y.Map())
      },
      1,
      /nest|levels/,
    ],
    [
      'levels of JSON',
      (doc, over) => {
        let value: unknown = 1
        for (let i = 0; i < 5 + over; i++) value = [value]
        doc.getMap('map').set('k', value)
      },
      1,
      /nest|levels|deep/,
    ],
  ])(
    '[threat U4] of as many %s as are allowed is committed, and of one more refused: 1007',
    async (_, edit, over, reason) => {
      expect(await outcomeOf(made(doc => edit(doc, 0)))).toBeNull()
      const refused = await outcomeOf(made(doc => edit(doc, over)))
      expect(refused).toMatch(/^1007 malformed: /)
      expect(refused).toMatch(reason)
    },
  )

  it('[threat U4] with a root type that is not on the list is refused: 1007', async () => {
    expect(await outcomeOf(made(doc => doc.getText('a').insert(0, 'x')))).toBeNull()
    expect(await outcomeOf(made(doc => doc.getText('other').insert(0, 'x')))).toMatch(/^1007 .*not an allowed one/)
  })
})
