import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/** All sockets of a process are read into it, one after the other: no bytes are allocated per read. */
const readBuffer = Buffer.allocUnsafe(256 * 1024)
const HEADER_END = Buffer.from('\r\n\r\n')
const MAX_HEADER_BYTES = 14

export interface SocketEvents {
  /** @param payload valid during the call only */
  message(payload: Uint8Array): void
  pong?(): void
  /** It ended, whoever ended it; called once. */
  ended(reason: string): void
}

/**
 * The client's end of a WebSocket, without a library: the load must cost far less than the servers that it loads, and every
 * byte and frame is counted. Client frames are masked, as RFC 6455 demands; no compression is offered.
 */
export class RawSocket {
  bytesIn = 0
  bytesOut = 0
  framesIn = 0
  framesOut = 0
  readonly #socket: Socket
  readonly #events: SocketEvents
  readonly #isMute: boolean
  readonly #key = randomBytes(16).toString('base64')
  #mask = randomBytes(4).readUInt32LE()
  /** Resolves when the server has accepted the upgrade. */
  readonly opened: Promise<void>
  #upgrade: { resolve: () => void; reject: (error: Error) => void } | null = null
  #isUpgraded = false
  #hasEnded = false
  /** The beginning of a frame whose rest hasn't come: its header, or (`#payload`) what came of a payload. */
  #rest: Buffer = Buffer.alloc(0)
  #payload: Buffer | null = null
  #payloadLength = 0
  #opcode = 0

