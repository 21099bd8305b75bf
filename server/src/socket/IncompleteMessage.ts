import type { Duplex } from 'node:stream'
import type { MemoryBudget } from '../MemoryBudget.ts'
import { bytesRead } from './socketCounts.ts'

/** Bytes of a control frame from a client beside its payload: two, and the mask (RFC 6455, section 5.2). */
export const CONTROL_HEAD_BYTES = 6
/** Who brings more of a message than must come in 10 s has it to his credit, and may be in a tunnel for as long as a minute. */
const MAX_CREDIT_SPANS = 6

/** Messages up to this size are held by every connection as they come: one read of the socket. */
export const LARGE_MESSAGE_BYTES = 64 << 10

/** How much has come of a message that isn't complete, and how fast: `ws` holds it in memory, and waits for ever. */
export class IncompleteMessage {
  readonly #socket: Duplex
  /** Those of pings and pongs, which come between the frames of a message, too. */
  #controlBytes = 0
  /** Bytes read when the last message was complete, without those of pings and pongs. Some of the next one may be among them. */
  #messageEnd: number
  /** As it was at the last sweep: what had been read, and where the last message had ended. */
  #sweptBytes: number
  #sweptEnd: number
  readonly #leastBytes: number
  #creditBytes: number
  readonly #budget: MemoryBudget
  /** Of the message that is coming, and of those that wait or are worked on. */
  #comingBytes = 0
  #waitingBytes = 0

  /** @param leastBytes what must come of it in 10 s, two sweeps @param budget of all that is large, over all connections */
  constructor(socket: Duplex, leastBytes: number, budget: MemoryBudget) {
    this.#socket = socket
    this.#budget = budget
    this.#leastBytes = leastBytes
    this.#creditBytes = leastBytes
    this.#messageEnd = bytesRead(socket)
    this.#sweptBytes = this.#messageEnd
    this.#sweptEnd = this.#messageEnd
  }

  /** A message is complete, and waits to be worked on. */
  ended(bytes: number): void {
    this.#messageEnd = this.#read
    this.#budget.give(this.#comingBytes)
    this.#comingBytes = 0
    if (bytes <= LARGE_MESSAGE_BYTES) return
    this.#budget.force(bytes)
    this.#waitingBytes += bytes
  }

  /** A message has been worked on. */
  done(bytes: number): void {
    if (bytes <= LARGE_MESSAGE_BYTES || this.#waitingBytes === 0) return
    this.#budget.give(bytes)
    this.#waitingBytes -= bytes
  }

  /** Nothing of it is held any more. */
  release(): void {
    this.#budget.give(this.#comingBytes + this.#waitingBytes)
    this.#comingBytes = 0
    this.#waitingBytes = 0
  }

  /** Whether there is no room for what has come of a large message: then no more of it is read. */
  isTooMuch(): boolean {
    const bytes = this.byteLength
    if (bytes <= LARGE_MESSAGE_BYTES || bytes <= this.#comingBytes) return false
    if (!this.#budget.take(bytes - this.#comingBytes)) return true
    this.#comingBytes = bytes
    return false
  }

  /** A ping or pong came. */
  passed(payloadBytes: number): void {
    this.#controlBytes += CONTROL_HEAD_BYTES + payloadBytes
  }

  get #read(): number {
    return bytesRead(this.#socket) - this.#controlBytes
  }

  /** What has come of a message that isn't complete: so much at least; at most one read of the socket more. */
  get byteLength(): number {
    return this.#read - this.#messageEnd
  }

  /**
   * Called at each sweep.
   * @param wasPaused since the last one: what comes could not come while we didn't read
   * @returns whether a message comes too slowly to be waited for
   */
  isTrickling(wasPaused: boolean): boolean {
    const read = this.#read
    const came = read - this.#sweptBytes
    this.#sweptBytes = read
    if (this.#sweptEnd !== this.#messageEnd || read <= this.#messageEnd) {
      this.#sweptEnd = this.#messageEnd
      this.#creditBytes = this.#leastBytes
      return false
    }
    if (wasPaused) return false
    const mostBytes = MAX_CREDIT_SPANS * this.#leastBytes
    this.#creditBytes = Math.min(mostBytes, this.#creditBytes + came) - this.#leastBytes / 2
    return this.#creditBytes < 0
  }
}
