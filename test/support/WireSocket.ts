import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { within } from './eventually.ts'
import type { ServerProcess } from './ServerProcess.ts'
import { clientFrame, type FrameOptions, opcode } from './webSocketFrame.ts'

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** What the server must answer to `KEY` (RFC 6455, section 1.3). */
export const ACCEPT = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** A frame as it came from the server. */
export interface ServerFrame {
  readonly fin: boolean
  readonly rsv: number
  readonly opcode: number
  readonly isMasked: boolean
  readonly payload: Buffer
}

export interface Answer {
  readonly status: number
  /** Names in lower case; of a repeated one the last. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** An upgrade request, line by line. A header that is null is left out. */
export function upgradeRequest(
  target: string,
  headers: Readonly<Record<string, string | readonly string[] | null>> = {},
  start = `GET ${target} HTTP/1.1`,
): string {
  const all = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => {
    if (value === null) return []
    return (typeof value === 'string' ? [value] : value).map(one => `${name}: ${one}`)
  })
  return [start, ...lines, '', ''].join('\r\n')
}

/** A TCP connection to the server: bytes out, answers and frames in. It answers nothing by itself. */
export class WireSocket {
  readonly socket: Socket
  #buffer = Buffer.alloc(0)
  #isEnded = false
  #wakers: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', data => {
      this.#buffer = Buffer.concat([this.#buffer, data])
      this.#wake()
    })
    const end = () => {
      this.#isEnded = true
      this.#wake()
    }
    socket.on('end', end)
    socket.on('close', end)
    socket.on('error', end)
  }

  static async open(server: Pick<ServerProcess, 'port'>): Promise<WireSocket> {
    const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    onTestFinished(() => void socket.destroy())
    await within(
      'a TCP connection',
      new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject)),
    )
    return new WireSocket(socket)
  }

  /** @param socket connected already, encrypted maybe */
  static over(socket: Socket): WireSocket {
    onTestFinished(() => void socket.destroy())
    return new WireSocket(socket)
  }

  /** Shakes hands. @throws where the server refuses */
  static async upgrade(
    server: Pick<ServerProcess, 'port'>,
    target = '/a',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<WireSocket & { readonly answer: Answer }> {
    const wire = await WireSocket.open(server)
    wire.write(upgradeRequest(target, headers))
    const answer = await wire.nextAnswer()
    if (answer.status !== 101) throw new Error(`the server refused the upgrade: ${answer.status} ${answer.body}`)
    return Object.assign(wire, { answer })
  }

  write(...chunks: (string | Uint8Array)[]): void {
    this.socket.write(
      Buffer.concat(chunks.map(chunk => (typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk))),
    )
  }

  send(op: number, payload?: Uint8Array | string, options?: FrameOptions): void {
    this.write(clientFrame(op, typeof payload === 'string' ? Buffer.from(payload) : payload, options))
  }

  /** The next HTTP answer; its body only where it says how long it is. */
  async nextAnswer(): Promise<Answer> {
    const head = await this.#take('the head of an answer', buffer => {
      const end = buffer.indexOf('\r\n\r\n')
      return end < 0 ? null : end + 4
    })
    const [first = '', ...lines] = head.toString('latin1').trimEnd().split('\r\n')
    const headers = new Map(
      lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const length = Number(headers.get('content-length') ?? 0)
    const body = await this.#take('the body of an answer', buffer => (buffer.length < length ? null : length))
    return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]), headers, body: body.toString() }
  }

  async nextFrame(): Promise<ServerFrame> {
    let begin = 0
    let length = 0
    const bytes = await this.#take('a frame', buffer => {
      if (buffer.length < 2) return null
      const short = buffer.readUInt8(1) & 127
      begin = short < 126 ? 2 : short === 126 ? 4 : 10
      if (buffer.length < begin) return null
      length = short < 126 ? short : short === 126 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2))
      return buffer.length < begin + length ? null : begin + length
    })
    const first = bytes.readUInt8(0)
    return {
      fin: first >= 128,
      rsv: (first >> 4) & 7,
      opcode: first & 15,
      isMasked: bytes.readUInt8(1) >= 128,
      payload: bytes.subarray(begin),
    }
  }

  /** The next frame of a kind; data frames before a control frame, and control frames before data, are passed over. */
  async next(op: number): Promise<ServerFrame> {
    for (;;) {
      const frame = await this.nextFrame()
      if (frame.opcode === op) return frame
      if (frame.opcode === opcode.close) throw new Error(`closed with ${describeClose(frame)} while waiting for ${op}`)
    }
  }

  /** The code and reason of the server's close frame. @throws where none comes before the stream ends */
  async nextClose(): Promise<[code: number | null, reason: string]> {
    const { payload } = await this.next(opcode.close)
    return payload.length < 2 ? [null, ''] : [payload.readUInt16BE(0), payload.toString('utf8', 2)]
  }

  /** Resolves when the server has ended its side of the stream. @returns what came and was not taken */
  async ended(): Promise<Buffer> {
    return this.#take('the end of the stream', buffer => (this.#isEnded ? buffer.length : null))
  }

  /** Proves that the connection works: a ping comes back with its payload. */
  async expectOpen(): Promise<void> {
    const payload = randomBytes(8)
    this.send(opcode.ping, payload)
    for (;;) if ((await this.next(opcode.pong)).payload.equals(payload)) return
  }

  /** @param measure how many bytes there are of what is waited for; null: not all yet */
  async #take(what: string, measure: (buffer: Buffer) => number | null): Promise<Buffer> {
    const take = async () => {
      for (;;) {
        const length = measure(this.#buffer)
        if (length !== null) {
          const taken = this.#buffer.subarray(0, length)
          this.#buffer = this.#buffer.subarray(length)
          return taken
        }
        if (this.#isEnded) throw new Error(`the stream ended before ${what}; left: ${this.#buffer.toString('latin1')}`)
        await new Promise<void>(resolve => this.#wakers.push(resolve))
      }
    }
    return within(what, take())
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake()
  }
}

function describeClose({ payload }: ServerFrame): string {
  return payload.length < 2 ? 'no code' : `${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`
}
