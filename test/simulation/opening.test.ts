import { type DocumentId, encodeAddress, encodeSyncStep1, encodeToken, hocuspocusType } from '@weft/protocol'
import { expect, it } from 'vitest'
import { Random } from '../crdt/Random.ts'
import type { DialectName } from '../fuzz/messageFields.ts'
import { SpokenServer } from '../fuzz/SpokenServer.ts'
import { SimulatedClock } from './SimulatedClock.ts'
import { SimulatedStore } from './SimulatedStore.ts'

const TOKEN = 'eve:editor'

const first: Record<DialectName, Uint8Array> = {
  'y-websocket': encodeSyncStep1(Uint8Array.of(0)),
  hocuspocus: Buffer.concat([
    encodeAddress('a'),
    Uint8Array.of(hocuspocusType.auth, 0, TOKEN.length),
    Buffer.from(TOKEN),
  ]),
  multiplex: Buffer.concat([encodeAddress('a'), encodeToken(TOKEN)]),
}

it.each(['y-websocket', 'hocuspocus', 'multiplex'] as const)(
  'whose right is taken back while its session begins has none afterwards, at whatever moment (%s)',
  async dialect => {
    // Promises settle one after the other: each step between them is a moment.
    for (let steps = 0; steps < 12; steps++) {
      const random = new Random(1)
      const clock = new SimulatedClock()
      const server = new SpokenServer(clock, random, new SimulatedStore(clock, random), true)
      const open = server.rooms.open.bind(server.rooms)
      const takeBack = async () => {
        for (let step = 0; step < steps; step++) await null
        server.revoke(true)
      }
      server.rooms.open = async (documentId: DocumentId) => {
        const room = await open(documentId)
        void takeBack()
        return room
      }
      const socket = await server.connect(dialect, '/a', TOKEN, { received: () => {}, closed: () => {} })
      socket.say(first[dialect])
      await new Promise(setImmediate)
      await clock.runUntil(100)
      expect([steps, server.rooms.sessionCount]).toEqual([steps, 0])
      socket.leave(1000)
      await clock.runUntil(200)
      expect([server.connectionCount, server.errors]).toEqual([0, []])
    }
  },
)
