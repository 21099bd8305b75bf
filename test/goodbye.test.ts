import type { Duplex } from 'node:stream'
import { encodeSyncStep1, encodeSyncStep2, encodeUpdate } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.ts'
import { NO_UPDATE, NOTHING, RawClient, updateOf } from './support/RawClient.ts'
import { testServer } from './support/testServer.ts'
import { textOf, typist } from './support/typist.ts'

const socketOf = (client: RawClient) => Reflect.get(client.socket, '_socket') as Duplex

/** Larger than what is checked on the event loop. */
const LARGE = 'x'.repeat(70_000)

describe.each([
  ['the goodbye of its connection', (client: RawClient) => client.socket.close(1000)],
  ['the end of its stream', (client: RawClient) => socketOf(client).end()],
])('an edit that comes together with %s', (_name, goodbye) => {
  it.each([
    ['small', 'x'],
    ['large', LARGE],
  ])('is kept (%s), and so is the next', async (_size, word) => {
    const server = await testServer()
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const watcher = await RawClient.join(url)
    const client = await RawClient.join(url)
    socketOf(client).cork()
    client.update(ann.type(word))
    client.update(ann.type('y'))
    goodbye(client)
    socketOf(client).uncork()
    await client.closed
    await eventually('both edits', () => textOf(...watcher.received.map(updateOf)) === `${word}y`)
  })

  it('is kept though its document was not open yet', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const client = await RawClient.connect(url)
    socketOf(client).cork()
    client.send(encodeSyncStep1(NOTHING))
    client.send(encodeSyncStep2(NO_UPDATE))
    for (const word of ['small ', LARGE, ' last']) client.send(encodeUpdate(ann.type(word)))
    goodbye(client)
    socketOf(client).uncork()
    await client.closed
    await eventually('all edits', async () => {
      const reader = await RawClient.join(url)
      await reader.leave()
      return textOf(...reader.received.map(updateOf)) === `small ${LARGE} last`
    })
  })
})

it('what is malformed before a goodbye is counted, and what comes after it is not kept', async () => {
  const server = await testServer()
  const url = `${server.socketUrl}/a`
  const ann = typist(1)
  const nonsense = new Uint8Array(70_000).fill(255)
  for (let i = 0; i < 2; i++) {
    const client = await RawClient.join(url)
    socketOf(client).cork()
    client.update(nonsense)
    client.update(ann.type('y'))
    client.socket.close(1000)
    socketOf(client).uncork()
    await client.closed
  }
  const third = await eventually('the third offence', async () => {
    const client = await RawClient.join(url)
    client.update(nonsense)
    const { code } = await client.closed
    return code === 4400
  })
  expect(third).toBe(true)
  const reader = await RawClient.join(url)
  expect(textOf(...reader.received.map(updateOf))).toBe('')
})
