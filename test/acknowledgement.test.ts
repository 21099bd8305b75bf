import { beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { ackNumber, NO_UPDATE, RawClient } from './support/RawClient.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { textOf, typist } from './support/typist.ts'

const running = sharedServer()
let documents = 0
/** A document for each test. */
let name = ''
beforeEach(() => {
  name = `test-${++documents}`
})

describe('an acknowledgement', () => {
  it('comes only after the first sync step 2 of its connection, and then in order', async () => {
    const server = running()
    const client = await RawClient.connect(`${server.socketUrl}/${name}`)
    const ann = typist(1)
    client.ask()
    await client.next('syncStep1')
    client.update(ann.type('a'))
    client.askAck(1)
    client.update(ann.type('b'))
    client.askAck(2)
    // Committed by now: another session is told of both edits.
    const other = await RawClient.connect(`${server.socketUrl}/${name}`)
    other.ask()
    await other.next('syncStep2')
    const seen = other.received.flatMap(message => (message.type === 'update' ? [message.update] : []))
    expect(textOf(...seen)).toBe('ab')
    expect(client.untaken('ack')).toEqual([])

    client.answer(Y.encodeStateAsUpdate(ann.doc))
    client.askAck(3)
    for (const number of [1, 2, 3]) expect(ackNumber((await client.next('ack')).payload)).toBe(number)
  })

  it('means that everything before it is on disk, whatever happens to the process afterwards', async () => {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const ann = typist(1)
    for (let i = 1; i <= 50; i++) {
      client.update(ann.type(`${i} `))
      client.askAck(i)
    }
    await client.nextAck(50)
    await server.kill()
    const stored = documentOf(await readStored(server.folder, 'a'))
    expect(stored.getText('text').toString()).toBe(ann.text.toString())
  })

  it('is returned with the bytes that were sent, once, and nobody else hears of it', async () => {
    const server = running()
    const client = await RawClient.join(`${server.socketUrl}/${name}`)
    const other = await RawClient.join(`${server.socketUrl}/${name}`)
    const payload = Uint8Array.of(0xff, 0, 1, 2, 250)
    client.send(Uint8Array.of(102, payload.length, ...payload))
    expect([...(await client.next('ack')).payload]).toEqual([...payload])
    client.send(Uint8Array.of(102, 0))
    expect((await client.next('ack')).payload.length).toBe(0)
    await client.commit(typist(1).type('x'), 7)
    await other.next('update')
    expect(other.received.filter(message => message.type === 'ack')).toEqual([])
    expect(client.received.filter(message => message.type === 'ack').length).toBe(3)
  })

  it('of what brings nothing new is given all the same', async () => {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const ann = typist(1)
    await client.commit(ann.type('x'), 1)
    await client.commit(ann.updates[0] ?? NO_UPDATE, 2)
    await client.commit(NO_UPDATE, 3)
    await server.stop()
    expect((await readStored(server.folder, 'a')).head).toBe(1)
  })

  it('is never more than the number of those asked for', async () => {
    const server = running()
    const client = await RawClient.join(`${server.socketUrl}/${name}`)
    const ann = typist(1)
    const asked = 500
    for (let i = 1; i <= asked; i++) {
      if (i % 3 > 0) client.update(ann.type('x'))
      client.askAck(i)
    }
    await client.nextAck(asked)
    const numbers = client.received.flatMap(message => (message.type === 'ack' ? [ackNumber(message.payload)] : []))
    expect(numbers).toEqual(Array.from({ length: asked }, (_, i) => i + 1))
  })
})

describe('an update with a gap', () => {
  it('[threat U5] is asked for with a sync step 1, and acknowledged after the repair', async () => {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const ann = typist(1)
    const [first, second, third, fourth] = ['a', 'b', 'c', 'd'].map(letter => ann.type(letter))
    await client.commit(first ?? NO_UPDATE, 1)
    client.update(third ?? NO_UPDATE)
    client.askAck(2)
    // One question only, however many such updates come.
    client.update(fourth ?? NO_UPDATE)
    client.askAck(3)
    const { stateVector } = await client.next('syncStep1')
    expect(Y.decodeStateVector(stateVector)).toEqual(new Map([[1, 1]]))
    expect(client.untaken('ack')).toEqual([])
    // Only what was missing: what follows it was not kept, and must be in the answer.
    expect(second?.length).toBeGreaterThan(0)
    client.answer(Y.encodeStateAsUpdate(ann.doc, stateVector))
    await client.nextAck(2)
    await client.nextAck(3)
    expect(client.untaken('syncStep1')).toEqual([])
    await server.kill()
    expect(
      documentOf(await readStored(server.folder, 'a'))
        .getText('text')
        .toString(),
    ).toBe('abcd')
  })

  it('[threat U5] never reaches anybody before its predecessors', async () => {
    const server = running()
    const client = await RawClient.join(`${server.socketUrl}/${name}`)
    const other = await RawClient.join(`${server.socketUrl}/${name}`)
    const ann = typist(1)
    const [, , third] = ['a', 'b', 'c'].map(letter => ann.type(letter))
    client.update(third ?? NO_UPDATE)
    await client.next('syncStep1')
    client.answer(Y.encodeStateAsUpdate(ann.doc))
    await other.next('update', ({ update }) => textOf(update) === 'abc')
    expect(other.received.filter(message => message.type === 'update').length).toBe(1)
  })

  it('[threat U5] that stays in the sync step 2 too keeps the rest: the closed part is stored and acknowledged', async () => {
    const server = await testServer()
    const ann = typist(1)
    const bo = typist(2)
    const [first, , third] = ['a', 'b', 'c'].map(letter => ann.type(letter))
    const whole = Y.mergeUpdates([first ?? NO_UPDATE, third ?? NO_UPDATE, bo.type('z')])
    const client = await RawClient.connect(`${server.socketUrl}/a`)
    client.ask()
    await client.next('syncStep1')
    client.answer(whole)
    client.askAck(1)
    await client.nextAck(1)
    await client.leave()
    await server.stop()
    const stored = documentOf(await readStored(server.folder, 'a'))
    expect([...stored.getText('text').toString()].sort().join('')).toBe('az')
  })

  it('[threat K6] [threat U5] of which nothing is closed ends the connection with 1008', async () => {
    const server = await testServer()
    const ann = typist(1)
    const [, , third] = ['a', 'b', 'c'].map(letter => ann.type(letter))
    const client = await RawClient.connect(`${server.socketUrl}/a`)
    client.ask()
    await client.next('syncStep1')
    client.answer(third)
    const { code, reason } = await client.closed
    expect([code, reason]).toEqual([1008, expect.stringMatching(/^policy: .*1:2/)])
    await server.stop()
    expect((await readStored(server.folder, 'a')).head).toBe(0)
  })
})
