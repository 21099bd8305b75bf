import { decodeAwareness, encodeQueryAwareness, encodeSyncStep1 } from '@weft/protocol'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { NOTHING, RawClient } from '../support/RawClient.ts'
import { RawProvider } from '../support/RawProvider.ts'
import { sharedServer } from '../support/testServer.ts'
import { typist } from '../support/typist.ts'

// What costs little to ask, and more to answer.

const running = sharedServer()

const TIMES = 300
/** Answers that may come within so many ms: ten at once, then two a second, and the last one. */
const allowed = (ms: number) => 10 + 2 * Math.ceil(ms / 1000) + 1

it('[threat C7] who asks for all of a document again and again is answered now and then, and in the end; others go on', async () => {
  const url = `${running().socketUrl}/asked`
  const ann = typist(1)
  const writer = await RawClient.join(url)
  await writer.commit(ann.type('x'.repeat(50_000)))
  const asking = await RawClient.join(url)
  const began = performance.now()
  for (let i = 0; i < TIMES; i++) asking.ask(NOTHING)
  // The last one is another question: its answer is the only small one.
  asking.ask(Y.encodeStateVector(ann.doc))
  await writer.commit(ann.type('!'), 2)
  await asking.next('syncStep2', ({ update }) => update.length < 1000)
  const answers = asking.received.filter(({ type }) => type === 'syncStep2').length
  expect(answers).toBeLessThanOrEqual(allowed(performance.now() - began))
  expect(asking.receivedBytes).toBeLessThan((answers + 2) * 60_000)
  expect([asking.isOpen, writer.isOpen]).toEqual([true, true])
})

it('[threat C7] over a socket of many documents, 200 questions are answered at once, and ten a second', async () => {
  const provider = await RawProvider.connect(running(), 'asked 0')
  const began = performance.now()
  for (let i = 0; i < 1000; i++) provider.send(encodeSyncStep1(NOTHING), `asked ${i % 3}`)
  await provider.hears('step 2')
  const other = await RawClient.join(`${running().socketUrl}/asked 0`)
  await other.commit(typist(2).type('x'))
  await provider.hears('update')
  const answers = provider.heard.filter(heard => heard === 'step 2' || heard.startsWith('elsewhere')).length
  // A question of the server's for each document beside them.
  expect(answers).toBeLessThanOrEqual(200 + 10 * Math.ceil((performance.now() - began) / 1000) + 10)
  expect(provider.isOpen).toBe(true)
})

it('[threat A2] who is there leaves in several messages where there are many, and is not told for each time that somebody asks', async () => {
  const url = `${running().socketUrl}/crowd`
  const people = 40
  const witness = await RawClient.join(url)
  for (let i = 0; i < people; i++) {
    const person = await RawClient.join(url)
    person.awareness(100 + i, 1, { a: 'x'.repeat(4000) })
  }
  const known = new Set<number>()
  while (known.size < people) {
    const { payload } = await witness.next('awareness')
    for (const { clientID } of decodeAwareness(payload)) known.add(clientID)
  }
  const late = await RawClient.join(url)
  const began = performance.now()
  for (let i = 0; i < TIMES; i++) late.send(encodeQueryAwareness())
  await late.commit(typist(3).type('x'))
  const messages = late.received.flatMap(message => (message.type === 'awareness' ? [message.payload.length] : []))
  expect(Math.max(...messages)).toBeLessThan(70_000)
  expect(messages.length).toBeGreaterThanOrEqual(3)
  expect(messages.length).toBeLessThanOrEqual(3 * allowed(performance.now() - began))
})
