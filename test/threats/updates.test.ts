import { encodeSyncStep1, encodeSyncStep2, encodeUpdate } from '@weft/protocol'
import * as encoding from 'lib0/encoding'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { putTogether, type StructModel, takeApart, type UpdateModel } from '../crdt/updateModel.ts'
import { NOTHING, RawClient, updateOf } from '../support/RawClient.ts'
import { RawProvider } from '../support/RawProvider.ts'
import { sharedServer } from '../support/testServer.ts'
import { textOf, typist } from '../support/typist.ts'

// Each rule of the check of an update, broken by itself, in each message that carries one, in both dialects.

const running = sharedServer()

const CLIENT = 5

/** An update of one person, taken apart, changed and put together again. */
function changed(change: (model: UpdateModel, structs: StructModel[]) => void, make = twoWords): Uint8Array {
  const model = takeApart(make())
  change(model, model.blocks[0]?.structs ?? [])
  return putTogether(model)
}

function twoWords(): Uint8Array {
  const ann = typist(CLIENT)
  ann.type('two ')
  ann.text.insert(0, 'words')
  ann.erase(1, 2)
  return Y.encodeStateAsUpdate(ann.doc)
}

/** What somebody writes by Yjs itself. */
function written(write: (doc: Y.Doc) => void): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = CLIENT
  write(doc)
  return Y.encodeStateAsUpdate(doc)
}

const inRoot = (kind: number, content: Uint8Array): StructModel => ({
  kind,
  length: 1,
  origin: null,
  rightOrigin: null,
  parent: 'text',
  key: null,
  content,
})

const oneStruct = (kind: number, write: (encoder: encoding.Encoder) => void): Uint8Array =>
  putTogether({
    blocks: [{ clientID: CLIENT, clock: 0, structs: [inRoot(kind, encoding.encode(write))] }],
    deletes: [],
  })

const EMBED = 5
const embedded = (json: string) => oneStruct(EMBED, encoder => encoding.writeVarString(encoder, json))
const rootNames = (count: number) =>
  written(doc => {
    for (let i = 0; i < count; i++) doc.getText(`root ${i}`).insert(0, 'x')
  })
const typesWithin = (levels: number) =>
  written(doc => {
    let parent: Y.XmlFragment = doc.getXmlFragment('default')
    for (let level = 0; level < levels; level++) {
      const child = new Y.XmlElement('blockquote')
      parent.insert(0, [child])
      parent = child
    }
  })
const jsonLevels = (levels: number) => embedded(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)

let documents = 0

/** A document in which somebody is, and has written. */
async function shared(): Promise<{ name: string; url: string; witness: RawClient }> {
  const name = `shared ${documents++}`
  const url = `${running().socketUrl}/${name}`
  const witness = await RawClient.join(url)
  await witness.commit(typist(1).type('kept'))
  return { name, url, witness }
}

async function expectRefused(what: string, update: Uint8Array): Promise<void> {
  const { name, url, witness } = await shared()
  const refusal = [what, { code: 1007, reason: expect.stringMatching(/^malformed: ./) }]
  const sender = await RawClient.join(url)
  sender.update(update)
  expect([what, await sender.closed]).toEqual(refusal)
  const returning = await RawClient.connect(url)
  returning.ask()
  await returning.next('syncStep1')
  returning.answer(update)
  expect([what, await returning.closed]).toEqual(refusal)
  for (const message of [encodeUpdate(update), encodeSyncStep2(update)]) {
    const provider = await RawProvider.connect(running(), name, `/${what} ${message[1]}`)
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 1')
    provider.send(message)
    expect([what, await provider.closed]).toEqual(refusal)
    expect([what, provider.count('status 0')]).toEqual([what, 1])
  }
  // Nothing of it went anywhere.
  await witness.commit(typist(2).type('!'), 2)
  expect([what, witness.untaken('update')]).toEqual([what, []])
  const late = await RawClient.join(url)
  expect([what, [...textOf(...late.received.map(updateOf))].sort().join('')]).toEqual([what, '!ekpt'])
  witness.cut()
  late.cut()
}

async function expectTaken(what: string, update: Uint8Array): Promise<void> {
  const { url, witness } = await shared()
  const sender = await RawClient.join(url)
  await sender.commit(update)
  expect([what, (await witness.next('update')).update.length > 2]).toEqual([what, true])
  sender.cut()
  witness.cut()
}

