import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { encodeSyncStep1, encodeUpdate } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { eventually } from './support/eventually.ts'
import { hocuspocusSocket } from './support/hocuspocusClient.ts'
import { ack, expectAck, joined, refusalOf as refusalAfter } from './support/JoinedWire.ts'
import { NO_UPDATE, NOTHING, RawClient, updateOf } from './support/RawClient.ts'
import { stockClient } from './support/stockClient.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { textOf, typist } from './support/typist.ts'
import { upgradeRequest, WireSocket } from './support/WireSocket.ts'
import { clientFrame, type FrameOptions, opcode } from './support/webSocketFrame.ts'

const MAX_MESSAGE_BYTES = 1 << 20
const running = sharedServer({ WEFT_COMPRESSION: 'on', WEFT_MAX_MESSAGE_BYTES: String(MAX_MESSAGE_BYTES) })
const AGREED = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'
const RSV1 = 4
const { binary, continuation } = opcode

/** A compressed payload (RFC 7692, section 7.2.1). */
function deflate(message: Uint8Array): Buffer {
  return deflateRawSync(message, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
}

/** What a frame's payload was before it was compressed (section 7.2.2). */
function inflate(payload: Uint8Array): Buffer {
  return inflateRawSync(Buffer.concat([payload, Buffer.of(0, 0, 255, 255)]), { finishFlush: constants.Z_SYNC_FLUSH })
}

let documents = 0
const nextPath = () => `/compressed/${documents++}`

const upgrade = (path = nextPath()) =>
  WireSocket.upgrade(running(), path, { 'Sec-WebSocket-Extensions': 'permessage-deflate' })

const join = async (path = nextPath()) => joined(await upgrade(path))

const refusalOf = async (op: number, payload: Uint8Array | string, options: FrameOptions = {}) =>
  refusalAfter(await join(), op, payload, options)

describe('permessage-deflate is agreed to (RFC 7692, sections 5 and 7.1)', () => {
  const answerTo = async (offer: string | string[]) => {
    const wire = await WireSocket.open(running())
    wire.write(upgradeRequest('/a', { 'Sec-WebSocket-Extensions': offer }))
    const { status, headers } = await wire.nextAnswer()
    if (status === 101) await wire.expectOpen()
    wire.socket.destroy()
    return status === 101 ? (headers.get('sec-websocket-extensions') ?? 'declined') : status
  }

  it('where it is offered, without a memory of earlier messages on either side (7.1.1)', async () => {
    for (const offer of [
      'permessage-deflate',
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=8',
      'permessage-deflate; client_max_window_bits="15"',
      'unknown; x=y, permessage-deflate',
    ]) {
      expect([offer, await answerTo(offer)]).toEqual([offer, AGREED])
    }
    expect(await answerTo(['unknown', 'permessage-deflate'])).toBe(AGREED)
  })

  it('with the largest window of the server only: a smaller one is declined (7.1.2.1)', async () => {
    for (let bits = 8; bits < 15; bits++) {
      expect(await answerTo(`permessage-deflate; server_max_window_bits=${bits}`)).toBe('declined')
    }
    expect(await answerTo('permessage-deflate; server_max_window_bits=15')).toContain('; server_max_window_bits=15')
  })

  it('by the first offer that can be accepted (5.1)', async () => {
    expect(await answerTo('permessage-deflate; server_max_window_bits=10, permessage-deflate')).toBe(AGREED)
    expect(await answerTo('permessage-deflate; unknown, permessage-deflate; client_max_window_bits')).toBe(AGREED)
  })

  it('and declined where a parameter is unknown, repeated or has a bad value: the connection goes on without (7.1)', async () => {
    for (const parameter of [
      'unknown',
      'unknown=1',
      'server_no_context_takeover=1',
      'client_no_context_takeover=true',
      'server_no_context_takeover; server_no_context_takeover',
      'client_max_window_bits=9; client_max_window_bits=9',
      ...['', '0', '7', '16', '08', '010', '1e1', '-9', '9.0', 'x'].map(value => `client_max_window_bits="${value}"`),
      'server_max_window_bits',
      'server_max_window_bits=7',
      'server_max_window_bits=015',
      'Server_No_Context_Takeover',
    ]) {
      const isNoToken = parameter.endsWith('=""')
      const answer = await answerTo(`permessage-deflate; ${parameter}`)
      expect([parameter, answer]).toEqual([parameter, isNoToken ? 400 : 'declined'])
    }
  })

  it('not where nobody offers it, or another extension', async () => {
    expect(await answerTo('x-webkit-deflate-frame')).toBe('declined')
    expect(await answerTo('permessage-bzip2, permessage-deflate2')).toBe('declined')
    const wire = await WireSocket.open(running())
    wire.write(upgradeRequest('/a'))
    expect((await wire.nextAnswer()).headers.has('sec-websocket-extensions')).toBe(false)
  })

  it('and a header that is malformed is refused: 400 (RFC 6455, section 9.1)', async () => {
    for (const header of ['', ';', 'permessage-deflate;', 'permessage-deflate; a=', 'permessage-deflate, ,', 'a b']) {
      expect([header, await answerTo(header)]).toEqual([header, 400])
    }
  })
})

describe('compressed messages from a client (RFC 7692, sections 6 and 7.2.2)', () => {
  it('are read, and uncompressed ones beside them', async () => {
    const wire = await join()
    for (let i = 0; i < 3; i++) {
      wire.send(binary, deflate(ack(`compressed ${i}`)), { rsv: RSV1 })
      wire.send(binary, ack(`plain ${i}`))
      await expectAck(wire, `compressed ${i}`)
      await expectAck(wire, `plain ${i}`)
    }
  })

  it('may be fragmented at any byte, with control frames between', async () => {
    const wire = await join()
    const payload = deflate(ack('fragments'))
    wire.send(binary, payload.subarray(0, 1), { fin: false, rsv: RSV1 })
    for (const byte of payload.subarray(1)) {
      wire.send(continuation, Uint8Array.of(byte), { fin: false })
    }
    await wire.expectOpen()
    wire.send(continuation)
    await expectAck(wire, 'fragments')
  })

  it('may be one byte of nothing: an empty message, which is malformed for the protocol above (7.2.3.6)', async () => {
    expect(await refusalOf(binary, Uint8Array.of(0), { rsv: RSV1 })).toEqual([
      1007,
      expect.stringMatching(/^malformed: /),
    ])
  })

  it('may be in any number of blocks of any kind, a last one too (7.2.3)', async () => {
    const wire = await join()
    const message = ack('blocks')
    const final = Buffer.concat([deflateRawSync(message), Buffer.of(0)])
    const stored = deflateRawSync(message, { level: 0, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
    const twoBlocks = Buffer.concat([
      deflateRawSync(message.subarray(0, 4), { finishFlush: constants.Z_SYNC_FLUSH }),
      deflate(message.subarray(4)),
    ])
    for (const payload of [final, stored, twoBlocks]) {
      wire.send(binary, payload, { rsv: RSV1 })
      await expectAck(wire, 'blocks')
    }
  })

  it('refer to nothing before them: the memory of earlier messages was given up (7.2.3.2)', async () => {
    const dictionary = Buffer.from(ack('abcdefghijklmnopqrstuvwxyz'))
    const wire = await join()
    wire.send(binary, deflate(dictionary), { rsv: RSV1 })
    await expectAck(wire, 'abcdefghijklmnopqrstuvwxyz')
    const options = { dictionary, finishFlush: constants.Z_SYNC_FLUSH }
    wire.send(binary, deflateRawSync(dictionary, options).subarray(0, -4), { rsv: RSV1 })
    expect(await wire.nextClose()).toEqual([1007, ''])
  })

  it('have RSV1 in their first frame only, and no control frame has it: 1002 (6.1)', async () => {
    const wire = await join()
    wire.send(binary, deflate(ack('x')).subarray(0, 2), { fin: false, rsv: RSV1 })
    wire.send(continuation, 'x', { rsv: RSV1 })
    expect(await wire.nextClose()).toEqual([1002, ''])
    for (const op of [opcode.ping, opcode.pong, opcode.close]) {
      expect(await refusalOf(op, '', { rsv: RSV1 })).toEqual([1002, ''])
    }
    for (const rsv of [1, 2, 5, 7]) expect(await refusalOf(binary, deflate(ack('x')), { rsv })).toEqual([1002, ''])
  })

  it('have RSV1 only where it was agreed to: 1002', async () => {
    const wire = await WireSocket.upgrade(running())
    wire.send(binary, deflate(ack('x')), { rsv: RSV1 })
    expect(await wire.nextClose()).toEqual([1002, ''])
  })

  it('that do not inflate are refused: 1007', async () => {
    for (const payload of [
      Buffer.of(0xff),
      Buffer.of(0xff, 0xff, 0xff),
      Buffer.from('07', 'hex'),
      randomBytes(1).fill(6),
    ]) {
      expect([payload, await refusalOf(binary, payload, { rsv: RSV1 })]).toEqual([payload, [1007, '']])
    }
  })

  it('[threat C2] over the largest message once inflated are refused without inflating all: 1009', async () => {
    const bomb = deflate(Buffer.alloc(1 << 28))
    expect(bomb.length).toBeLessThan(MAX_MESSAGE_BYTES)
    const before = await peakMemoryOf(running().pid)
    const wires = await Promise.all(Array.from({ length: 12 }, () => join()))
    for (const wire of wires) wire.send(binary, bomb, { rsv: RSV1 })
    for (const wire of wires) expect(await wire.nextClose()).toEqual([1009, ''])
    // 12 × 256 MiB, if they were; what was taken and given back counts as well.
    expect((await peakMemoryOf(running().pid)) - before).toBeLessThan(512 << 20)
  })

  it('over the largest message in fragments, each within it, are refused: 1009', async () => {
    const wire = await join()
    const part = deflateRawSync(Buffer.alloc(600_000), { finishFlush: constants.Z_SYNC_FLUSH })
    wire.send(binary, part, { fin: false, rsv: RSV1 })
    wire.send(continuation, part, { fin: false })
    expect(await wire.nextClose()).toEqual([1009, ''])
  })

  it('that come with a goodbye are kept (RFC 6455, section 1.4)', async () => {
    const path = nextPath()
    const wire = await join(path)
    const ann = typist(1)
    wire.write(
      ...['one ', 'x'.repeat(100_000), ' two'].map(word =>
        clientFrame(binary, deflate(encodeUpdate(ann.type(word))), { rsv: RSV1 }),
      ),
      clientFrame(opcode.close),
    )
    expect(await wire.nextClose()).toEqual([null, ''])
    await eventually('all edits', async () => {
      const reader = await RawClient.join(running().socketUrl + path)
      await reader.leave()
      return textOf(...reader.received.map(updateOf)) === ann.text.toString()
    })
  })
})

/** The most resident bytes that a process ever had. */
async function peakMemoryOf(pid: number): Promise<number> {
  return Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

describe('messages to a client that agreed to compression', () => {
  const word = 'the same words again and again, '
  /** Long texts of which the middle one is too large for the event loop, and random ones, which don't get smaller. */
  const texts = [word.repeat(100), word.repeat(10_000), word.repeat(200), randomBytes(2000).toString('base64')]

  it('are compressed where that makes them smaller, and from 1 KiB on', async () => {
    const path = nextPath()
    const wire = await join(path)
    const writer = await RawClient.join(running().socketUrl + path)
    const ann = typist(1)
    const noise = randomBytes(3000)
    const map = new Y.Doc()
    map.getMap('noise').set('bytes', new Uint8Array(noise))
    const updates = [ann.type('short'), ann.type(word.repeat(100)), Y.encodeStateAsUpdate(map)]
    const frames = []
    for (const [i, update] of updates.entries()) {
      await writer.commit(update, i + 1)
      frames.push(await wire.next(binary))
    }
    expect(frames.map(({ rsv }) => rsv)).toEqual([0, RSV1, 0])
    const [, long] = frames
    expect(long?.payload.length).toBeLessThan(200)
    expect(inflate(long?.payload ?? NOTHING)).toEqual(Buffer.from(encodeUpdate(updates[1] ?? NO_UPDATE)))
  })

  it('come in order, though a large one takes longer to compress than those behind it', async () => {
    const path = nextPath()
    const readers = await Promise.all([join(path), join(path)])
    const writer = await RawClient.join(running().socketUrl + path)
    const ann = typist(1)
    // Digits of noise: the slowest to compress. A commit for each, so that each is a frame of its own.
    const noise = randomBytes(450_000).toString('hex')
    for (const [i, text] of [word.repeat(100), noise, word.repeat(200), 'short'].entries()) {
      await writer.commit(ann.type(text), i + 1)
    }
    for (const reader of readers) {
      const doc = new Y.Doc()
      while (doc.getText('text').length < ann.text.length) {
        const { rsv, payload } = await reader.next(binary)
        const message = rsv === RSV1 ? inflate(payload) : payload
        // type, step, length, update
        if (message[0] !== 0 || message[1] !== 2) continue
        const bytes = message.subarray(message.findIndex((byte, i) => i >= 2 && byte < 128) + 1)
        Y.applyUpdate(doc, bytes)
        // In order: nothing waits for what comes later.
        expect(doc.store.pendingStructs).toBeNull()
      }
      expect(doc.getText('text').toString()).toBe(ann.text.toString())
    }
  })

  it('reach unmodified y-websocket and Hocuspocus clients, together with those who want none', async () => {
    const server = running()
    const stock = stockClient(3, server.socketUrl, 'compressed/stock')
    const provider = hocuspocusSocket(4, server.socketUrl)
    const one = provider.open('compressed/stock')
    const tabs = provider.open('compressed/stock', { sessionAwareness: true })
    const plain = await RawClient.join(`${server.socketUrl}/compressed/stock`)
    await Promise.all([stock.synced(), one.synced(), tabs.synced()])
    expect([...stock.sockets, ...provider.sockets].map(socket => socket.extensions)).toEqual([
      'permessage-deflate',
      'permessage-deflate',
    ])
    const text = stock.doc.getText('text')
    for (const part of texts) text.insert(text.length, part)
    one.doc.getText('text').insert(0, word.repeat(5000))
    const replicas = [stock.doc, one.doc, tabs.doc]
    await eventually('all to have all', () =>
      replicas.every(doc => doc.getText('text').length === text.length && text.length > word.length * 15_000),
    )
    expect(replicas.map(doc => doc.getText('text').toString() === text.toString())).toEqual([true, true, true])
    await eventually(
      'the uncompressed client to have all',
      () => textOf(...plain.received.map(updateOf)) === text.toString(),
    )
    await eventually('all to be on disk', () => !one.provider.hasUnsyncedChanges)
    // Whoever comes now gets a large frame, which is compressed once; in Hocuspocus' dialect behind an address.
    const lateStock = stockClient(3, server.socketUrl, 'compressed/stock')
    const secondSocket = hocuspocusSocket(3, server.socketUrl)
    const joined = secondSocket.open('compressed/stock')
    await Promise.all([lateStock.synced(), joined.synced()])
    for (const doc of [lateStock.doc, joined.doc]) expect(doc.getText('text').toString()).toBe(text.toString())
    stock.destroy()
    lateStock.destroy()
    provider.destroy()
    secondSocket.destroy()
  })

  it('of a large document are a fraction of it on the wire, for whoever joins', async () => {
    const path = nextPath()
    const writer = await RawClient.join(running().socketUrl + path)
    const ann = typist(1)
    await writer.commit(ann.type(word.repeat(20_000)))
    const bytes = []
    for (const perMessageDeflate of [true, true, false]) {
      const client = await RawClient.connect(running().socketUrl + path, { perMessageDeflate })
      client.ask()
      await client.next('syncStep2')
      expect(textOf(...client.received.map(updateOf))).toBe(ann.text.toString())
      bytes.push((Reflect.get(client.socket, '_socket') as { bytesRead: number }).bytesRead)
    }
    const [first = 0, second = 0, plain = 0] = bytes
    expect(plain).toBeGreaterThan(640_000)
    expect(first).toBeLessThan(plain / 50)
    expect(second).toBe(first)
  })

  it('that wait to be compressed at a stop are sent as they are, before the goodbye', async () => {
    const server = await testServer({ WEFT_COMPRESSION: 'on' })
    // Large frames are compressed one after the other: four of 3 MB take longer than it takes to stop.
    const noise = randomBytes(1_500_000).toString('hex')
    const extensions = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const wires = await Promise.all(
      ['/a', '/b', '/c', '/d'].map(async path => {
        const writer = await RawClient.join(server.socketUrl + path)
        await writer.commit(typist(1).type(noise))
        return WireSocket.upgrade(server, path, extensions)
      }),
    )
    const plain = await RawClient.connect(`${server.socketUrl}/d`)
    for (const wire of wires) wire.send(binary, encodeSyncStep1(NOTHING))
    plain.ask()
    await plain.next('update')
    const stopped = server.stop()
    const rsvs = await Promise.all(
      wires.map(async wire => {
        let frame = await wire.next(binary)
        while (frame.payload.length < noise.length / 3) frame = await wire.next(binary)
        const message = frame.rsv === RSV1 ? inflate(frame.payload) : frame.payload
        expect(message.includes(noise)).toBe(true)
        expect(await wire.nextClose()).toEqual([1012, expect.stringMatching(/^restart: /)])
        wire.send(opcode.close)
        return frame.rsv
      }),
    )
    expect(rsvs).toContain(0)
    await stopped
  })

  it('are not compressed by default, whatever a client offers', async () => {
    const server = await testServer()
    const socket = new WebSocket(`${server.socketUrl}/a`)
    await new Promise(resolve => socket.once('open', resolve))
    expect(socket.extensions).toBe('')
    socket.terminate()
  })
})
