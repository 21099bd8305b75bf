import { encodeSyncStep1, encodeSyncStep2, encodeUpdate } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { ack, expectAck, joined, refusalOf as refusalAfter } from './support/JoinedWire.ts'
import { NO_UPDATE, NOTHING } from './support/RawClient.ts'
import { sharedServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'
import { WireSocket } from './support/WireSocket.ts'
import { clientFrame, closePayload, type FrameOptions, opcode } from './support/webSocketFrame.ts'

const MAX_MESSAGE_BYTES = 65_536
const running = sharedServer({ WEFT_MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES) })

let documents = 0
/** A connection to a document of its own. */
const upgrade = () => WireSocket.upgrade(running(), `/frames/${documents++}`)

const join = async () => joined(await upgrade())

/** What the server says to a frame, and that it ends the connection then. */
const refusalOf = async (op: number, payload: Uint8Array | string, options: FrameOptions = {}) =>
  refusalAfter(await join(), op, payload, options)

describe('frames from the server (RFC 6455, section 5.1)', () => {
  it('are whole, unmasked and without reserved bits', async () => {
    const wire = await upgrade()
    wire.send(opcode.binary, encodeSyncStep1(NOTHING))
    wire.send(opcode.ping, 'x')
    const frames = [await wire.nextFrame(), await wire.nextFrame()]
    for (const frame of frames) expect(frame).toMatchObject({ fin: true, rsv: 0, isMasked: false })
  })
})

describe('frames from a client (RFC 6455, section 5.2)', () => {
  it('[threat K3] [threat C1] must be masked: an unmasked one ends the connection with 1002, of any kind and however short (5.1)', async () => {
    for (const op of [opcode.binary, opcode.text, opcode.ping, opcode.pong, opcode.close]) {
      expect([op, await refusalOf(op, '', { mask: null })]).toEqual([op, [1002, '']])
    }
    expect(await refusalOf(opcode.binary, ack('x'), { mask: null })).toEqual([1002, ''])
  })

  it('are masked with a key of their own each, which may be zero (5.3)', async () => {
    const wire = await join()
    const masks = [
      [0, 0, 0, 0],
      [255, 255, 255, 255],
      [0, 0, 0, 1],
      [1, 2, 3, 4],
    ]
    for (const [i, mask] of masks.entries()) {
      wire.send(opcode.binary, ack(`mask ${i}`), { mask: Uint8Array.from(mask) })
      await expectAck(wire, `mask ${i}`)
    }
  })

  it('[threat K3] [threat C1] must not set a reserved bit that nobody agreed to: 1002', async () => {
    for (let rsv = 1; rsv < 8; rsv++) {
      for (const op of [opcode.binary, opcode.ping]) {
        expect([rsv, op, await refusalOf(op, 'x', { rsv })]).toEqual([rsv, op, [1002, '']])
      }
    }
  })

  it('must not have a reserved opcode: 1002', async () => {
    for (const op of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
      expect([op, await refusalOf(op, 'x')]).toEqual([op, [1002, '']])
    }
  })

  it('may say their length in more bytes than they need: the rule is for senders, and nothing depends on it', async () => {
    const wire = await join()
    for (const lengthBits of [16, 64] as const) {
      wire.send(opcode.binary, ack(`length in ${lengthBits}`), { lengthBits })
      await expectAck(wire, `length in ${lengthBits}`)
    }
  })

  it('at each limit of a length are read: 0, 125, 126, 65,535 and 65,536 bytes', async () => {
    // A type that the server does not know is passed over, whatever its length.
    const wire = await join()
    for (const length of [1, 125, 126, 127, 65_535, 65_536]) {
      const message = new Uint8Array(length).fill(1)
      message[0] = 77
      wire.send(opcode.binary, message)
      wire.send(opcode.binary, ack(`${length}`))
      await expectAck(wire, `${length}`)
    }
    for (const length of [0, 125]) {
      wire.send(opcode.ping, Buffer.alloc(length, 7))
      expect((await wire.next(opcode.pong)).payload).toEqual(Buffer.alloc(length, 7))
    }
  })

  it('of a length beyond 2^63 or 2^53 are refused before anything of them comes: 1009', async () => {
    for (const length of [2n ** 64n - 1n, 2n ** 63n, 2n ** 63n - 1n, 2n ** 53n]) {
      expect(await refusalOf(opcode.binary, '', { lengthBits: 64, length })).toEqual([1009, ''])
    }
  })

  it('[threat K7] [threat C2] over the largest message are refused before anything of them comes: 1009', async () => {
    expect(await refusalOf(opcode.binary, '', { length: MAX_MESSAGE_BYTES + 1, lengthBits: 64 })).toEqual([1009, ''])
  })

  it('may come split at any byte', async () => {
    const message = clientFrame(opcode.binary, ack('split'), { mask: Uint8Array.of(9, 8, 7, 6), lengthBits: 64 })
    const witness = await upgrade()
    const wires = await Promise.all(Array.from({ length: message.length - 1 }, join))
    for (const [i, wire] of wires.entries()) wire.write(message.subarray(0, i + 1))
    // All have come when one that was sent later is answered.
    await witness.expectOpen()
    for (const [i, wire] of wires.entries()) wire.write(message.subarray(i + 1))
    for (const wire of wires) await expectAck(wire, 'split')
  })

  it('may come many in one segment, and keep their order', async () => {
    const wire = await join()
    const numbers = Array.from({ length: 100 }, (_, i) => `${i}`)
    wire.write(...numbers.map(number => clientFrame(opcode.binary, ack(number))))
    for (const number of numbers) await expectAck(wire, number)
  })
})

