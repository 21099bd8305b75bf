import {
  decodeMessage,
  encodeAddressed,
  encodeLeave,
  encodePing,
  encodeToken,
  messageType,
  splitAddress,
} from '@weft/protocol'
import { LiveSocket } from './LiveSocket.ts'
import { PageWatch } from './PageWatch.ts'
import type { CloseInfo, WebSocketLike } from './WebSocketLike.ts'

const CONNECTING = 0
const OPEN = 1
const CLOSED = 3

/** Documents on one socket: what a server takes. */
const MAX_SEATS = 100
/** Documents that one socket has had: their addresses are remembered. */
const MAX_ADDRESSES = 10_000
/** How long a socket stays when the last document has left, in ms: the next one may come. */
const LINGER_MS = 1_000
/** Shortest pause after a socket that could not be opened, in ms: a hundred documents want one each, and get one for all. */
const RETRY_MS = 500

/** Sockets to one server, each for up to a hundred documents. */
export class SocketPool {
  readonly #connect: (token: string) => WebSocketLike
  #sockets: SharedSocket[] = []
  /** When the next socket may be opened, monotonic ms. */
  #retryAt = 0
  readonly #page: PageWatch

  /** @param connect makes a socket of the multiplexed dialect */
  constructor(connect: (token: string) => WebSocketLike) {
    this.#connect = connect
    // Before the documents, which come back at once: over a new socket.
    this.#page = new PageWatch({ moved: () => this.#drop(), shown: () => {} })
  }

  end(): void {
    this.#page.end()
  }

  #drop(): void {
    for (const socket of this.#sockets) socket.drop('the network has changed')
  }

  /** What a document takes for a socket of its own, over one that others have, too. */
  open(documentId: string, token: string): WebSocketLike {
    this.#sockets = this.#sockets.filter(socket => !socket.isOver)
    let socket = this.#sockets.find(shared => shared.hasRoom)
    if (socket === undefined) {
      const failed = () => {
        this.#retryAt = performance.now() + RETRY_MS
      }
      socket = new SharedSocket(() => this.#connect(token), this.#retryAt - performance.now(), failed)
      this.#sockets.push(socket)
    }
    return socket.open(documentId, token)
  }
}

/** One WebSocket of the multiplexed dialect (PROTOCOL.md): each document's messages go behind an address of its own. */
class SharedSocket {
  #socket: LiveSocket | undefined
  readonly #failed: () => void
  #start: ReturnType<typeof setTimeout> | undefined
  readonly #seats = new Map<string, VirtualSocket>()
  /** Those who wait for what may be large. */
  readonly #expecting = new Set<VirtualSocket>()
  #addressCount = 0
  readonly #usedAddresses = new Set<string>()
  #isOpen = false
  isOver = false
  #linger: ReturnType<typeof setTimeout> | undefined

  /**
   * @param waitMs before it connects
   * @param failed called where it could not be opened
   */
  constructor(connect: () => WebSocketLike, waitMs: number, failed: () => void) {
    this.#failed = failed
    if (waitMs <= 0) this.#begin(connect())
    else this.#start = setTimeout(() => this.#begin(connect()), waitMs)
  }

