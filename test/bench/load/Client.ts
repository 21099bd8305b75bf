import { ByteReader } from './ByteReader.ts'
import { ByteWriter } from './ByteWriter.ts'
import { RawSocket } from './RawSocket.ts'

/**
 * How a server is spoken to.
 * - `y-websocket`: one document per socket, named by the path; messages `type • body`.
 * - `hocuspocus`: messages `document • type • body`; a token goes first.
 * - `relay`: as y-websocket, but the server answers nothing and keeps nothing: no sync.
 */
export type Dialect = 'y-websocket' | 'hocuspocus' | 'relay'

/** A running server, as far as a client needs it. */
export interface Target {
  readonly port: number
  readonly dialect: Dialect
}

export interface ClientEvents {
  /** @param update valid during the call only */
  update(update: Uint8Array): void
  /** @param payload valid during the call only */
  awareness(payload: Uint8Array): void
  /** What this client has and the server lacks. @param stateVector valid during the call only */
  answer(stateVector: Uint8Array): Uint8Array
  ended(reason: string): void
}

/** Above what any measured server needed for its slowest join. */
const SYNC_TIMEOUT_MS = 120_000

const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2

export const EMPTY_STATE_VECTOR = Uint8Array.of(0)
export const EMPTY_UPDATE = Uint8Array.of(0, 0)

const writer = new ByteWriter()
const reader = new ByteReader()

/** One client of one document, as bytes: it speaks as the stock clients do, and builds no document. */
export class Client {
  readonly document: string
  readonly #dialect: Dialect
  readonly #events: ClientEvents
  /** What comes before the type in every message. */
  readonly #address: Uint8Array
  readonly socket: RawSocket
  #synced: (() => void) | null = null
  #failed: ((error: Error) => void) | null = null

  private constructor({ port, dialect }: Target, document: string, events: ClientEvents) {
    this.document = document
    this.#dialect = dialect
    this.#events = events
    this.#address = dialect === 'hocuspocus' ? writer.clear().varString(document).take() : new Uint8Array(0)
    this.socket = new RawSocket(port, dialect === 'hocuspocus' ? '/' : `/${document}`, {
      message: payload => this.#receive(payload),
      ended: reason => {
        this.#failed?.(new Error(`${document}: ${reason}`))
        events.ended(reason)
      },
    })
  }

  /** Connects; resolves when the server has accepted the socket. Nothing is said yet. */
  static async open(target: Target, document: string, events: ClientEvents): Promise<Client> {
    const client = new Client(target, document, events)
    await client.socket.opened
    return client
  }

  /**
   * Says hello and asks for what this client lacks; resolves when the server has answered (sync step 2).
   * With a relay, which knows nothing: at once.
   */
  async sync(stateVector: Uint8Array = EMPTY_STATE_VECTOR): Promise<void> {
    if (this.#dialect === 'relay') return
    const synced = new Promise<void>((resolve, reject) => {
      this.#synced = resolve
      this.#failed = reject
    })
    if (this.#dialect === 'hocuspocus') {
      this.socket.send(this.#begin(AUTH).varUint(0).varString('token').varString('4.7.0').view())
    }
    this.ask(stateVector)
    const timer = setTimeout(() => this.#failed?.(new Error(`${this.document}: no sync step 2`)), SYNC_TIMEOUT_MS)
    await synced.finally(() => clearTimeout(timer))
    this.#failed = null
  }

  /** Sync step 1. */
  ask(stateVector: Uint8Array): void {
    this.socket.send(this.#begin(SYNC).varUint(STEP_1).varBytes(stateVector).view())
  }

  sendUpdate(update: Uint8Array): void {
    this.socket.send(this.#begin(SYNC).varUint(UPDATE).varBytes(update).view())
  }

  sendAwareness(payload: Uint8Array): void {
    this.socket.send(this.#begin(AWARENESS).varBytes(payload).view())
  }

  close(): void {
    this.socket.destroy()
  }

  #begin(type: number): ByteWriter {
    return writer.clear().bytes(this.#address).varUint(type)
  }

  #receive(message: Uint8Array): void {
    reader.reset(message)
    // Hocuspocus' ping has no address.
    if (this.#dialect === 'hocuspocus' && message.length > 1) reader.skipVarBytes()
    const type = reader.varUint()
    if (type === AWARENESS) this.#events.awareness(reader.varBytes())
    else if (type === AUTH) this.#receiveAuth()
    else if (type === SYNC) this.#receiveSync()
  }

  #receiveAuth(): void {
    const kind = reader.varUint()
    if (this.#dialect === 'hocuspocus' && kind !== 1) return
    throw new Error(`permission denied: ${reader.varString()}`)
  }

  #receiveSync(): void {
    const kind = reader.varUint()
    const body = reader.varBytes()
    if (kind === STEP_1) {
      // A relay passes on what nobody should answer.
      if (this.#dialect === 'relay') return
      this.socket.send(this.#begin(SYNC).varUint(STEP_2).varBytes(this.#events.answer(body)).view())
      return
    }
    if (kind !== STEP_2 && kind !== UPDATE) throw new Error(`a sync message of type ${kind}`)
    this.#events.update(body)
    if (kind === STEP_2) {
      this.#synced?.()
      this.#synced = null
    }
  }
}
