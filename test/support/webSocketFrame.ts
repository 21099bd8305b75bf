import { randomBytes } from 'node:crypto'

export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  /** Default: true. */
  readonly fin?: boolean
  /** RSV1 to RSV3 as a number from 0 to 7; 4 is RSV1. Default: 0. */
  readonly rsv?: number
  /** Default: a random key. null: unmasked. */
  readonly mask?: Uint8Array | null
  /** Bits of the length: as few as possible by default. */
  readonly lengthBits?: 7 | 16 | 64
  /** The length that is announced; default: the payload's own. */
  readonly length?: number | bigint
}

/** A frame as a client sends it (RFC 6455, section 5.2). */
export function clientFrame(op: number, payload: Uint8Array = new Uint8Array(), options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, mask = randomBytes(4), length = payload.length } = options
  const bits = options.lengthBits ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64)
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op
  head[1] = (mask === null ? 0 : 0x80) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127)
  if (bits === 16) head.writeUInt16BE(Number(length), 2)
  if (bits === 64) head.writeBigUInt64BE(BigInt(length), 2)
  if (mask === null) return Buffer.concat([head, payload])
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0))])
}

/** The payload of a close frame (section 5.5.1). */
export function closePayload(code: number, reason: string | Uint8Array = ''): Buffer {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return Buffer.concat([head, typeof reason === 'string' ? Buffer.from(reason) : reason])
}
