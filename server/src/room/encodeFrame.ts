import { encodeAddress, encodeUpdateHead } from '@weft/protocol'

/** `ws` and browsers call it binary (RFC 6455, section 5.2: FIN, opcode 2). */
const FIN_BINARY = 0x82
/** The message is compressed (RFC 7692, section 6: RSV1). */
const COMPRESSED = 0x40

/**
 * One unmasked WebSocket frame around a message, ready to be written to any number of sockets (RFC 6455, section 5.2).
 * Encoding once and writing the same bytes everywhere is what makes a broadcast cheap: a write costs about 7 µs whatever
 * is in it, encoding anew for each socket 2 µs more.
 */
export function encodeFrame(message: Uint8Array): Buffer {
  return encodeHead(message, 0)
}

/** The frame of an update message, copied once. */
export function encodeUpdateFrame(update: Uint8Array): Buffer {
  const frame = encodeHead(encodeUpdateHead(update.length), update.length, update.length)
  frame.set(update, frame.length - update.length)
  return frame
}

/** What is larger is not copied for an address, nor remembered. */
const MAX_COPIED_BYTES = 64 * 1024
/** Between a document's name and the id of one session of it: such an address is used once. */
const SESSION_MARK = '\0'
const addressed = new WeakMap<Buffer, { readonly address: string; readonly parts: readonly Buffer[] }>()

/**
 * The same messages in Hocuspocus' dialect, where an address stands before each, to be written one after the other. They
 * are remembered: all who have a document open without session ids have the same address.
 * A compressed frame stays compressed, and as it is: the address goes before it as a stored block (RFC 1951, section 3.2.4).
 * @param frames one or more frames of `encodeFrame`
 * @returns one buffer; of more than 64 KiB heads and views of `frames` in turn
 */
export function addressFrames(frames: Buffer, address: string): readonly Buffer[] {
  const known = addressed.get(frames)
  if (known?.address === address) return known.parts
  const head = encodeAddress(address)
  const parts: Buffer[] = []
  for (let at = 0; at < frames.length; ) {
    const isCompressed = (frames.readUInt8(at) & COMPRESSED) !== 0
    const begin = payloadBegin(frames, at)
    at = begin + payloadLength(frames, at)
    const rest = at - begin
    parts.push(
      isCompressed ? encodeHead(storedBlock(head), rest, 0, FIN_BINARY | COMPRESSED) : encodeHead(head, rest),
      frames.subarray(begin, at),
    )
  }
  if (frames.length > MAX_COPIED_BYTES) return parts
  const copied = [Buffer.concat(parts)]
  if (!address.includes(SESSION_MARK)) addressed.set(frames, { address, parts: copied })
  return copied
}

/** One frame around a compressed message (RFC 7692, section 7.2.1). */
export function encodeCompressedFrame(payload: Uint8Array): Buffer {
  return encodeHead(payload, 0, 0, FIN_BINARY | COMPRESSED)
}

/** Where the payload of the frame at `at` begins. */
export function payloadBegin(frames: Buffer, at: number): number {
  const short = frames.readUInt8(at + 1)
  return at + (short < 126 ? 2 : short === 126 ? 4 : 10)
}

/** Bytes of the payload of the frame at `at`. */
export function payloadLength(frames: Buffer, at: number): number {
  const short = frames.readUInt8(at + 1)
  if (short < 126) return short
  return short === 126 ? frames.readUInt16BE(at + 2) : Number(frames.readBigUInt64BE(at + 2))
}

/** Bytes as deflate carries them uncompressed; what follows is a stream of its own, whose distances stay true. */
function storedBlock(bytes: Uint8Array): Buffer {
  const block = Buffer.alloc(5 + bytes.length)
  block.writeUInt16LE(bytes.length, 1)
  block.writeUInt16LE(bytes.length ^ 0xffff, 3)
  block.set(bytes, 5)
  return block
}

/** A frame's header and the beginning of its payload, of which `rest` bytes follow; with room for so many of them. */
function encodeHead(head: Uint8Array, rest: number, room = 0, firstByte = FIN_BINARY): Buffer {
  const length = head.length + rest
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerLength + head.length + room)
  frame[0] = firstByte
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
  return frame
}
