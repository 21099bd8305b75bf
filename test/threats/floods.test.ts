import { encodeUpdate } from '@weft/protocol'
import { expect, it } from 'vitest'
import { encodeTypedUpdate } from '../bench/load/typedUpdate.ts'
import { ack, expectAck, joined } from '../support/JoinedWire.ts'
import { RawClient } from '../support/RawClient.ts'
import { sharedServer } from '../support/testServer.ts'
import { typist } from '../support/typist.ts'
import { WireSocket } from '../support/WireSocket.ts'
import { clientFrame, opcode } from '../support/webSocketFrame.ts'

// Valid messages, as many as may be sent at once, from many at the same time.

const running = sharedServer()

const FLOODERS = 15
const MESSAGES = 8_000
const MASK = new Uint8Array(4)
const ONE_CHAR = Buffer.from('x')

const frame = (message: Uint8Array) => clientFrame(opcode.binary, message, { mask: MASK })

it('[threat C6] a flood of edits is worked off in its turn: who writes a word is served before it', async () => {
  const edits = Array.from({ length: MESSAGES }, (_, clock) => encodeTypedUpdate(7, 'text', clock, ONE_CHAR))
  const bytes = Buffer.concat([...edits.map(edit => frame(encodeUpdate(edit))), frame(ack('flooded'))])
  const url = `${running().socketUrl}/people`
  const [ann, bo] = [await RawClient.join(url), await RawClient.join(url)]
  const wires: WireSocket[] = []
  for (let i = 0; i < FLOODERS; i++) wires.push(await joined(await WireSocket.upgrade(running(), `/flood-${i}`)))
  let flooded = 0
  const ends = wires.map(async wire => {
    wire.write(bytes)
    await expectAck(wire, 'flooded')
    flooded++
  })
  const author = typist(1)
  for (let i = 1; i <= 10; i++) {
    await ann.commit(author.type(`word${i} `), i)
    await bo.next('update')
  }
  expect(flooded).toBe(0)
  // None of them is sent away, and nothing of theirs is lost.
  await Promise.all(ends)
  for (const wire of wires) await wire.expectOpen()
  expect([ann.isOpen, bo.isOpen]).toEqual([true, true])
})
