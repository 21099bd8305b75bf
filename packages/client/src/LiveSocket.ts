import type { CloseInfo, WebSocketLike } from './WebSocketLike.ts'

const CLOSED = 3

/** Longest wait for a connection to open, in ms: a network that swallows packets lets a browser wait for minutes. */
const OPEN_MS = 10_000
/** Longest silence, in ms. The server says something every 20 s at the latest. */
const SILENCE_MS = 30_000
/** What is sent is answered (an edit by its acknowledgement, a caret by its echo). After so long without a word, in ms, the server is asked … */
const ANSWER_MS = 3_000
/** … whether it is there, and has so long to say so: 8 s in all. */
const PROBE_MS = 5_000
/** A slow link is not a dead one: for what was sent and may still be under way there is more time, by this rate, in bytes per ms. */
const SLOWEST_BYTES_PER_MS = 128
/** Nor is a link that brings a large document: that is one message, of which nothing is heard before its end. 8 MB at the rate above. */
const LARGE_ANSWER_MS = 60_000
/** Time that the server has to answer a close, in ms; then the socket is cut, where that is possible (Node). */
const CLOSE_TIMEOUT_MS = 1_000
/** A timer that is so late, in ms, tells of a device that slept: what came meanwhile has not been heard yet. */
const SLEPT_MS = 2_000

/**
 * A WebSocket that notices that its link is dead, which TCP tells after minutes, or never: it ends then as a broken one does.
 *
 * ```
 *   opening ──open──► quiet ──send──► waiting ──3 s──► probing ──5 s──► dead
 *      │ 10 s           ▲ │ 30 s          │               │
 *      ▼                │ ▼ dead          │               │
 *     dead              └─┴── anything is heard ──────────┘
 * ```
 */
export class LiveSocket implements WebSocketLike {
  binaryType = 'arraybuffer'
  onopen: ((event: unknown) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  onclose: ((event: CloseInfo) => void) | null = null

  readonly #socket: WebSocketLike
  readonly #question: Uint8Array<ArrayBuffer>
  #state: 'opening' | 'quiet' | 'waiting' | 'probing' | 'over' = 'opening'
  /** When the state began, or (quiet) something was heard last, monotonic ms. */
  #since = 0
  /** Sent since something was heard last. */
  #unansweredBytes = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #dueAt = 0
  #isExpecting = false

  /** @param question a frame that the server answers at once */
  constructor(socket: WebSocketLike, question: Uint8Array) {
    this.#socket = socket
    this.#question = question as Uint8Array<ArrayBuffer>
    socket.binaryType = 'arraybuffer'
    socket.onopen = (event: unknown) => {
      if (this.#state !== 'opening') return
      this.#enter('quiet')
      this.onopen?.(event)
    }
    socket.onmessage = (event: { data: unknown }) => {
      if (this.#state === 'over') return
      this.#heard()
      this.onmessage?.(event)
    }
    socket.onerror = (event: unknown) => this.onerror?.(event)
    socket.onclose = (event: CloseInfo) => {
      const isNews = this.#state !== 'over' || this.#isLeft
      this.#end()
      this.#isLeft = false
      if (isNews) this.onclose?.(event)
    }
    this.#enter('opening')
  }

  /** This side has closed it, and its end is still to be told. */
  #isLeft = false

  get readyState(): number {
    return this.#state === 'over' && !this.#isLeft ? CLOSED : this.#socket.readyState
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(frame)
    this.#unansweredBytes += frame.length
    if (this.#state === 'quiet') this.#enter('waiting')
  }

  close(): void {
    if (this.#state === 'over') return
    this.#isLeft = true
    this.#end()
    this.#socket.close()
    this.#timer = setTimeout(() => this.#socket.terminate?.(), CLOSE_TIMEOUT_MS)
    this.#timer.unref?.()
  }

  /** Asks whether the server is there, instead of waiting for a reason: the device was asleep, maybe. */
  probe(): void {
    if (this.#state !== 'quiet' && this.#state !== 'waiting') return
    this.#socket.send(this.#question)
    this.#enter('probing')
  }

  expect(isAwaited: boolean): void {
    if (isAwaited === this.#isExpecting) return
    this.#isExpecting = isAwaited
    if (this.#state !== 'over') this.#arm()
  }

  #heard(): void {
    this.#unansweredBytes = 0
    this.#since = performance.now()
    // The timer of silence goes on, and looks again when it ends: no new one for each message.
    if (this.#state === 'waiting' || this.#state === 'probing') this.#enter('quiet')
  }

  #enter(state: 'opening' | 'quiet' | 'waiting' | 'probing'): void {
    this.#state = state
    this.#since = performance.now()
    this.#arm()
  }

  #arm(): void {
    const left = this.#patience() - (performance.now() - this.#since)
    clearTimeout(this.#timer)
    this.#dueAt = performance.now() + left
    this.#timer = setTimeout(() => this.#due(), left)
  }

  #patience(): number {
    if (this.#state === 'opening') return OPEN_MS
    if (this.#isExpecting && this.#state !== 'waiting') return LARGE_ANSWER_MS
    if (this.#state === 'quiet') return SILENCE_MS
    const onTheWay = Math.floor(this.#unansweredBytes / SLOWEST_BYTES_PER_MS)
    return (this.#state === 'waiting' ? ANSWER_MS : PROBE_MS) + onTheWay
  }

  #due(): void {
    const now = performance.now()
    const isOver = now - this.#since >= this.#patience()
    const hasSlept = now - this.#dueAt > SLEPT_MS
    if (!isOver) this.#arm()
    else if (this.#state === 'waiting' || (hasSlept && this.#state === 'quiet')) this.probe()
    else if (hasSlept) this.#enter('probing')
    else this.#die()
  }

  #die(): void {
    const reason = this.#state === 'opening' ? 'no answer within 10 s' : 'nothing is heard of the server'
    this.#end()
    // Not the handshake of a close, which nobody would answer.
    if (this.#socket.terminate !== undefined) this.#socket.terminate()
    else this.#socket.close()
    this.onclose?.({ code: 1006, reason })
  }

  #end(): void {
    this.#state = 'over'
    clearTimeout(this.#timer)
  }
}
