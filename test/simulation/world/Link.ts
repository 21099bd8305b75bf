import { EventEmitter } from 'node:events'
import { payloadBegin, payloadLength } from '../../../server/src/room/encodeFrame.ts'
import type { Random } from '../../crdt/Random.ts'
import { type ServerLife, settings } from './Life.ts'
import { Pipe } from './Pipe.ts'

/** What a client asks for in its upgrade request. */
export interface LinkRequest {
  readonly address: string
  readonly path: string
  readonly protocol: string
  readonly token: string | null
}

/** The client's end. */
export interface LinkHost {
  opened(): void
  received(message: Uint8Array): void
  /** null: no close frame came. */
  lost(close: { code: number; reason: string } | null): void
}

/** Unsent bytes from which `drain` is told. */
const HIGH_WATER_BYTES = 1024
/** What may be written to who doesn't read beside documents and presence: that somebody is there, and what it may do. */
const MAX_OVERSHOOT_BYTES = 2048
const CLOSE_TIMEOUT_MS = 5000
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/** A WebSocket connection: both ends and the wire between them. The server's end looks like `ws` and a socket of Node's. */
export class Link {
  readonly life: ServerLife
  readonly request: LinkRequest
  readonly number: number
  readonly socket = new ServerSocket(this)
  readonly webSocket = new ServerWebSocket(this)
  /** Called with each message that the server writes, at that moment. */
  onWritten: (message: Uint8Array) => void = () => {}
  connection: { readonly unsentBytes: number } | null = null
  /** Written since it last read, when it had more waiting than it may. */
  #overshoot = 0
  readonly #host: LinkHost
  readonly #up: Pipe
  readonly #down: Pipe
  /** The client's view: it may send. */
  #isUp = false
  #isLost = false
  #isReading = true
  /** The beginning of a frame that the server writes in parts. */
  #begun: Buffer | null = null
  #held: { frames: Buffer; done: (() => void) | null; close: (() => void) | null }[] = []

  constructor(life: ServerLife, number: number, random: Random, delayMs: number, request: LinkRequest, host: LinkHost) {
    this.life = life
    this.number = number
    this.request = request
    this.#host = host
    const { clock } = life.world
    this.#up = new Pipe(clock, random, delayMs)
    this.#down = new Pipe(clock, random, delayMs)
    // Until it is taken, nobody but this link knows of it.
    life.waiting.add(this)
    this.#up.send(0, () =>
      this.atServer(() => {
        life.waiting.delete(this)
        if (this.#isLost) return
        if (life.accept(this)) this.#down.send(0, () => this.#opened())
        else this.#lose(null)
      }),
    )
  }

  #opened(): void {
    if (this.#isLost) return
    this.#isUp = true
    this.#host.opened()
  }

  // ── The client's end ──────────────────────────────────────────────────────────────────────────────────────────────

  get isUp(): boolean {
    return this.#isUp
  }

  get isReading(): boolean {
    return this.#isReading
  }

