import { encodeAwareness, encodeSyncStep1, encodeSyncStep2, encodeUpdate } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { isLong } from '../rounds.ts'
import { eventually } from '../support/eventually.ts'
import { NO_UPDATE, NOTHING, RawClient, updateOf } from '../support/RawClient.ts'
import { RawProvider } from '../support/RawProvider.ts'
import { sharedServer, testServer } from '../support/testServer.ts'
import { textOf, typist } from '../support/typist.ts'

/** Says of a request that it came from an address, as a proxy does that the server trusts. */
const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } })
const behindProxy = { WEFT_TRUSTED_PROXIES: '127.0.0.1' }

// Honest use never meets a limit by surprise: with the defaults, nobody here is closed or refused.
describe('with the limits as they are by default', () => {
  const server = sharedServer(behindProxy)

  it('[threat C4] a crowd behind the address of one office is let in', async () => {
    const count = isLong ? 1000 : 60
    const crowd = await Promise.all(
      Array.from({ length: count }, async () => {
        const client = await RawClient.connect(`${server().socketUrl}/office`, from('192.0.2.1'))
        client.ask()
        await client.next('syncStep2')
        return client
      }),
    )
    expect(crowd.filter(client => client.isOpen)).toHaveLength(count)
    for (const client of crowd) client.cut()
  })

  it.each(['y-websocket', 'hocuspocus'] as const)(
    '[threat C6] a bot that replays 20,000 updates at once is slowed down at most, and all are stored (%s)',
    async dialect => {
      const ann = typist(1)
      const count = 20_000
      for (let i = 0; i < count; i++) ann.type(String(i % 10))
      const name = `replay-${dialect}`
      if (dialect === 'y-websocket') {
        const bot = await RawClient.join(`${server().socketUrl}/${name}`)
        for (const update of ann.updates) bot.update(update)
        bot.askAck(1)
        await bot.next('ack', () => true, 60_000)
        expect(bot.isOpen).toBe(true)
      } else {
        const bot = await RawProvider.connect(server(), name)
        bot.send(encodeSyncStep1(NOTHING))
        await bot.hears('step 2')
        bot.send(encodeSyncStep2(NO_UPDATE))
        for (const update of ann.updates) bot.send(encodeUpdate(update))
        await eventually('all of them to be acknowledged', () => bot.count('status 1') >= count, 60_000)
        expect(bot.isOpen).toBe(true)
      }
      const reader = await RawClient.join(`${server().socketUrl}/${name}`)
      expect(textOf(...reader.received.map(updateOf))).toBe(ann.text.toString())
    },
  )

  it('[threat U5] who types while the connection is made after offline work is not blamed for it', async () => {
    const url = `${server().socketUrl}/offline`
    const ann = typist(1)
    const first = await RawClient.join(url)
    await first.commit(ann.type('before '), 1)
    first.cut()
    for (let i = 0; i < 50; i++) ann.type(`offline ${i} `)
    const again = await RawClient.connect(url)
    again.ask()
    // Each of them builds on what the server doesn't have yet.
    for (let i = 0; i < 50; i++) again.update(ann.type(`typing ${i} `))
    await again.next('syncStep1')
    again.answer(Y.encodeStateAsUpdate(ann.doc))
    again.askAck(2)
    await again.nextAck(2)
    expect(again.isOpen).toBe(true)
    const reader = await RawClient.join(url)
    expect(textOf(...reader.received.map(updateOf))).toBe(ann.text.toString())
  })

  it('[threat A2] stock clients that send back all that they hear of others stay', async () => {
    const url = `${server().socketUrl}/echo`
    const clients = await Promise.all(Array.from({ length: 12 }, () => RawClient.join(url)))
    for (const [index, client] of clients.entries()) {
      client.onMessage(message => {
        if (message.type === 'awareness') client.send(encodeAwareness(message.payload))
      })
      client.awareness(100 + index, 1, { name: `client ${index}` })
    }
    for (let clock = 2; clock < 30; clock++) {
      for (const [index, client] of clients.entries()) client.awareness(100 + index, clock, { clock })
    }
    await clients[1]?.next('awareness', ({ payload }) => Buffer.from(payload).includes('{"clock":29}'))
    expect(clients.filter(client => client.socket.readyState === WebSocket.OPEN)).toHaveLength(12)
  })
})

it('[threat D2] new documents are begun ten at once by an address, then more slowly, and nobody is refused; others don’t wait', async () => {
  const server = await testServer({ ...behindProxy, WEFT_NEW_DOCUMENTS_PER_MINUTE: '30' })
  const begin = async (name: string, address: string) => {
    const client = await RawClient.connect(`${server.socketUrl}/${name}`, from(address))
    client.ask()
    await client.next('syncStep1')
    client.answer()
    await client.commit(typist(1).type('x'), 1)
    return client
  }
  for (let i = 0; i < 30; i++) await begin(`ann-${i}`, '192.0.2.1')
  const began = performance.now()
  const slow = begin('ann-30', '192.0.2.1')
  await begin('bo-1', '192.0.2.2')
  // What there is already isn't new.
  const known = await RawClient.connect(`${server.socketUrl}/ann-1`, from('192.0.2.1'))
  known.ask()
  await known.next('syncStep2')
  expect((await slow).isOpen).toBe(true)
  expect(performance.now() - began).toBeGreaterThan(500)
})