it('[threat U1] what is no update from its first byte to its last is refused', async () => {
  const whole = twoWords()
  await expectRefused('cut short', whole.subarray(0, whole.length - 1))
  await expectRefused('a byte too many', Uint8Array.of(...whole, 0))
  await expectRefused(
    'unknown content',
    changed((_, [struct]) => Object.assign(struct ?? {}, { kind: 12 })),
  )
  await expectRefused(
    'an unknown type',
    oneStruct(7, encoder => encoding.writeVarUint(encoder, 7)),
  )
  await expectRefused(
    'text that is no UTF-8',
    oneStruct(4, encoder => encoding.writeVarUint8Array(encoder, Uint8Array.of(0x61, 0xff))),
  )
  await expectRefused('JSON that does not parse', embedded('{"a":'))
  await expectTaken('the same, whole', whole)
})

it('[threat U2] numbers that do not fit are refused', async () => {
  await expectRefused(
    'a client id of 2^32',
    changed(model => Object.assign(model.blocks[0] ?? {}, { clientID: 2 ** 32 })),
  )
  await expectRefused(
    'two blocks of one client',
    changed(model => {
      const [block] = model.blocks
      if (block !== undefined) model.blocks.push({ ...block, clock: 100 })
    }),
  )
  await expectRefused(
    'a clock of 2^40',
    changed(model => Object.assign(model.blocks[0] ?? {}, { clock: 2 ** 40 })),
  )
  await expectRefused(
    'a skip of no length',
    changed((_, structs) => {
      structs.push({ ...inRoot(10, Uint8Array.of(0)), length: 0 })
    }),
  )
  await expectRefused(
    'a deletion of no length',
    changed(model => model.deletes.push({ clientID: 9, ranges: [{ clock: 0, length: 0 }] })),
  )
  await expectTaken(
    'the largest client id',
    written(doc => {
      doc.clientID = 2 ** 32 - 1
      doc.getText('text').insert(0, 'x')
    }),
  )
})

it('[threat U3] references forwards and circles are refused; a gap is asked about, and nothing of it stored', async () => {
  await expectRefused(
    'an origin of its own that is still to come',
    changed((_, [struct]) => Object.assign(struct ?? {}, { origin: { clientID: CLIENT, clock: 6 } })),
  )
  await expectRefused(
    'two that stand after each other',
    putTogether({
      blocks: [9, 8].map(clientID => ({
        clientID,
        clock: 0,
        structs: [
          {
            ...inRoot(
              4,
              encoding.encode(encoder => encoding.writeVarString(encoder, 'x')),
            ),
            origin: { clientID: 17 - clientID, clock: 0 },
          },
        ],
      })),
      deletes: [],
    }),
  )
  const { url, witness } = await shared()
  const ann = typist(CLIENT)
  const [first, second, third] = ['one ', 'two ', 'three'].map(word => ann.type(word))
  const sender = await RawClient.join(url)
  // Yjs itself merges what has a gap into one update with a skip.
  sender.update(Y.mergeUpdates([first ?? NOTHING, third ?? NOTHING]))
  await sender.next('syncStep1')
  await witness.commit(typist(2).type('!'), 2)
  expect(witness.untaken('update')).toEqual([])
  sender.answer(Y.mergeUpdates([first ?? NOTHING, second ?? NOTHING, third ?? NOTHING]))
  const { update } = await witness.next('update')
  expect(textOf(update)).toBe('one two three')
})

it('[threat U4] what is small to send and large to hold is refused, at its bound and not below', async () => {
  await expectRefused('17 root names', rootNames(17))
  await expectTaken('16 root names', rootNames(16))
  await expectRefused('types within types, 101 levels', typesWithin(101))
  await expectTaken('types within types, 100 levels', typesWithin(100))
  await expectRefused('a value of 33 levels', jsonLevels(33))
  await expectTaken('a value of 32 levels', jsonLevels(32))
  const head = encoding.encode(encoder => {
    for (const number of [1, 2_000_001, CLIENT, 0]) encoding.writeVarUint(encoder, number)
  })
  const deleted = Buffer.alloc(2 * 2_000_001, Uint8Array.of(0, 1))
  await expectRefused('2,000,001 operations', Buffer.concat([head, deleted, Uint8Array.of(0)]))
})
