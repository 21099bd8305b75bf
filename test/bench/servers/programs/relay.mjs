// A limit, not a server: passes every message on to the other clients of the same path. No CRDT, no store, no checks.
// PAUSE_MS 0: `ws.send` to each, at once. Above: frames are encoded once, gathered, and written together.
import { WebSocketServer } from 'ws'

const port = Number(process.env.PORT)
const pauseMs = Number(process.env.PAUSE_MS)
const server = new WebSocketServer({ host: '127.0.0.1', port, perMessageDeflate: false })
const rooms = new Map()

server.on('connection', (client, request) => {
  const room = rooms.get(request.url) ?? { clients: new Map(), frames: [], isDue: false }
  rooms.set(request.url, room)
  room.clients.set(client, request.socket)
  client.on('error', () => {})
  client.on('message', message => {
    if (pauseMs === 0) sendToOthers(room, client, message)
    else gather(room, message)
  })
  client.on('close', () => room.clients.delete(client))
})

function sendToOthers(room, author, message) {
  for (const client of room.clients.keys()) if (client !== author) client.send(message)
}

function gather(room, message) {
  room.frames.push(encodeFrame(message))
  if (room.isDue) return
  room.isDue = true
  setTimeout(() => {
    const frames = Buffer.concat(room.frames)
    room.frames = []
    room.isDue = false
    for (const socket of room.clients.values()) socket.write(frames)
  }, pauseMs)
}

/** RFC 6455, section 5.2; messages up to 64 KiB. */
function encodeFrame(message) {
  const isShort = message.length < 126
  const frame = Buffer.allocUnsafe(message.length + (isShort ? 2 : 4))
  frame[0] = 0x82
  frame[1] = isShort ? message.length : 126
  if (!isShort) frame.writeUInt16BE(message.length, 2)
  message.copy(frame, isShort ? 2 : 4)
  return frame
}
