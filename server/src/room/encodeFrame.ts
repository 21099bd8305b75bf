import { encodeUpdateHead } from '@weft/protocol'

/** `ws` and browsers call it binary (RFC 6455, section 5.2: FIN, opcode 2). */
const FIN_BINARY = 0x82

/**
 * One unmasked WebSocket frame around a message, ready to be written to any number of sockets (RFC 6455, section 5.2).
 * Encoding once and writing the same bytes everywhere is what makes a broadcast cheap: a write costs about 7 µs whatever
 * is in it, encoding anew for each socket 2 µs more.
 */
export function encodeFrame(message: Uint8Array): Buffer {
  return encodeParts(message, null)
}

/** The frame of an update message, copied once. */
export function encodeUpdateFrame(update: Uint8Array): Buffer {
  return encodeParts(encodeUpdateHead(update.length), update)
}

function encodeParts(head: Uint8Array, body: Uint8Array | null): Buffer {
  const length = head.length + (body?.length ?? 0)
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerLength + length)
  frame[0] = FIN_BINARY
  if (headerLength === 2) {
    frame[1] = length
  } else if (headerLength === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2)
    frame.writeUInt32BE(length % 2 ** 32, 6)
  }
  frame.set(head, headerLength)
  if (body !== null) frame.set(body, headerLength + head.length)
  return frame
}
