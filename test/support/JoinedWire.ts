import { encodeAck, encodeSyncStep1, encodeSyncStep2, messageType } from '@weft/protocol'
import { expect } from 'vitest'
import { NO_UPDATE, NOTHING } from './RawClient.ts'
import type { WireSocket } from './WireSocket.ts'
import { type FrameOptions, opcode } from './webSocketFrame.ts'

/** A message that comes back as it is, after those before it. */
export const ack = (payload: string): Uint8Array => encodeAck(Buffer.from(payload))

/** Joins its document, so that acknowledgements are paid. */
export async function joined(wire: WireSocket): Promise<WireSocket> {
  wire.send(opcode.binary, encodeSyncStep1(NOTHING))
  wire.send(opcode.binary, encodeSyncStep2(NO_UPDATE))
  wire.send(opcode.binary, ack('joined'))
  await expectAck(wire, 'joined')
  return wire
}

/** The next acknowledgement, which is never compressed, is this one. */
export async function expectAck(wire: WireSocket, payload: string): Promise<void> {
  for (;;) {
    const frame = await wire.next(opcode.binary)
    if (frame.rsv !== 0 || frame.payload[0] !== messageType.ack) continue
    expect(frame.payload.toString('latin1')).toBe(Buffer.from(ack(payload)).toString('latin1'))
    return
  }
}

/** What the server says to a frame, and that it ends the connection then. */
export async function refusalOf(
  wire: WireSocket,
  op: number,
  payload: Uint8Array | string,
  options: FrameOptions = {},
) {
  wire.send(op, payload, options)
  const close = await wire.nextClose()
  wire.send(opcode.close)
  await wire.ended()
  return close
}