  send(message: Uint8Array, isBinary = true): void {
    if (!this.#isUp) return
    const copy = Buffer.from(message)
    this.#up.send(copy.length + 6, () => this.atServer(() => this.webSocket.arrive(copy, isBinary)))
  }

  ping(): void {
    if (this.#isUp) this.#up.send(6, () => this.atServer(() => this.webSocket.pinged()))
  }

  stopReading(): void {
    this.#isReading = false
  }

  goOnReading(): void {
    if (this.#isReading) return
    this.#isReading = true
    for (const { frames, done, close } of this.#held.splice(0)) {
      if (close !== null) close()
      else this.#transfer(frames)
      this.socket.taken(frames.length)
      done?.()
    }
    this.life.world.clock.after(0, () => this.atServer(() => this.socket.drainIfDue()))
  }

  delay(ms: number): void {
    this.#up.delay(ms)
    this.#down.delay(ms)
  }

  /** The client says goodbye. */
  leave(): void {
    if (!this.#isUp) {
      this.cut()
      return
    }
    this.#isUp = false
    this.#isLost = true
    this.#up.send(8, () => this.atServer(() => this.webSocket.ended(1000)))
  }

  /** The wire breaks at a byte of what is on its way, and the server finds out. @returns whether that was within a message */
  cut(): boolean {
    if (this.#isLost) return false
    this.#down.cut()
    // First: what arrives whole is still the client's.
    const part = this.#up.cut()
    this.#isUp = false
    this.#isLost = true
    this.atServer(() => {
      this.socket.bytesRead += part
      this.webSocket.ended(1006)
    })
    return part > 0
  }

  /** The client is gone, and nobody tells the server. */
  vanish(): void {
    this.#isUp = false
    this.#isLost = true
    this.#isReading = false
    this.#up.cut()
    this.#down.cut()
  }

  #lose(close: { code: number; reason: string } | null): void {
    if (this.#isLost) return
    this.#isUp = false
    this.#isLost = true
    this.#host.lost(close)
  }

  // ── The server's end ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Something of the client's happens to the server, as soon as it is awake. */
  atServer(run: () => void): void {
    this.life.whenAwake(run)
  }

  written(part: Buffer, done: (() => void) | null): void {
    if (this.life.isOver) return
    const begun = this.#begun === null ? part : Buffer.concat([this.#begun, part])
    const whole = wholeFrames(begun)
    this.#begun = whole === begun.length ? null : Buffer.from(begun.subarray(whole))
    const frames = begun.subarray(0, whole)
    this.life.world.trace.add(this.life.world.clock.now(), 'to', this.number, frames)
    // What is shared by many is counted once, elsewhere.
    if (done === null) this.#count(part.length)
    for (const message of messagesIn(frames)) this.onWritten(message)
    this.socket.took(frames.length)
    if (!this.#isReading) {
      this.#held.push({ frames, done, close: null })
      return
    }
    this.#transfer(frames)
    this.socket.taken(frames.length)
    if (done !== null) queueMicrotask(done)
  }

  /** Who doesn't read what it has gets nothing more. */
  #count(bytes: number): void {
    if (this.connection === null || this.connection.unsentBytes <= settings.maxUnsentBytes) {
      this.#overshoot = 0
      return
    }
    this.#overshoot += bytes
    if (this.#overshoot <= MAX_OVERSHOOT_BYTES) return
    this.life.world.problem(`${this.connection.unsentBytes} bytes wait for one client, and more are written to it`)
  }

  #transfer(frames: Buffer): void {
    for (const message of messagesIn(frames)) {
      // A copy: what was written is the server's to change.
      const copy = new Uint8Array(message)
      this.#down.send(copy.length + 4, () => {
        if (!this.#isLost) this.#host.received(copy)
      })
    }
  }

  pinged(): void {
    if (!this.#isReading) return
    this.#down.send(2, () => {
      if (this.#isUp) this.#up.send(6, () => this.atServer(() => this.webSocket.ponged()))
    })
  }

  closedByServer(code: number, reason: string): void {
    const tell = () => {
      this.#down.send(4, () => {
        this.#up.send(8, () => this.atServer(() => this.webSocket.ended(code)))
        this.#lose({ code, reason })
      })
    }
    if (this.#isReading) tell()
    else this.#held.push({ frames: Buffer.alloc(0), done: null, close: tell })
    this.life.world.clock.after(CLOSE_TIMEOUT_MS, () => this.atServer(() => this.webSocket.terminate()))
  }

  terminatedByServer(): void {
    this.#down.send(0, () => this.#lose(null))
    this.#held = []
  }

  /** The process is gone. */
  die(): void {
    this.#down.send(0, () => this.#lose(null))
  }
}

/** What the server's connection uses of a socket. */
export class ServerSocket extends EventEmitter {
  bytesRead = 0
  writableLength = 0
  writable = true
  destroyed = false
  readonly remoteAddress = '192.0.2.1'
  readonly #link: Link
  #written = 0
  #mustDrain = false

  constructor(link: Link) {
    super()
    this.#link = link
  }