  #begin(made: WebSocketLike): void {
    const socket = new LiveSocket(made, encodePing())
    this.#socket = socket
    socket.onopen = () => {
      this.#isOpen = true
      for (const seat of [...this.#seats.values()]) seat.opened()
    }
    socket.onmessage = event => this.#receive(event.data)
    // The end follows, and says what it was.
    socket.onerror = () => {}
    socket.onclose = event => {
      if (!this.#isOpen) this.#failed()
      this.#end(event)
    }
  }

  get hasRoom(): boolean {
    return !this.isOver && this.#seats.size < MAX_SEATS && this.#usedAddresses.size < MAX_ADDRESSES
  }

  open(documentId: string, token: string): VirtualSocket {
    clearTimeout(this.#linger)
    // What is still under way to who had the document before is not for who has it next.
    const address = this.#usedAddresses.has(documentId) ? `${documentId}\0${++this.#addressCount}` : documentId
    this.#usedAddresses.add(documentId)
    const seat = new VirtualSocket(this, address, token)
    this.#seats.set(address, seat)
    // As a real socket: not before whoever made it can listen.
    if (this.#isOpen) queueMicrotask(() => seat.opened())
    return seat
  }

  send(address: string, message: Uint8Array): void {
    // lib0 and Yjs never share their memory.
    if (this.#isOpen && !this.isOver) this.#socket?.send(encodeAddressed(address, message) as Uint8Array<ArrayBuffer>)
  }

  /** Asks whether the server is there. */
  probe(): void {
    if (this.#isOpen && !this.isOver) this.#socket?.probe()
  }

  expect(seat: VirtualSocket, isAwaited: boolean): void {
    if (isAwaited) this.#expecting.add(seat)
    else this.#expecting.delete(seat)
    this.#socket?.expect(this.#expecting.size > 0)
  }

  leave(seat: VirtualSocket): void {
    if (this.#seats.get(seat.address) !== seat) return
    this.#seats.delete(seat.address)
    this.expect(seat, false)
    // Also where the server has ended the session: a new token that was under way then has opened another one.
    this.send(seat.address, encodeLeave())
    if (this.#seats.size === 0 && !this.isOver) {
      this.#linger = setTimeout(() => this.drop('the last document has left'), this.#isOpen ? LINGER_MS : 0)
    }
  }

  #receive(data: unknown): void {
    if (typeof data === 'string') return
    const frame = new Uint8Array(data as ArrayBuffer)
    // The answer to a ping.
    if (frame.length === 1) return
    let split: ReturnType<typeof splitAddress>
    try {
      split = splitAddress(frame)
    } catch {
      // It may have held an update of any document: all have to sync anew.
      this.drop('a message without an address')
      return
    }
    this.#seats.get(split.address)?.received(frame.slice(split.begin).buffer)
  }

  /** Leaves the socket, as if its link had broken. */
  drop(reason: string): void {
    this.#socket?.close()
    this.#end({ code: 1006, reason })
  }

  #end(end: CloseInfo): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.#linger)
    clearTimeout(this.#start)
    const seats = [...this.#seats.values()]
    this.#seats.clear()
    for (const seat of seats) seat.closed(end)
  }
}

/** One document's part of a shared socket, which its `Connection` takes for a socket. */
class VirtualSocket implements WebSocketLike {
  binaryType = 'arraybuffer'
  onopen: ((event: unknown) => void) | null = null
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  onclose: ((event: CloseInfo) => void) | null = null
  readyState = CONNECTING
  readonly address: string
  readonly #shared: SharedSocket
  readonly #token: string

  constructor(shared: SharedSocket, address: string, token: string) {
    this.#shared = shared
    this.address = address
    this.#token = token
  }

  send(message: Uint8Array): void {
    if (this.readyState === OPEN) this.#shared.send(this.address, message)
  }

  probe(): void {
    this.#shared.probe()
  }

  expect(isAwaited: boolean): void {
    this.#shared.expect(this, isAwaited)
  }

  close(): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#shared.leave(this)
  }

  opened(): void {
    if (this.readyState !== CONNECTING) return
    this.readyState = OPEN
    // Opens the session.
    this.#shared.send(this.address, encodeToken(this.#token))
    this.onopen?.({})
  }

  received(data: ArrayBuffer): void {
    if (this.readyState !== OPEN) return
    const message = endOf(data)
    if (message === undefined) this.onmessage?.({ data })
    else {
      this.#shared.leave(this)
      this.closed(message)
    }
  }

  closed(end: CloseInfo): void {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.onclose?.(end)
  }
}

/** What the server says of a session's end, if a message is that. */
function endOf(data: ArrayBuffer): CloseInfo | undefined {
  if (new Uint8Array(data)[0] !== messageType.closed) return undefined
  try {
    const message = decodeMessage(new Uint8Array(data))
    return message.type === 'closed' ? message : undefined
  } catch {
    return undefined
  }
}
