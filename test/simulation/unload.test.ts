import {
  type DocumentId,
  decodeMessage,
  encodeAck,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
} from '@weft/protocol'
import { expect, it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import { checkLog } from '../support/checkLog.ts'
import { textOf, typist } from '../support/typist.ts'
import { SimulatedClock } from './SimulatedClock.ts'
import { SimulatedLink } from './SimulatedLink.ts'
import { SimulatedServer } from './SimulatedServer.ts'
import { SimulatedStore } from './SimulatedStore.ts'

const documentId = 'one' as DocumentId

it('a document with edits that wait for the disk stays open, however long nobody is there', async () => {
  const random = new Random(1)
  const clock = new SimulatedClock()
  const store = new SimulatedStore(clock, random)
  const server = new SimulatedServer(clock, random, store, 0)
  const join = () => {
    const received: Uint8Array[] = []
    const acks: number[] = []
    const link = new SimulatedLink(
      { clock, random, life: server.life, written: () => {} },
      {
        received: frame => {
          const message = decodeMessage(frame)
          if (message.type === 'syncStep1') link.send(encodeSyncStep2(Uint8Array.of(0, 0)))
          if (message.type === 'update') received.push(message.update)
          if (message.type === 'ack') acks.push(message.payload[0] ?? -1)
        },
        lost: () => {},
      },
      () => server.begin(link, documentId),
    )
    link.send(encodeSyncStep1(Uint8Array.of(0)))
    return { link, received, acks }
  }

  const first = join()
  await clock.runUntil(5000)
  store.isBroken = true
  first.link.send(encodeUpdate(typist(101).type('written before all left')))
  await clock.runUntil(7000)
  first.link.cut()
  await clock.runUntil(40_000)

  const second = join()
  await clock.runUntil(45_000)
  second.link.send(encodeUpdate(typist(102).type(' and after ')))
  second.link.send(encodeAck(Uint8Array.of(7)))
  await clock.runUntil(60_000)
  expect([second.received, second.acks]).toEqual([[], []])

  store.isBroken = false
  await clock.runUntil(120_000)
  expect(second.acks).toEqual([7])
  expect(second.link.isOpen).toBe(true)
  const stored = checkLog(store.read(documentId)).getText('text').toString()
  expect(stored).toContain('written before all left')
  expect(stored).toContain(' and after ')
  expect(store.problems).toEqual([])
  const third = join()
  await clock.runUntil(125_000)
  expect(textOf(...third.received)).toBe(stored)
})
