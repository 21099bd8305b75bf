import { encodeEphemeral, type ReceiptOutcome } from '@weft/protocol'
import type { Connection } from './Connection.ts'
import { MessageError } from './errors.ts'

/** What the server allows a session: 100 messages at once, 20 more each second. Clocks differ a little: 19. */
const PER_SECOND = 19
const SERVER_BURST = 100
/** Messages under way without a receipt. */
const WINDOW = 20
/** Messages that wait for their turn: 5 s. Who sends still more, and doesn't wait, is told. */
const MAX_WAITING = 100

interface Outgoing {
  readonly frame: Uint8Array
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * The ephemeral messages that this client sends: at the rate that the server takes, in order, each until its receipt.
 *
 * [O1] Nothing waits without a connection: what has no receipt when it ends is rejected.
 * [O2] The server drops none for its rate. What arrives within a time was under way before (at most the window), or was sent
 *      within that time (at most the burst here, and the rate): together no more than the server's burst and rate.
 */
export class Outbox {
  readonly #documentId: string
  #connection: Connection | undefined
  #waiting: Outgoing[] = []
  #underWay: Outgoing[] = []
  #tokens = SERVER_BURST - WINDOW
  /** When the tokens were counted, monotonic ms. */
  #countedAt = performance.now()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(documentId: string) {
    this.#documentId = documentId
  }

  /**
   * @param to client ids; none: everybody else
   * @returns resolves when the server has passed it on
   * @throws {MessageError}
   */
  send(payload: string, to: readonly number[]): Promise<void> {
    if (this.#connection === undefined) return Promise.reject(this.#error('OFFLINE'))
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(this.#error('TOO_FAST'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ frame: encodeEphemeral(to, payload), resolve, reject })
      this.#sendDue()
    })
  }

  opened(connection: Connection): void {
    this.closed()
    this.#connection = connection
  }

  /** [O1] */
  closed(): void {
    this.#connection = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    const left = [...this.#underWay, ...this.#waiting]
    this.#underWay = []
    this.#waiting = []
    for (const { reject } of left) reject(this.#error('OFFLINE'))
  }

  /** Receipts come in the order of the messages. */
  received(outcome: ReceiptOutcome | null): void {
    const message = this.#underWay.shift()
    if (outcome === 'tooFast') message?.reject(this.#error('TOO_FAST'))
    else if (outcome === 'passedOn') message?.resolve()
    // An outcome that this version doesn't know is no yes.
    else message?.reject(this.#error('FORBIDDEN'))
    this.#sendDue()
  }

  /** [O2] */
  #sendDue(): void {
    while (this.#timer === undefined && this.#underWay.length < WINDOW) {
      if (this.#waiting.length === 0) return
      const now = performance.now()
      const fresh = ((now - this.#countedAt) * PER_SECOND) / 1000
      this.#tokens = Math.min(SERVER_BURST - WINDOW, this.#tokens + fresh)
      this.#countedAt = now
      if (this.#tokens < 1) {
        const waitMs = Math.ceil(((1 - this.#tokens) * 1000) / PER_SECOND)
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.#sendDue()
        }, waitMs)
        return
      }
      this.#tokens--
      const message = this.#waiting.shift()
      if (message === undefined) return
      this.#underWay.push(message)
      this.#connection?.send(message.frame)
    }
  }

  #error(code: MessageError['code']): MessageError {
    return new MessageError(this.#documentId, code)
  }
}