  /** @param options.isMute answers no ping @param options.subprotocol that it offers */
  constructor(
    port: number,
    path: string,
    events: SocketEvents,
    options: { readonly isMute?: boolean; readonly subprotocol?: string } = {},
  ) {
    this.#events = events
    this.#isMute = options.isMute === true
    this.opened = new Promise((resolve, reject) => {
      this.#upgrade = { resolve, reject }
    })
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: readBuffer,
        callback: (length, bytes) => {
          this.#received(bytes as Buffer, length)
          return true
        },
      },
    })
    this.#socket.setNoDelay(true)
    const offer = options.subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${options.subprotocol}\r\n`
    this.#socket.on('connect', () => {
      this.#write(
        Buffer.from(
          `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
            `Sec-WebSocket-Key: ${this.#key}\r\nSec-WebSocket-Version: 13\r\n${offer}\r\n`,
        ),
      )
    })
    this.#socket.on('error', error => this.#end(error.message))
    this.#socket.on('end', () => this.#end('the server hung up'))
    this.#socket.on('close', () => this.#end('closed'))
  }

  /** Sends one binary message. */
  send(message: Uint8Array): void {
    this.#sendFrame(2, message)
  }

  /** Sends bytes that need be no frame. */
  sendRaw(bytes: Uint8Array): void {
    this.#write(Buffer.from(bytes))
  }

  /** Bytes that the operating system has not taken yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  /** Stops reading: what the server sends piles up on its side. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Ends it without a word, as a lost network does. */
  destroy(): void {
    this.#hasEnded = true
    this.#socket.destroy()
  }

  #sendFrame(opcode: number, payload: Uint8Array): void {
    const length = payload.length
    const headerLength = length < 126 ? 6 : length < 65_536 ? 8 : 14
    // The payload begins at a multiple of four, so that long ones are masked word by word.
    const shift = -headerLength & 3
    const words = length < 256 ? 0 : length >>> 2
    const whole =
      words === 0
        ? Buffer.allocUnsafe(shift + headerLength + length)
        : Buffer.allocUnsafeSlow(shift + headerLength + length)
    const frame = whole.subarray(shift)
    frame[0] = 0x80 | opcode
    if (headerLength === 6) frame[1] = 0x80 | length
    else if (headerLength === 8) {
      frame[1] = 0x80 | 126
      frame.writeUInt16BE(length, 2)
    } else {
      frame[1] = 0x80 | 127
      frame.writeUInt32BE(0, 2)
      frame.writeUInt32BE(length, 6)
    }
    this.#mask = (Math.imul(this.#mask, 1_664_525) + 1_013_904_223) >>> 0
    frame.writeUInt32LE(this.#mask, headerLength - 4)
    if (words > 0) {
      frame.set(payload, headerLength)
      const masked = new Uint32Array(frame.buffer, frame.byteOffset + headerLength, words)
      for (let i = 0; i < words; i++) masked[i] = (masked[i] ?? 0) ^ this.#mask
    }
    for (let i = words * 4; i < length; i++) {
      frame[headerLength + i] = (payload[i] ?? 0) ^ (frame[headerLength - 4 + (i & 3)] ?? 0)
    }
    this.framesOut++
    this.#write(frame)
  }

  #write(bytes: Buffer): void {
    if (this.#hasEnded) return
    this.bytesOut += bytes.length
    this.#socket.write(bytes)
  }

  #received(bytes: Buffer, length: number): void {
    this.bytesIn += length
    try {
      let from = 0
      if (!this.#isUpgraded) {
        const seen = Buffer.concat([this.#rest, bytes.subarray(0, length)])
        const end = seen.indexOf(HEADER_END)
        if (end < 0) {
          this.#rest = seen
          return
        }
        this.#checkUpgrade(seen.subarray(0, end).toString('latin1'))
        from = end + HEADER_END.length - this.#rest.length
        this.#rest = Buffer.alloc(0)
        this.#isUpgraded = true
        this.#upgrade?.resolve()
        this.#upgrade = null
      }
      this.#readFrames(bytes, from, length)
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error))
    }
  }

  #checkUpgrade(head: string): void {
    const accept = createHash('sha1').update(`${this.#key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    if (head.startsWith('HTTP/1.1 101') && head.includes(accept)) return
    throw new Error(`the upgrade was refused: ${head.split('\r\n', 1)[0]}`)
  }

  #readFrames(bytes: Buffer, start: number, length: number): void {
    let from = start
    while (from < length && !this.#hasEnded) {
      if (this.#payload !== null) {
        const taken = Math.min(this.#payload.length - this.#payloadLength, length - from)
        bytes.copy(this.#payload, this.#payloadLength, from, from + taken)
        this.#payloadLength += taken
        from += taken
        if (this.#payloadLength < this.#payload.length) return
        const payload = this.#payload
        this.#payload = null
        this.#frame(payload)
        continue
      }
      if (this.#rest.length > 0) {
        // A header that came in two pieces: put together, and read again from the joined bytes.
        const taken = Math.min(MAX_HEADER_BYTES, length - from)
        const joined = Buffer.concat([this.#rest, bytes.subarray(from, from + taken)])
        const header = headerLengthOf(joined)
        if (header > joined.length) {
          this.#rest = joined
          return
        }
        from += header - this.#rest.length
        this.#rest = Buffer.alloc(0)
        this.#begin(joined, 0)
        continue
      }
      const header = headerLengthAt(bytes, from, length)
      if (header > length - from) {
        this.#rest = Buffer.from(bytes.subarray(from, length))
        return
      }
      const payloadLength = payloadLengthAt(bytes, from)
      if (header + payloadLength > length - from) {
        this.#begin(bytes, from)
        from += header
        continue
      }
      this.#opcode = opcodeAt(bytes, from)
      from += header + payloadLength
      this.#frame(bytes.subarray(from - payloadLength, from))
    }
  }

  /** A payload begins that comes in pieces. */
  #begin(bytes: Buffer, from: number): void {
    this.#opcode = opcodeAt(bytes, from)
    this.#payload = Buffer.allocUnsafe(payloadLengthAt(bytes, from))
    this.#payloadLength = 0
    if (this.#payload.length > 0) return
    this.#payload = null
    this.#frame(Buffer.alloc(0))
  }

  #frame(payload: Buffer): void {
    this.framesIn++
    if (this.#opcode === 2) this.#events.message(payload)
    else if (this.#opcode === 10) this.#events.pong?.()
    else if (this.#opcode === 9) this.#isMute || this.#sendFrame(10, payload)
    else if (this.#opcode === 8) {
      const code = payload.length >= 2 ? payload.readUInt16BE() : 1005
      this.#end(`closed with ${code} ${payload.subarray(2).toString()}`)
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#socket.destroy()
    this.#upgrade?.reject(new Error(reason))
    this.#upgrade = null
    this.#events.ended(reason)
  }
}

function opcodeAt(bytes: Buffer, from: number): number {
  const first = bytes[from] ?? 0
  if ((first & 0x80) === 0 || (first & 15) === 0) throw new Error('the server sent a fragmented message')
  return first & 15
}

function headerLengthOf(bytes: Buffer): number {
  return headerLengthAt(bytes, 0, bytes.length)
}

function headerLengthAt(bytes: Buffer, from: number, end: number): number {
  if (end - from < 2) return 2
  const short = (bytes[from + 1] ?? 0) & 127
  return short < 126 ? 2 : short === 126 ? 4 : 10
}

/** The header is complete. */
function payloadLengthAt(bytes: Buffer, from: number): number {
  const short = (bytes[from + 1] ?? 0) & 127
  if (short < 126) return short
  return short === 126 ? bytes.readUInt16BE(from + 2) : Number(bytes.readBigUInt64BE(from + 2))
}