describe('fragmented messages (RFC 6455, section 5.4)', () => {
  const { binary, continuation, text } = opcode

  it('are put together from any number of fragments, empty ones too', async () => {
    const wire = await join()
    const message = ack('fragments')
    for (const size of [1, 2, message.length]) {
      wire.send(binary, '', { fin: false })
      for (let at = 0; at < message.length; at += size) {
        wire.send(continuation, message.subarray(at, at + size), { fin: false })
        wire.send(continuation, '', { fin: false })
      }
      wire.send(continuation, '')
      await expectAck(wire, 'fragments')
    }
  })

  it('may have control frames between, which are answered before the message ends', async () => {
    const wire = await join()
    const message = ack('interrupted')
    wire.send(binary, message.subarray(0, 3), { fin: false })
    await wire.expectOpen()
    wire.send(opcode.pong, 'unasked')
    wire.send(continuation, message.subarray(3, 5), { fin: false })
    await wire.expectOpen()
    wire.send(continuation, message.subarray(5))
    await expectAck(wire, 'interrupted')
  })

  it('must not have another message between: 1002', async () => {
    for (const op of [binary, text]) {
      for (const fin of [true, false]) {
        const wire = await join()
        wire.send(binary, ack('first').subarray(0, 3), { fin: false })
        wire.send(op, ack('second'), { fin })
        expect(await wire.nextClose()).toEqual([1002, ''])
        await wire.ended()
      }
    }
  })

  it('must begin with a frame that says what they are: a continuation of nothing ends the connection with 1002', async () => {
    expect(await refusalOf(continuation, 'x')).toEqual([1002, ''])
    expect(await refusalOf(continuation, 'x', { fin: false })).toEqual([1002, ''])
    const wire = await join()
    wire.send(binary, ack('whole'))
    wire.send(continuation, 'x')
    await expectAck(wire, 'whole')
    expect(await wire.nextClose()).toEqual([1002, ''])
  })

  it('[threat C2] of more than 1,024 fragments are refused: 1008', async () => {
    const wire = await join()
    const fragment = clientFrame(continuation, Buffer.of(1), { fin: false })
    wire.send(binary, Buffer.of(77), { fin: false })
    wire.write(...Array.from({ length: 1022 }, () => fragment))
    wire.send(continuation, Buffer.of(1))
    await wire.expectOpen()
    wire.send(binary, Buffer.of(77), { fin: false })
    wire.write(...Array.from({ length: 1024 }, () => fragment))
    expect(await wire.nextClose()).toEqual([1008, ''])
    await wire.ended()
  })

  it('over the largest message are refused with the fragment that goes over, before it comes: 1009', async () => {
    const wire = await join()
    wire.send(binary, Buffer.alloc(40_000, 77), { fin: false })
    wire.send(continuation, Buffer.alloc(25_536, 77), { fin: false })
    await wire.expectOpen()
    wire.send(continuation, '', { fin: false, length: 1 })
    expect(await wire.nextClose()).toEqual([1009, ''])
  })

  it('that never end store nothing', async () => {
    const path = `/frames/${documents++}`
    const wire = await WireSocket.upgrade(running(), path)
    const update = encodeUpdate(typist(1).type('never'))
    wire.send(binary, encodeSyncStep1(NOTHING))
    wire.send(binary, encodeSyncStep2(NO_UPDATE))
    wire.send(binary, update, { fin: false })
    await wire.expectOpen()
    wire.socket.end()
    await wire.ended()
    const reader = await WireSocket.upgrade(running(), path)
    reader.send(binary, encodeSyncStep1(NOTHING))
    // The server's question first: a state vector without a client.
    expect((await reader.next(binary)).payload).toEqual(Buffer.from(encodeSyncStep1(NOTHING)))
  })
})

