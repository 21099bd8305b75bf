import type { Duplex } from 'node:stream'
import { CONTROL_HEAD_BYTES } from './IncompleteMessage.ts'

/** How much of a read is handed on at once, and how much to somebody whose turn it is. Of the smallest frames 600 and 150. */
const PIECE_BYTES = 4 << 10
const TURN_PIECE_BYTES = 1 << 10

/**
 * Hands on what is read of a socket in pieces. One read brings up to 64 KiB: of the smallest messages 9,000, which `ws` would all
 * tell of at once. A socket that is paused after a piece keeps the rest as bytes, which V8's collector doesn't look at; as
 * messages that wait they would reach its old generation, tens of megabytes a second where many flood.
 *
 * Of a message that is long the pieces become longer: it isn't to be put together out of thousands.
 */
export class ReadPieces {
  readonly #socket: Duplex
  #sinceMessage = 0
  #hasEnded = false
  /** Of pings and pongs in the piece that is being handed on: they come between messages, and in the midst of one. */
  #controlBytes = 0
  /** What `next` may still hand on of what had been read. */
  #ofTurn = 0

  /** @param handedOn called after each piece, when `ws` has told of what is complete in it */
  constructor(socket: Duplex, handedOn: () => void) {
    this.#socket = socket
    const push = socket.push
    socket.push = (read: unknown, encoding?: BufferEncoding): boolean => {
      if (!(read instanceof Uint8Array) || read.length <= PIECE_BYTES) return push.call(socket, read, encoding)
      let goOn = true
      for (let at = 0; at < read.length; ) {
        const end = at + Math.max(PIECE_BYTES, this.#sinceMessage)
        goOn = push.call(socket, read.subarray(at, end))
        at = end
      }
      return goOn
    }
    // Before `ws`, which would tell of all that is left at once: of 190 connections that hang up in a flood 900 ms long. Nobody was
    // told that it had come; it might as well be in the network still.
    socket.prependListener('close', () => {
      if (socket.readableLength > PIECE_BYTES) socket.read()
    })
    // After `ws`, which has told by then of what is complete.
    socket.on('data', (piece: Uint8Array) => {
      this.#sinceMessage = this.#hasEnded ? 0 : Math.max(0, this.#sinceMessage + piece.length - this.#controlBytes)
      this.#hasEnded = false
      this.#controlBytes = 0
      handedOn()
    })
  }

  /** A message was complete. */
  ended(): void {
    this.#sinceMessage = 0
    this.#hasEnded = true
  }

  /** A ping or pong came. */
  passed(payloadBytes: number): void {
    this.#controlBytes += CONTROL_HEAD_BYTES + payloadBytes
  }

  /** Bytes handed on of a message that isn't complete: at most one piece more. */
  get sinceMessage(): number {
    return this.#sinceMessage
  }

  /** Whether something has been read that is not handed on. */
  get areLeft(): boolean {
    return this.#socket.readableLength > 0
  }

  /** From now on `next` hands on what has been read by now, though the socket is paused. */
  beginTurn(): void {
    this.#ofTurn = this.#socket.readableLength
  }

  /** Hands on one piece more. @returns whether there was any */
  next(): boolean {
    const bytes = Math.min(this.#ofTurn, this.#socket.readableLength, Math.max(TURN_PIECE_BYTES, this.#sinceMessage))
    this.#ofTurn -= bytes
    return bytes > 0 && this.#socket.read(bytes) !== null
  }
}
