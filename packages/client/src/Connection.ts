import {
  closeCode,
  decodeMessage,
  encodeAck,
  encodeAnnounce,
  type Message,
  messageType,
  syncStep,
} from '@weft/protocol'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { asError } from './errors.ts'
import type { SaveTracker } from './SaveTracker.ts'
import { askToken, type TokenSource } from './TokenSource.ts'
import type { WebSocketLike } from './WebSocketLike.ts'

const CONNECTING = 0
const OPEN = 1
const CLOSED = 3

/**
 * Shortest time between two questions "is it committed?" that nobody waits for, in ms. A question costs the server a
 * frame and its answer another; a person can't see a tenth of a second between typing and "saved".
 */
const ASK_INTERVAL_MS = 100

/** What a connection needs to know of its document, and tells it. */
export interface ConnectionHost {
  /** Local edits: how many so far, and how many that are not known to be committed. */
  readonly edits: Pick<SaveTracker, 'version' | 'unsavedCount'>
  /** Frames of edits above this many bytes don't go over a socket. */
  maxFrameBytes(): number
  /**
   * An edit is too large for a message.
   * @returns whether the connection ends, so that it can go another way; else it is dropped
   */
  oversized(update: Uint8Array): boolean
  opened(connection: Connection): void
  /** Any message of the server that this connection does not handle itself and the provider does not know. */
  received(message: Message): void
  /** The server has said all that it had, and this replica lacked: a sync step 2. */
  answered(): void
  /** This connection had asked that: everything up to `version` is committed. */
  acknowledged(version: number): void
}

/**
 * One WebSocket as `y-websocket`'s provider sees it, and the acknowledgements that belong to it.
 *
 * ```
 *   client                                server
 *     sync step 1, awareness  ──────────►
 *     110 (announcement)      ──────────►
 *                             ◄──────────  sync step 1
 *     sync step 2             ──────────►            [C1]
 *     102 (version)           ──────────►
 *                             ◄──────────  102 (version), after the commit
 * ```
 * [C1] Nothing is asked before this connection's sync step 2 was sent: only then has the server heard of every edit
 *      that was made before. Every later edit goes out at once, and messages keep their order.
 * [C2] An answer counts only on the connection that asked, and only up to what it asked.
 * [C3] One question is under way at a time, unless somebody waits for a save.
 *
 * Where the token must be asked for, there is no socket before it has come.
 */
