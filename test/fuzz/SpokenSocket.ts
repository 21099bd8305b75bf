import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { payloadBegin, payloadLength } from '../../server/src/room/encodeFrame.ts'
import type { SimulatedClock } from '../simulation/SimulatedClock.ts'

const OPEN = 1
const CLOSING = 2
const CLOSED = 3

export interface SpokenHost {
  /** The server has written a message. */
  received(message: Uint8Array): void
  /** The socket is closed; `close` is what the server said, null where it didn't. */
  closed(close: { code: number; reason: string } | null): void
}

/** A WebSocket and its TCP socket as the server's `Connection` uses them, without either: what is said is there at once. */
export class SpokenSocket {
  readonly webSocket: WebSocket
  readonly stream: Duplex
  readonly #webSocket: FakeWebSocket
  readonly #stream: FakeStream

  constructor(clock: SimulatedClock, protocol: string, host: SpokenHost) {
    this.#stream = new FakeStream(clock, host)
    this.#webSocket = new FakeWebSocket(clock, protocol, this.#stream, host)
    // The parts of both that a connection uses; another one would be missing, and throw.
    this.webSocket = this.#webSocket as unknown as WebSocket
    this.stream = this.#stream as unknown as Duplex
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === OPEN
  }

  /** Whether the server still hears what is said: also for a while after it has said that it closes. */
  get isHeard(): boolean {
    return this.#webSocket.readyState !== CLOSED
  }

  get isReading(): boolean {
    return this.#stream.isReading
  }

  get unreadBytes(): number {
    return this.#stream.writableLength
  }

  say(data: Uint8Array, isBinary = true): void {
    this.#webSocket.say('message', Buffer.from(data), isBinary)
  }

  sayControl(kind: 'ping' | 'pong', payload: Uint8Array): void {
    this.#webSocket.say(kind, Buffer.from(payload))
  }

  stopReading(): void {
    this.#stream.isReading = false
  }

  goOnReading(): void {
    this.#stream.goOnReading()
  }

  /** The client goes, with a close frame or without. */
  leave(code: number): void {
    this.#webSocket.finish(code, null)
  }
}

class FakeWebSocket extends EventEmitter {
  readonly OPEN = OPEN
  readyState = OPEN
  readonly extensions = ''
  binaryType = ''
  readonly protocol: string
  readonly #clock: SimulatedClock
  readonly #stream: FakeStream
  readonly #host: SpokenHost
  #isPaused = false
  readonly #waiting: [event: string, ...args: unknown[]][] = []

  constructor(clock: SimulatedClock, protocol: string, stream: FakeStream, host: SpokenHost) {
    super()
    this.#clock = clock
    this.protocol = protocol
    this.#stream = stream
    this.#host = host
  }

  say(event: string, data: Buffer, ...rest: unknown[]): void {
    if (this.readyState === CLOSED) return
    this.#stream.bytesRead += data.length + 6
    if (this.#isPaused) this.#waiting.push([event, data, ...rest])
    else this.emit(event, data, ...rest)
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#clock.after(0, () => {
      while (!this.#isPaused && this.readyState !== CLOSED) {
        const next = this.#waiting.shift()
        if (next === undefined) return
        this.emit(...next)
      }
    })
  }

  ping(): void {
    this.#clock.after(1, () => this.say('pong', Buffer.alloc(0)))
  }

  close(code: number, reason: string): void {
    if (this.readyState !== OPEN) return
    this.readyState = CLOSING
    // The other side answers, or is cut off.
    this.#clock.after(20, () => this.finish(code, { code, reason }))
  }

  terminate(): void {
    this.#clock.after(0, () => this.finish(1006, null))
  }

  finish(code: number, close: { code: number; reason: string } | null): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#stream.discard()
    this.emit('close', code, Buffer.alloc(0))
    this.#host.closed(close)
  }
}

class FakeStream extends EventEmitter {
  bytesRead = 0
  writableLength = 0
  isReading = true
  readonly #clock: SimulatedClock
  readonly #host: SpokenHost
  readonly #held: { bytes: Buffer; done: (() => void) | undefined }[] = []
  /** The beginning of a frame: a large one is written in parts. */
  #begun: Buffer = Buffer.alloc(0)

  constructor(clock: SimulatedClock, host: SpokenHost) {
    super()
    this.#clock = clock
    this.#host = host
  }

  cork(): void {}

  uncork(): void {}

  write(bytes: Buffer, done?: () => void): boolean {
    this.#held.push({ bytes, done })
    this.writableLength += bytes.length
    if (this.isReading) this.#pass()
    return this.isReading
  }

  goOnReading(): void {
    this.isReading = true
    if (this.#held.length === 0) return
    this.#pass()
    this.#clock.after(1, () => this.emit('drain'))
  }

  discard(): void {
    for (const { done } of this.#held.splice(0)) done?.()
    this.writableLength = 0
  }

  resume(): void {}

  #pass(): void {
    for (const { bytes, done } of this.#held.splice(0)) {
      this.writableLength -= bytes.length
      this.#read(this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]))
      done?.()
    }
  }

  #read(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (bytes[at] !== 0x82) throw new Error('the server wrote something else than binary frames')
      const begin = payloadBegin(bytes, at)
      const end = begin + payloadLength(bytes, at)
      if (end > bytes.length) break
      this.#host.received(new Uint8Array(bytes.subarray(begin, end)))
      at = end
    }
    this.#begun = bytes.subarray(at)
  }
}
