import type { Duplex } from 'node:stream'
import { bytesRead } from './socketCounts.ts'

/** Bytes of a control frame from a client beside its payload: two, and the mask (RFC 6455, section 5.2). */
const CONTROL_HEAD_BYTES = 6
/**
 * What must come of an incomplete message between two sweeps: 16 KiB in 10 s. Who brings more has it to his credit, and may be
 * in a tunnel for as long as a minute.
 */
const LEAST_SWEEP_BYTES = 8 << 10
const FIRST_CREDIT_BYTES = 16 << 10
const MAX_CREDIT_BYTES = 96 << 10

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
  #creditBytes = FIRST_CREDIT_BYTES

  constructor(socket: Duplex) {
    this.#socket = socket
    this.#messageEnd = bytesRead(socket)
    this.#sweptBytes = this.#messageEnd
    this.#sweptEnd = this.#messageEnd
  }

  /** A message is complete. */
  ended(): void {
    this.#messageEnd = this.#read
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
      this.#creditBytes = FIRST_CREDIT_BYTES
      return false
    }
    if (wasPaused) return false
    this.#creditBytes = Math.min(MAX_CREDIT_BYTES, this.#creditBytes + came) - LEAST_SWEEP_BYTES
    return this.#creditBytes < 0
  }
}