export class Connection implements WebSocketLike {
  // What `y-websocket` reads and sets on a WebSocket.
  readonly OPEN = OPEN
  binaryType = 'arraybuffer'
  onopen: ((event: unknown) => void) | null = null
  onmessage: ((event: { data: ArrayBuffer }) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  onclose: ((event: unknown) => void) | null = null

  /** What it was opened with; empty: none. */
  token = ''
  #socket: WebSocketLike | undefined
  readonly #host: ConnectionHost
  #hasAnswered = false
  #isOver = false
  #asked = 0
  #acknowledgedVersion = 0
  /** Of the largest frame that was sent. */
  largestFrameBytes = 0
  #isAskDue = false
  #pause: ReturnType<typeof setTimeout> | undefined

  /** @param open makes the socket; `token` is empty where there is none */
  constructor(token: TokenSource, open: (token: string) => WebSocketLike, host: ConnectionHost) {
    this.#host = host
    if (typeof token === 'string') this.#take(token, open)
    else void this.#askToken(token, open)
  }

  async #askToken(ask: () => string | Promise<string>, open: (token: string) => WebSocketLike): Promise<void> {
    // The provider listens once it has this object.
    await undefined
    try {
      const token = await askToken(ask)
      if (!this.#isOver) this.#take(token, open)
    } catch (error) {
      if (this.#isOver) return
      this.#end()
      // As a connection that could not be made: another attempt comes.
      this.onclose?.({ code: 1006, reason: `no token: ${asError(error).message}` })
    }
  }

  #take(token: string, open: (token: string) => WebSocketLike): void {
    const socket = open(token)
    this.token = token
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = (event: unknown) => this.#open(event)
    socket.onmessage = (event: { data: unknown }) => this.#receive(event)
    socket.onerror = (event: unknown) => this.onerror?.(event)
    socket.onclose = (event: unknown) => {
      this.#end()
      this.onclose?.(event)
    }
  }

  get readyState(): number {
    return this.#socket?.readyState ?? (this.#isOver ? CLOSED : CONNECTING)
  }

  /** Sends a frame; a socket that is not open (any more) drops it, and what it held goes with the next step 2. */
  send(frame: Uint8Array): void {
    if (this.#isOver || this.#socket?.readyState !== OPEN) return
    if (frame.length > this.#host.maxFrameBytes() && this.#isLeftOut(frame)) return
    this.largestFrameBytes = Math.max(this.largestFrameBytes, frame.length)
    // lib0 and Yjs never share their memory.
    this.#socket.send(frame as Uint8Array<ArrayBuffer>)
    if (frame[0] === messageType.sync && frame[1] === syncStep.step1) this.#socket.expect?.(true)
    // The answer to the server's question. [C1]
    if (frame[0] === messageType.sync && frame[1] === syncStep.step2 && !this.#hasAnswered) {
      this.#hasAnswered = true
      this.askSoon()
    }
  }

  /** A frame that is too large: what it holds goes another way, after the end of this connection, or not at all. */
  #isLeftOut(frame: Uint8Array): boolean {
    if (frame[0] !== messageType.sync || frame[1] === syncStep.step1) return false
    const message = decodeMessage(frame)
    if (message.type !== 'syncStep2' && message.type !== 'update') return false
    if (!this.#host.oversized(message.update)) return true
    this.#end()
    // Not within the provider's own call.
    queueMicrotask(() => {
      this.#socket?.close()
      const { code, word } = closeCode.tooBig
      this.onclose?.({ code, reason: `${word}: this edit goes over HTTP` })
    })
    return true
  }

  /** `y-websocket` leaves this socket: nothing that comes over it counts any more. */
  close(): void {
    this.#end()
    this.#socket?.close()
  }

  /** Asks whether the server is there. */
  probe(): void {
    if (!this.#isOver) this.#socket?.probe?.()
  }

  /** Asks whether everything so far is committed, if that isn't under way: soon, and not too often. [C3] */
  askSoon(): void {
    if (this.#isAskDue || this.#pause !== undefined || this.#asked > this.#acknowledgedVersion) return
    if (this.#host.edits.unsavedCount === 0) return
    this.#isAskDue = true
    // One question for all edits of one turn of the event loop.
    queueMicrotask(() => {
      this.#isAskDue = false
      this.askNow()
    })
  }

  /** Asks at once, unless this was asked already: somebody waits. */
  askNow(): void {
    const { version, unsavedCount } = this.#host.edits
    if (!this.#hasAnswered || this.#isOver || this.readyState !== OPEN) return
    if (unsavedCount === 0 || version <= this.#asked) return
    this.#asked = version
    this.send(encodeVersion(version))
    clearTimeout(this.#pause)
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      this.askSoon()
    }, ASK_INTERVAL_MS)
  }

  /** The server takes edits again: what it had left unanswered, for it had let them pass by, is asked anew. */
  askAgain(): void {
    this.#asked = this.#acknowledgedVersion
    this.askSoon()
  }

  #open(event: unknown): void {
    if (this.#isOver) return
    // The provider speaks first: the first byte of a connection tells the server which protocol it is.
    this.onopen?.(event)
    this.send(encodeAnnounce())
    this.#host.opened(this)
  }

  #receive(event: { data: unknown }): void {
    // Text frames are not of this protocol.
    if (this.#isOver || typeof event.data === 'string') return
    let message: Message
    try {
      message = decodeMessage(new Uint8Array(event.data as ArrayBuffer))
    } catch (error) {
      // It may have held an update: the replica has to sync anew, over another connection.
      this.onclose?.({ code: 1006, reason: asError(error).message })
      return
    }
    switch (message.type) {
      case 'syncStep1':
      case 'syncStep2':
      case 'update':
      case 'awareness':
      case 'queryAwareness':
        this.#provide(event.data as ArrayBuffer)
        if (message.type === 'syncStep2') {
          this.#socket?.expect?.(false)
          this.#host.answered()
        }
        break
      case 'ack':
        this.#acknowledged(message.payload)
        break
      default:
        this.#host.received(message)
    }
  }

  /** Hands a message to `y-websocket`. What its listeners throw must not reach the socket: in Node it would end the program. */
  #provide(data: ArrayBuffer): void {
    try {
      this.onmessage?.({ data })
    } catch (error) {
      // As y-protocols does where an update is applied.
      console.error('Caught error while handling a message', error)
    }
  }

  /** [C2] */
  #acknowledged(payload: Uint8Array): void {
    const version = readVersion(payload)
    if (version === undefined || version > this.#asked || version <= this.#acknowledgedVersion) return
    this.#acknowledgedVersion = version
    // What was edited since the question is the next question.
    this.askSoon()
    this.#host.acknowledged(version)
  }

  #end(): void {
    this.#isOver = true
    clearTimeout(this.#pause)
    this.#pause = undefined
  }
}

function encodeVersion(version: number): Uint8Array {
  return encodeAck(encoding.encode(encoder => encoding.writeVarUint(encoder, version)))
}

/** @returns `undefined` for bytes that are no version of ours. */
function readVersion(payload: Uint8Array): number | undefined {
  try {
    return decoding.readVarUint(decoding.createDecoder(payload))
  } catch {
    return undefined
  }
}

/**
 * A WebSocket class for `y-websocket` whose sockets are connections of `host`.
 * @param open makes a socket to the provider's URL; `token` is empty where there is none
 */
export function connectionClass(
  token: TokenSource,
  open: (url: string, token: string) => WebSocketLike,
  host: ConnectionHost,
): new (
  url: string,
) => Connection {
  return class extends Connection {
    constructor(url: string) {
      super(token, given => open(url, given), host)
    }
  }
}
