import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { afterEach, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { ReadPieces } from './ReadPieces.ts'

/** A binary frame without a payload, with a mask of zeros. */
const EMPTY_FRAME = Buffer.of(0x82, 0x80, 0, 0, 0, 0)
const frames = (count: number) => Buffer.concat(Array.from({ length: count }, () => EMPTY_FRAME))

const opened: Duplex[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

/** A connection of `ws` over a socket whose reads are what is pushed. */
async function connect() {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  opened.push(socket)
  const request = new IncomingMessage(new Socket())
  request.method = 'GET'
  request.url = '/'
  request.headers = {
    upgrade: 'websocket',
    connection: 'upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  }
  const server = new WebSocketServer({ noServer: true })
  const webSocket = await new Promise<WebSocket>(resolve =>
    server.handleUpgrade(request, socket, Buffer.alloc(0), resolve),
  )
  const pieces = new ReadPieces(socket, () => {})
  const told: number[] = []
  webSocket.on('error', () => {})
  webSocket.on('message', (data: Buffer) => {
    pieces.ended()
    told.push(data.length)
  })
  const handedOn: number[] = []
  socket.on('data', (piece: Buffer) => handedOn.push(piece.length))
  // Begins to flow.
  await new Promise(resolve => setImmediate(resolve))
  return { socket, webSocket, pieces, told, handedOn }
}

it('tells of one piece of a read where the socket is paused after it', async () => {
  const { socket, webSocket, told } = await connect()
  webSocket.once('message', () => webSocket.pause())
  socket.push(frames(3000))
  expect(told.length).toBe(Math.floor(4096 / 6))
})

it('hands on the rest in smaller pieces while it is paused, and in a turn no more than had been read before', async () => {
  const { socket, webSocket, pieces, told } = await connect()
  webSocket.pause()
  socket.push(frames(3000))
  expect(pieces.areLeft).toBe(true)
  expect(told.length).toBe(0)

  pieces.beginTurn()
  socket.push(frames(500))
  expect(pieces.next()).toBe(true)
  expect(told.length).toBe(Math.floor(1024 / 6))
  while (pieces.next());
  expect(told.length).toBe(3000)

  pieces.beginTurn()
  while (pieces.next());
  expect(told.length).toBe(3500)
  expect(pieces.areLeft).toBe(false)
})

it('goes on in order once the socket is read again', async () => {
  const { socket, webSocket, told } = await connect()
  webSocket.once('message', () => webSocket.pause())
  // Payloads of 0 to 99 bytes, one after the other.
  const sent = Array.from({ length: 500 }, (_, i) => i % 100)
  socket.push(
    Buffer.concat(sent.map(size => Buffer.concat([Buffer.of(0x82, 0x80 | size, 0, 0, 0, 0), Buffer.alloc(size)]))),
  )
  expect(told.length).toBeLessThan(500)
  webSocket.resume()
  await new Promise(resolve => setImmediate(resolve))
  expect(told).toEqual(sent)
})

it('hands on ever more of a long message', async () => {
  const { socket, told, handedOn } = await connect()
  const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0])
  const frame = Buffer.concat([head, Buffer.alloc(1 << 20)])
  for (let at = 0; at < frame.length; at += 1 << 16) socket.push(frame.subarray(at, at + (1 << 16)))
  expect(told).toEqual([1 << 20])
  // 4, 4, 8, 16 and 32 KiB of the first read, 15 whole reads, and what is left of the last one.
  expect(handedOn.length).toBeLessThanOrEqual(21)
})

it('counts what has come of a message, without the pings in its midst', async () => {
  const { socket, webSocket, pieces } = await connect()
  webSocket.on('ping', (data: Buffer) => pieces.passed(data.length))
  const ping = Buffer.concat([Buffer.of(0x89, 0x80 | 100, 0, 0, 0, 0), Buffer.alloc(100)])
  for (let count = 0; count < 10; count++) socket.push(ping)
  expect(pieces.sinceMessage).toBe(0)
  const begun = Buffer.concat([Buffer.of(0x02, 0x80 | 50, 0, 0, 0, 0), Buffer.alloc(50)])
  socket.push(begun)
  for (let count = 0; count < 10; count++) socket.push(ping)
  expect(pieces.sinceMessage).toBe(begun.length)
  socket.push(Buffer.of(0x80, 0x80, 0, 0, 0, 0))
  expect(pieces.sinceMessage).toBe(0)
})

/** @returns how many messages are told where a socket breaks of which a read was not handed on */
async function toldOfBroken(read: Buffer): Promise<number> {
  const { socket, webSocket, told } = await connect()
  webSocket.pause()
  socket.push(read)
  const isClosed = new Promise(resolve => webSocket.once('close', resolve))
  socket.destroy()
  await isClosed
  return told.length
}

it('drops what has not been handed on of a socket that breaks, where it is more than one piece', async () => {
  expect(await toldOfBroken(frames(3000))).toBe(0)
  expect(await toldOfBroken(frames(100))).toBe(100)
})
