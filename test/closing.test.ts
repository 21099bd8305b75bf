import { encodeAck, encodeSyncStep1, encodeSyncStep2, encodeUpdate } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { within } from './support/eventually.ts'
import { NO_UPDATE, NOTHING, RawClient, updateOf } from './support/RawClient.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { textOf, typist } from './support/typist.ts'
import { WireSocket } from './support/WireSocket.ts'
import { clientFrame, closePayload, opcode } from './support/webSocketFrame.ts'

const running = sharedServer()
const { binary, close, ping } = opcode

describe('the closing handshake that a client begins (RFC 6455, sections 5.5.1 and 7)', () => {
  /** What comes back to a close frame; the server must end the stream first (7.1.1). */
  const answerTo = async (payload: Uint8Array) => {
    const wire = await WireSocket.upgrade(running())
    wire.send(close, payload)
    const answer = await wire.nextClose()
    expect((await wire.ended()).length).toBe(0)
    return answer
  }

  it('[threat K1] is answered with the code and reason that came, and the server ends the stream (5.5.1, 7.1.1)', async () => {
    expect(await answerTo(closePayload(1000, 'bye'))).toEqual([1000, 'bye'])
    expect(await answerTo(closePayload(1001))).toEqual([1001, ''])
    expect(await answerTo(closePayload(1000, 'ü'.repeat(61)))).toEqual([1000, 'ü'.repeat(61)])
  })

  it('without a code is answered without one (7.1.5)', async () => {
    expect(await answerTo(new Uint8Array())).toEqual([null, ''])
  })

  it('takes each code that may be sent (7.4.1, 7.4.2)', async () => {
    for (const code of [
      1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ]) {
      expect(await answerTo(closePayload(code))).toEqual([code, ''])
    }
  })

  it('with a code that must not be sent is a broken frame: 1002 (7.4.1, 7.4.2)', async () => {
    for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]) {
      expect([code, await answerTo(closePayload(code))]).toEqual([code, [1002, '']])
    }
  })

  it('with one byte is a broken frame: 1002 (5.5.1)', async () => {
    expect(await answerTo(Uint8Array.of(3))).toEqual([1002, ''])
  })

  it('with a reason that is no UTF-8 is refused: 1007 (5.5.1, 8.1)', async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80]]) {
      expect(await answerTo(closePayload(1000, Uint8Array.from(bytes)))).toEqual([1007, ''])
    }
  })

  it('takes a reason of 123 bytes, and none that is longer: 1002 (5.5)', async () => {
    expect(await answerTo(closePayload(1000, 'x'.repeat(123)))).toEqual([1000, 'x'.repeat(123)])
    expect(await answerTo(closePayload(1000, 'x'.repeat(124)))).toEqual([1002, ''])
  })

  it('may come in the midst of a fragmented message (5.4)', async () => {
    const wire = await WireSocket.upgrade(running())
    wire.send(binary, 'x', { fin: false })
    wire.send(close, closePayload(1000))
    expect(await wire.nextClose()).toEqual([1000, ''])
    await wire.ended()
  })

  it('ends what is heard: frames after it, broken ones too, are not looked at (5.5.1, 1.4)', async () => {
    const path = '/closing/after'
    const update = (word: string, author: number) => clientFrame(binary, encodeUpdate(typist(author).type(word)))
    const wire = await WireSocket.upgrade(running(), path)
    wire.send(binary, encodeSyncStep1(NOTHING))
    wire.send(binary, encodeSyncStep2(NO_UPDATE))
    wire.write(
      update('before', 1),
      clientFrame(close, closePayload(1000)),
      update('after', 2),
      clientFrame(ping, Buffer.from('after')),
      clientFrame(close, closePayload(1001)),
      Buffer.from('nonsense'),
    )
    expect(await wire.nextClose()).toEqual([1000, ''])
    expect((await wire.ended()).length).toBe(0)
    const reader = await RawClient.join(`${running().socketUrl}${path}`)
    expect(textOf(...reader.received.map(updateOf))).toBe('before')
  })

  it('is not needed: the end of the stream is a goodbye, too, and is answered by one (7.1.4)', async () => {
    const wire = await WireSocket.upgrade(running())
    wire.socket.end()
    expect((await wire.ended()).length).toBe(0)
  })
})

describe('the closing handshake that the server begins (RFC 6455, section 7)', () => {
  it('has a code and a reason, and the stream ends once the client has answered (7.1.1)', async () => {
    const wire = await WireSocket.upgrade(running())
    wire.send(opcode.text, 'x')
    expect(await wire.nextClose()).toEqual([1003, 'text: messages are binary frames'])
    wire.send(close, closePayload(1003))
    expect((await wire.ended()).length).toBe(0)
  })

  it('hears no data any more, but waits for the answer (5.5.1)', async () => {
    const path = '/closing/deaf'
    const wire = await WireSocket.upgrade(running(), path)
    wire.send(opcode.text, 'x')
    await wire.nextClose()
    wire.send(binary, encodeSyncStep1(NOTHING))
    wire.send(binary, encodeSyncStep2(typist(1).type('late')))
    wire.send(ping, 'x')
    wire.send(close, closePayload(1003))
    expect((await wire.ended()).length).toBe(0)
    const reader = await RawClient.join(`${running().socketUrl}${path}`)
    expect(textOf(...reader.received.map(updateOf))).toBe('')
  })

  it('comes once, though both sides begin at the same time (7.1.6)', async () => {
    const wire = await WireSocket.upgrade(running())
    wire.write(clientFrame(opcode.text, Buffer.from('x')), clientFrame(close, closePayload(1000)))
    expect(await wire.nextClose()).toEqual([1003, 'text: messages are binary frames'])
    expect((await wire.ended()).length).toBe(0)
  })

  it('[threat K2] at a stop is 1012, and what was sent before is on disk (7.4.1)', async () => {
    const server = await testServer()
    const path = '/closing/stop'
    const wire = await WireSocket.upgrade(server, path)
    wire.send(binary, encodeSyncStep1(NOTHING))
    wire.send(binary, encodeSyncStep2(typist(1).type('kept')))
    wire.send(binary, encodeAck(Uint8Array.of(1)))
    while ((await wire.next(binary)).payload[0] !== 102);
    const stopped = server.stop()
    expect((await wire.nextClose())[0]).toBe(1012)
    wire.send(close, closePayload(1012))
    await stopped
    await server.start()
    const reader = await RawClient.join(`${server.socketUrl}${path}`)
    expect(textOf(...reader.received.map(updateOf))).toBe('kept')
  })
})

it('a closing handshake that is never finished is cut off after 5 s, whoever began it, and why (7.1.1, 7.3)', async () => {
  const [broken, refused, left] = await Promise.all([1, 2, 3].map(() => WireSocket.upgrade(running())))
  if (broken === undefined || refused === undefined || left === undefined) throw new Error('unreachable')
  broken.send(3, 'x')
  refused.send(opcode.text, 'x')
  left.send(close, closePayload(1000))
  const codes = await Promise.all([broken, refused, left].map(async wire => (await wire.nextClose())[0]))
  expect(codes).toEqual([1002, 1003, 1000])
  await Promise.all([broken, refused, left].map(wire => wire.ended()))
  // Our side of the stream stays open: what is written to a socket that is gone is answered by a reset.
  const wasReset = new Promise(resolve => left.socket.once('error', resolve))
  const timer = setInterval(() => left.socket.write('.'), 100)
  await within('a reset', wasReset).finally(() => clearInterval(timer))
})