describe('text (RFC 6455, sections 5.6 and 8.1)', () => {
  it('[threat K4] is refused: 1003', async () => {
    expect(await refusalOf(opcode.text, 'grüße')).toEqual([1003, 'text: messages are binary frames'])
    expect(await refusalOf(opcode.text, '')).toEqual([1003, 'text: messages are binary frames'])
  })

  it('that is no UTF-8 is refused for that: 1007', async () => {
    const broken = [[0xff], [0xc3, 0x28], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]
    for (const bytes of broken) expect(await refusalOf(opcode.text, Uint8Array.from(bytes))).toEqual([1007, ''])
  })

  it('whose characters are split between fragments is text all the same', async () => {
    const wire = await join()
    const [first, second] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)]
    wire.send(opcode.text, first, { fin: false })
    wire.send(opcode.continuation, second)
    expect((await wire.nextClose())[0]).toBe(1003)
  })
})

describe('control frames (RFC 6455, section 5.5)', () => {
  const { close, ping, pong } = opcode

  it('must not be fragmented: 1002', async () => {
    for (const op of [close, ping, pong]) expect(await refusalOf(op, '', { fin: false })).toEqual([1002, ''])
  })

  it('must not be longer than 125 bytes: 1002, before anything of them comes', async () => {
    for (const op of [close, ping, pong]) {
      expect(await refusalOf(op, '', { length: 126, lengthBits: 16 })).toEqual([1002, ''])
      expect(await refusalOf(op, '', { length: 126, lengthBits: 64 })).toEqual([1002, ''])
    }
  })

  it('ping is answered by a pong with its bytes, whatever they are (5.5.2, 5.5.3)', async () => {
    const wire = await upgrade()
    for (const payload of [
      Buffer.alloc(0),
      Buffer.from('hello'),
      Buffer.from([0, 255, 0xc3, 0x28]),
      Buffer.alloc(125, 1),
    ]) {
      wire.send(ping, payload)
      expect((await wire.next(pong)).payload).toEqual(payload)
    }
  })

  it('pings are answered in order, each (5.5.3 allows to answer the last only)', async () => {
    const wire = await upgrade()
    wire.write(...['a', 'b', 'c'].map(payload => clientFrame(ping, Buffer.from(payload))))
    for (const payload of ['a', 'b', 'c']) expect((await wire.next(pong)).payload.toString()).toBe(payload)
  })

  it('pong that nobody asked for is passed over (5.5.3)', async () => {
    const wire = await upgrade()
    wire.send(pong, '')
    wire.send(pong, 'unasked')
    await wire.expectOpen()
  })

  it('[threat C2] [threat K6] may come 50 at once, and 10 a second after that: above it the connection is closed with 1008 (10.7)', async () => {
    const flood: [number, string] = [1008, 'policy: over 10 pings and pongs a second']
    const pinging = await upgrade()
    let pongs = 0
    // One after the other: more than 16 pongs that wait to be sent end the connection, too.
    for (;;) {
      pinging.send(ping)
      const frame = await pinging.nextFrame()
      if (frame.opcode === close) {
        expect(frame.payload).toEqual(closePayload(...flood))
        break
      }
      pongs++
    }
    expect(pongs).toBeGreaterThanOrEqual(50)

    const ponging = await upgrade()
    const pong49 = Array.from({ length: 49 }, () => clientFrame(pong))
    ponging.write(...pong49)
    await ponging.expectOpen()
    ponging.write(...pong49)
    expect(await ponging.nextClose()).toEqual(flood)
  })

  it('[threat C2] in a flood that is not read end the connection without a word: 16 pongs wait at most', async () => {
    const wire = await upgrade()
    wire.write(...Array.from({ length: 17 }, () => clientFrame(ping)))
    await wire.ended()
  })
})