  get _handle(): { writeQueueSize: number; bytesWritten: number } {
    return { writeQueueSize: this.writableLength, bytesWritten: this.#written }
  }

  write(frames: Buffer, done: (() => void) | null = null): boolean {
    this.#link.written(frames, done)
    return this.writableLength < HIGH_WATER_BYTES
  }

  cork(): void {}

  uncork(): void {}

  took(bytes: number): void {
    this.#written += bytes
    this.writableLength += bytes
    if (this.writableLength >= HIGH_WATER_BYTES) this.#mustDrain = true
  }

  taken(bytes: number): void {
    this.writableLength -= bytes
    if (this.#mustDrain && this.writableLength === 0 && this.#link.isReading)
      this.#link.life.world.clock.after(0, () => this.#link.atServer(() => this.drainIfDue()))
  }

  drainIfDue(): void {
    if (!this.#mustDrain || this.writableLength > 0) return
    this.#mustDrain = false
    this.emit('drain')
  }

  resume(): this {
    return this
  }

  pause(): this {
    return this
  }

  /** Of what waits while it isn't read: here messages, and not bytes. */
  get readableLength(): number {
    return this.#link.webSocket.unreadCount
  }

  read(count: number): Buffer | null {
    return this.#link.webSocket.readNow(count)
  }

  push(): boolean {
    return true
  }

  destroy(): this {
    this.#link.webSocket.terminate()
    return this
  }
}

/** What the server's connection uses of `ws`. */
export class ServerWebSocket extends EventEmitter {
  readonly OPEN = OPEN
  readonly extensions = ''
  readyState = OPEN
  binaryType = 'nodebuffer'
  isPaused = false
  /** The code that the server closed it with. */
  closeCode: number | null = null
  closeText = ''
  readonly #link: Link
  #unread: (() => void)[] = []

  constructor(link: Link) {
    super()
    this.#link = link
  }

  get protocol(): string {
    return this.#link.request.protocol
  }

  #read(bytes: number, run: () => void): void {
    if (this.readyState === CLOSED) return
    const read = () => {
      this.#link.socket.bytesRead += bytes
      run()
    }
    if (this.isPaused || this.#unread.length > 0) this.#unread.push(read)
    else read()
  }

  arrive(message: Buffer, isBinary: boolean): void {
    this.#read(message.length + 6, () => {
      const { world } = this.#link.life
      world.trace.add(world.clock.now(), 'from', this.#link.number, message)
      this.emit('message', message, isBinary)
    })
  }

  pinged(): void {
    this.#read(6, () => this.emit('ping', Buffer.alloc(0)))
  }

  ponged(): void {
    this.#read(6, () => this.emit('pong', Buffer.alloc(0)))
  }

  /** A close frame came, or the end of the stream. */
  ended(code: number): void {
    this.#read(0, () => this.#end(code))
  }

  get unreadCount(): number {
    return this.#unread.length
  }

  /** Tells of so many though it is paused. */
  readNow(count: number): Buffer | null {
    if (count > this.#unread.length || count === 0) return null
    for (let i = 0; i < count; i++) this.#unread.shift()?.()
    return Buffer.alloc(0)
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.#link.life.world.clock.after(0, () =>
      this.#link.atServer(() => {
        while (!this.isPaused && this.#unread.length > 0) this.#unread.shift()?.()
      }),
    )
  }

  ping(): void {
    if (this.readyState === OPEN) this.#link.pinged()
  }

  close(code: number, reason: string): void {
    if (this.readyState !== OPEN) return
    this.readyState = CLOSING
    this.closeCode = code
    this.closeText = reason
    this.#link.closedByServer(code, reason)
  }

  terminate(): void {
    if (this.readyState === CLOSED) return
    this.#link.terminatedByServer()
    this.#unread = []
    this.#end(1006)
  }

  #end(code: number): void {
    if (this.readyState === CLOSED) return
    this.#link.life.world.trace.add(this.#link.life.world.clock.now(), 'gone', this.#link.number)
    this.readyState = CLOSED
    this.#link.life.world.clock.after(0, () =>
      this.#link.atServer(() => {
        this.emit('close', code, Buffer.alloc(0))
        this.#link.socket.emit('close')
      }),
    )
  }
}

/** Bytes of whole frames at the beginning. */
function wholeFrames(bytes: Buffer): number {
  for (let at = 0; ; ) {
    if (at === bytes.length) return at
    if (at + 2 > bytes.length || payloadBegin(bytes, at) > bytes.length) return at
    const end = payloadBegin(bytes, at) + payloadLength(bytes, at)
    if (end > bytes.length) return at
    at = end
  }
}

/** The messages in unmasked WebSocket frames (RFC 6455, section 5.2). */
export function messagesIn(frames: Buffer): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < frames.length; ) {
    if (frames[at] !== 0x82) throw new Error('not a binary frame')
    const begin = payloadBegin(frames, at)
    at = begin + payloadLength(frames, at)
    if (at > frames.length) throw new Error('a frame is cut short')
    messages.push(frames.subarray(begin, at))
  }
  return messages
}
