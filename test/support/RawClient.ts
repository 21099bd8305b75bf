import {
  decodeMessage,
  encodeAck,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  type Message,
} from '@weft/protocol'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { type ClientOptions, WebSocket } from 'ws'
import { PATIENCE_MS, within } from './eventually.ts'

export interface Close {
  readonly code: number
  readonly reason: string
}

type MessageOf<Type extends Message['type']> = Extract<Message, { type: Type }>

/** State vector of a client that has nothing. */
export const NOTHING: Uint8Array = Uint8Array.of(0)
/** Update that brings nothing. */
export const NO_UPDATE: Uint8Array = Uint8Array.of(0, 0)

/** A client that speaks bytes: no document, no provider, nothing that happens by itself. */
export class RawClient {
  readonly socket: WebSocket
  /** Everything that came, in order, whether it was waited for or not. */
  readonly received: Message[] = []
  /** Bytes of all messages, without the frames' heads. */
  receivedBytes = 0
  readonly #closed: Promise<Close>
  /** What came and was not taken by `next`. */
  readonly #inbox: Message[] = []
  #waiters: (() => void)[] = []
  #close: Close | null = null
  #listener: ((message: Message) => void) | null = null

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => {
      this.receivedBytes += data.length
      const message = decodeMessage(new Uint8Array(data))
      this.received.push(message)
      this.#inbox.push(message)
      this.#listener?.(message)
      this.#wake()
    })
    socket.on('error', () => {})
    this.#closed = new Promise(resolve => {
      socket.on('close', (code, reason) => {
        this.#close = { code, reason: reason.toString() }
        resolve(this.#close)
        this.#wake()
      })
    })
  }

  /** @param url server and document @throws when the upgrade is refused */
  static async connect(url: string, options: ClientOptions = {}, protocols: string[] = []): Promise<RawClient> {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options })
    const client = new RawClient(socket)
    await within(
      `a connection to ${url}`,
      new Promise<void>((resolve, reject) => {
        socket.once('open', resolve)
        socket.once('error', reject)
      }),
    )
    return client
  }

  /** Connects, asks with a state vector and answers the server's question: joined. */
  static async join(url: string, stateVector = NOTHING, step2 = NO_UPDATE): Promise<RawClient> {
    const client = await RawClient.connect(url)
    client.ask(stateVector)
    await client.next('syncStep1')
    client.answer(step2)
    await client.next('syncStep2')
    return client
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN
  }

  /** How the connection ended, once it has. */
  get closed(): Promise<Close> {
    return within(() => `the end of a connection that received ${this.#describeReceived()}`, this.#closed)
  }

  send(frame: Uint8Array): void {
    this.socket.send(frame)
  }

  /** Sync step 1. */
  ask(stateVector = NOTHING): void {
    this.send(encodeSyncStep1(stateVector))
  }

  /** Sync step 2. */
  answer(update = NO_UPDATE): void {
    this.send(encodeSyncStep2(update))
  }

  update(update: Uint8Array): void {
    this.send(encodeUpdate(update))
  }

  /** Asks for an acknowledgement of everything before. */
  askAck(number: number): void {
    this.send(encodeAck(encoding.encode(encoder => encoding.writeVarUint(encoder, number))))
  }

  /** Sends an update and waits until it is committed. */
  async commit(update: Uint8Array, number = 1): Promise<void> {
    this.update(update)
    this.askAck(number)
    await this.nextAck(number)
  }

  /** Waits for the acknowledgement with this number; those before it are passed over. */
  async nextAck(number: number): Promise<void> {
    await this.next('ack', message => ackNumber(message.payload) === number)
  }

  awareness(clientID: number, clock: number, state: unknown): void {
    const json = new TextEncoder().encode(typeof state === 'string' ? state : JSON.stringify(state))
    this.send(encodeAwareness(encodeAwarenessEntries([{ clientID, clock, json }])))
  }

  /** Called with every message from now on, as it comes. */
  onMessage(listener: (message: Message) => void): void {
    this.#listener = listener
  }

  /** Takes the first message of a type that hasn't been taken; waits for it. @throws when the connection ends before */
  next<Type extends Message['type']>(
    type: Type,
    accept: (message: MessageOf<Type>) => boolean = () => true,
    patienceMs = PATIENCE_MS,
  ): Promise<MessageOf<Type>> {
    const take = async (): Promise<MessageOf<Type>> => {
      for (;;) {
        const index = this.#inbox.findIndex(message => message.type === type && accept(message as MessageOf<Type>))
        if (index >= 0) return this.#inbox.splice(index, 1)[0] as MessageOf<Type>
        if (this.#close !== null) {
          const { code, reason } = this.#close
          throw new Error(
            `closed with ${code} ${reason} while waiting for ${type}; received ${this.#describeReceived()}`,
          )
        }
        await new Promise<void>(resolve => this.#waiters.push(resolve))
      }
    }
    return within(() => `${type}; received ${this.#describeReceived()}`, take(), patienceMs)
  }

  /** What came and wasn't taken, of a type. */
  untaken<Type extends Message['type']>(type: Type): MessageOf<Type>[] {
    return this.#inbox.filter((message): message is MessageOf<Type> => message.type === type)
  }

  /** Stops reading: what the server writes piles up in between. */
  stopReading(): void {
    this.socket.pause()
  }

  goOnReading(): void {
    this.socket.resume()
  }

  /** Says goodbye and waits for the end. */
  async leave(): Promise<Close> {
    this.socket.close(1000)
    return this.closed
  }

  /** Cuts the connection without a word. */
  cut(): void {
    this.socket.terminate()
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }

  #describeReceived(): string {
    const last = this.received.slice(-8).map(message => message.type)
    return `${this.received.length} messages${last.length > 0 ? `, the last: ${last.join(', ')}` : ''}`
  }
}

/** The number in an acknowledgement that `askAck` asked for. */
export function ackNumber(payload: Uint8Array): number {
  return decoding.readVarUint(decoding.createDecoder(payload))
}

/** The update in a message, where it has one. */
export function updateOf(message: Message): Uint8Array | null {
  return message.type === 'update' || message.type === 'syncStep2' ? message.update : null
}
