import { connect, MessageError, type WeftDocument } from '@weft/client'
import {
  decodeAwareness,
  encodeAddress,
  encodeAnnounce,
  encodeEphemeral,
  encodeStateless,
  encodeSyncStep1,
  encodeUpdate,
  ephemeralLimit,
  isNullState,
} from '@weft/protocol'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from './support/eventually.ts'
import { type HocuspocusClient, hocuspocusSocket } from './support/hocuspocusClient.ts'
import { NOTHING, RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { readStored } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

interface Person {
  readonly doc: WeftDocument
  readonly id: number
  /** What came, in order: `sender: payload`. */
  readonly heard: string[]
}

const running = sharedServer()
let documents = 0
/** A document for each test. */
let name = ''
beforeEach(() => {
  name = `test-${++documents}`
})

async function person(server: ServerProcess, options: { awareness?: false; document?: string } = {}): Promise<Person> {
  const { document = name, ...rest } = options
  const doc = await connect(`${server.socketUrl}/${document}`, rest)
  onTestFinished(() => doc.close({ saved: false }))
  const heard: string[] = []
  doc.on('message', ({ from, payload }) => heard.push(`${from}: ${payload}`))
  return { doc, id: doc.ydoc.clientID, heard }
}

/** Waits until all see each other, so that each one's client id is the server's too. */
async function meet(...people: Person[]): Promise<void> {
  await eventually('all to see each other', () =>
    people.every(({ doc }) => people.every(({ id }) => doc.awareness.getStates().has(id))),
  )
}

/** The first message that comes to everybody after the ones in question: what has not come before it will not come. */
async function settle(author: Person, ...people: Person[]): Promise<void> {
  await author.doc.send('the end')
  await eventually('the last message', () => people.every(({ heard }) => heard.at(-1) === `${author.id}: the end`))
  for (const { heard } of people) heard.pop()
}

function provider(server: ServerProcess): { client: HocuspocusClient; heard: string[] } {
  const socket = hocuspocusSocket(4, server.socketUrl)
  onTestFinished(() => socket.destroy())
  const client = socket.open(name)
  const heard: string[] = []
  client.provider.on('stateless', ({ payload }: { payload: string }) => heard.push(payload))
  return { client, heard }
}

describe('a message', () => {
  it('reaches everybody else in the document, in order, with its sender’s client id', async () => {
    const server = running()
    const [ann, bo, cy] = [await person(server), await person(server), await person(server)]
    const elsewhere = await person(server, { document: 'b' })
    await meet(ann, bo, cy)
    await Promise.all(['1', '', 'grüß 👋', 'x'.repeat(ephemeralLimit.payloadBytes)].map(text => ann.doc.send(text)))
    const expected = ['1', '', 'grüß 👋', 'x'.repeat(ephemeralLimit.payloadBytes)].map(text => `${ann.id}: ${text}`)
    await eventually('both to hear', () => bo.heard.length === 4 && cy.heard.length === 4)
    expect(bo.heard).toEqual(expected)
    expect(cy.heard).toEqual(expected)
    await settle(bo, ann, cy)
    expect(ann.heard).toEqual([])
    expect(elsewhere.heard).toEqual([])
  })

  it('reaches only those whom it is for, once, and whoever is not there is passed over', async () => {
    const server = running()
    const [ann, bo, cy] = [await person(server), await person(server), await person(server)]
    await meet(ann, bo, cy)
    await ann.doc.send('for bo', { to: [bo.id, bo.id, 4_294_967_295] })
    await ann.doc.send('for nobody', { to: [] })
    await ann.doc.send('for the gone', { to: [4_294_967_295] })
    await ann.doc.send('to herself', { to: [ann.id] })
    await settle(ann, bo, cy)
    expect(bo.heard).toEqual([`${ann.id}: for bo`])
    expect(cy.heard).toEqual([])
    expect(ann.heard).toEqual([`${ann.id}: to herself`])
  })

  it('has no sender where that one shows itself to nobody', async () => {
    const server = running()
    const ghost = await person(server, { awareness: false })
    const ann = await person(server)
    await ghost.doc.send('boo')
    await eventually('it', () => ann.heard.length > 0)
    expect(ann.heard).toEqual(['null: boo'])
  })

  it('is stored nowhere', async () => {
    const server = await testServer()
    const [ann, bo] = [await person(server), await person(server)]
    await ann.doc.send('gone')
    await eventually('it', () => bo.heard.length > 0)
    const late = await person(server)
    await settle(ann, bo, late)
    expect(late.heard).toEqual([])
    expect(ann.doc.unsaved).toBe(0)
    await server.kill()
    expect((await readStored(server.folder, name)).head).toBe(0)
  })

  it('of one family reaches the other: type 110 and Hocuspocus’ stateless messages are one thing', async () => {
    const server = running()
    const ann = await person(server)
    const hocuspocus = [provider(server), provider(server)] as const
    for (const { client } of hocuspocus) {
      client.provider.setAwarenessField('user', { name: 'H' })
      await client.synced()
    }
    const ids = hocuspocus.map(({ client }) => client.doc.clientID)
    await eventually('all to be seen', () => ids.every(id => ann.doc.awareness.getStates().has(id)))
    await ann.doc.send('to all')
    await ann.doc.send('to one', { to: ids.slice(1) })
    await eventually('both', () => hocuspocus[1].heard.length === 2)
    hocuspocus[0].client.provider.sendStateless('back')
    await eventually('the answer', () => ann.heard.length > 0 && hocuspocus[1].heard.length === 3)
    expect(ann.heard).toEqual([`${ids[0]}: back`])
    expect(hocuspocus[0].heard).toEqual(['to all'])
    expect(hocuspocus[1].heard).toEqual(['to all', 'to one', 'back'])
  })

  it('never goes to a client that has not announced itself', async () => {
    const server = running()
    const stock = await RawClient.join(`${server.socketUrl}/${name}`)
    const announced = await RawClient.join(`${server.socketUrl}/${name}`)
    announced.send(encodeAnnounce())
    announced.askAck(1)
    await announced.nextAck(1)
    const ann = await person(server)
    await ann.doc.send('ours')
    expect((await announced.next('ephemeral')).payload).toBe('ours')
    // What was written before the acknowledgement has come before it.
    stock.askAck(1)
    await stock.nextAck(1)
    expect(stock.untaken('ephemeral')).toEqual([])
    expect(stock.untaken('unknown')).toEqual([])
  })
})

describe('a sender', () => {
  it('can’t give another one’s client id for its own', async () => {
    const server = running()
    const [ann, bo] = [await person(server), await person(server)]
    await meet(ann, bo)
    const mallory = await RawClient.join(`${server.socketUrl}/${name}`)
    // Of somebody who is here and alive it can't say that it is them.
    mallory.awareness(ann.id, 1_000, { user: { name: 'Ann' } })
    mallory.send(encodeEphemeral([bo.id], 'I am Ann'))
    expect(await mallory.next('receipt')).toEqual({ type: 'receipt', outcome: 'passedOn' })
    await eventually('it', () => bo.heard.length > 0)
    expect(bo.heard).toEqual(['null: I am Ann'])
  })

  it('is told what is dropped above 100 at once and 20 a second, and stays', async () => {
    const server = running()
    const bo = await person(server)
    const loud = await RawClient.join(`${server.socketUrl}/${name}`)
    const from = performance.now()
    for (let i = 0; i < 300; i++) loud.send(encodeEphemeral([], `${i}`))
    const outcomes: (string | null)[] = []
    while (outcomes.length < 300) outcomes.push((await loud.next('receipt')).outcome)
    const passed = outcomes.flatMap((outcome, i) => (outcome === 'passedOn' ? [i] : []))
    expect(passed.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    // Those that the time between brought, and one more for a clock that reads differently.
    expect(passed.length).toBeLessThanOrEqual(101 + ((performance.now() - from) * 20) / 1000)
    expect(new Set(outcomes)).toEqual(new Set(['passedOn', 'tooFast']))
    await eventually('them', () => bo.heard.length === passed.length)
    expect(bo.heard).toEqual(passed.map(i => `null: ${i}`))
    expect(loud.isOpen).toBe(true)
  })

  it('that waits for its turn loses none, however fast it goes', async () => {
    const server = running()
    const [ann, bo] = [await person(server), await person(server)]
    await meet(ann, bo)
    // 80 leave at once; 25 more take their turns within 1.3 s.
    await Promise.all(Array.from({ length: 105 }, (_, i) => ann.doc.send(`${i}`)))
    await eventually('all of them', () => bo.heard.length === 105)
    expect(bo.heard).toEqual(Array.from({ length: 105 }, (_, i) => `${ann.id}: ${i}`))
  })

  it('without a connection is told at once, and nothing is sent later', async () => {
    const server = running()
    const [ann, bo] = [await person(server), await person(server)]
    ann.doc.disconnect()
    const failure = await ann.doc.send('lost').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(MessageError)
    expect(failure).toMatchObject({ code: 'OFFLINE' })
    ann.doc.reconnect()
    await eventually('to be back', () => ann.doc.status === 'synced')
    await meet(ann, bo)
    await settle(ann, bo)
    expect(bo.heard).toEqual([])
  })

  it('that does not read its receipts is sent away', async () => {
    const server = await testServer({ WEFT_MAX_UNSENT_BYTES: '65536', WEFT_MESSAGE_BURST: '1000000' })
    const writer = await RawClient.join(`${server.socketUrl}/${name}`)
    const deaf = await RawClient.join(`${server.socketUrl}/${name}`)
    deaf.awareness(7, 1, { user: { name: 'Deaf' } })
    await writer.next('awareness', ({ payload }) => decodeAwareness(payload, 7).length > 0)
    deaf.stopReading()
    const ann = typist(1)
    // More than the operating system holds for it.
    for (let i = 1; i <= 12; i++) await writer.commit(ann.type('x'.repeat(1_000_000)), i)
    for (let i = 0; i < 1_200; i++) deaf.send(encodeEphemeral([], 'x'))
    await writer.next('awareness', ({ payload }) => decodeAwareness(payload, 7).some(({ json }) => isNullState(json)))
    deaf.goOnReading()
    expect(await deaf.closed).toMatchObject({ code: 1008, reason: 'policy: 1000 receipts are owed already' })
  })

  it('of stateless messages has the same limit', async () => {
    const server = running()
    const ann = await person(server)
    const socket = new WebSocket(server.socketUrl)
    onTestFinished(() => socket.terminate())
    await new Promise(resolve => socket.once('open', resolve))
    const longest = 'ü'.repeat(ephemeralLimit.payloadBytes / 2)
    for (const message of [encodeSyncStep1(NOTHING), encodeStateless(longest), encodeStateless(`${longest}x`)]) {
      socket.send(Buffer.concat([encodeAddress(name), message]))
    }
    await eventually('the longest', () => ann.heard.length > 0)
    await settle(await person(server), ann)
    expect(ann.heard).toEqual([`null: ${longest}`])
  })
})

describe('a document', () => {
  it('passes on so many writes a second; above them senders are told', async () => {
    const server = running()
    const url = `${server.socketUrl}/${name}`
    // 100 sessions send 30 messages each: 300,000 writes, of which 10,000 may be at once. The rest would take 29 s.
    const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.join(url)))
    const from = performance.now()
    for (let i = 0; i < 30; i++) for (const client of clients) client.send(encodeEphemeral([], 'x'))
    const outcomes: (string | null)[] = []
    for (const client of clients) for (let i = 0; i < 30; i++) outcomes.push((await client.next('receipt')).outcome)
    const passed = outcomes.filter(outcome => outcome === 'passedOn').length
    expect(passed).toBeGreaterThanOrEqual(100)
    // 99 writes each: 101 at once, and 101 a second for the time between; and two more for a clock that reads differently.
    expect(passed).toBeLessThanOrEqual(103 + (performance.now() - from) / 9.9)
    expect(outcomes).toContain('tooFast')
    expect(clients.every(client => client.isOpen)).toBe(true)
  })

  it('drops messages for who reads too slowly, and brings that one the edits all the same', async () => {
    const server = await testServer({ WEFT_MAX_UNSENT_BYTES: '65536' })
    const slow = await RawClient.join(`${server.socketUrl}/${name}`)
    slow.send(encodeAnnounce())
    slow.askAck(1)
    await slow.nextAck(1)
    const writer = await RawClient.join(`${server.socketUrl}/${name}`)
    slow.stopReading()
    const ann = typist(1)
    for (let i = 1; i <= 12; i++) await writer.commit(ann.type('x'.repeat(1_000_000)), i)
    for (let i = 0; i < 50; i++) writer.send(encodeEphemeral([], 'y'.repeat(10_000)))
    writer.update(ann.type('the last'))
    for (let i = 0; i < 50; i++) await writer.next('receipt')
    slow.goOnReading()
    const text = typist(2)
    await slow.next('update', ({ update }) => Buffer.from(update).includes('the last'))
    expect(slow.untaken('ephemeral')).toEqual([])
    // It reads again: from now on it hears.
    writer.send(encodeEphemeral([], 'now'))
    expect((await slow.next('ephemeral')).payload).toBe('now')
    slow.send(encodeUpdate(text.type('!')))
    expect(slow.isOpen).toBe(true)
  })
})
