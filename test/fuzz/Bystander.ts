import { isDeepStrictEqual } from 'node:util'
import {
  decodeAddressedFrame,
  decodeAwareness,
  decodeMessage,
  encodeAck,
  encodeAddress,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeToken,
  encodeUpdate,
  hocuspocusType,
  type Message,
  splitAddress,
} from '@weft/protocol'
import * as Y from 'yjs'
import type { Random } from '../crdt/Random.ts'
import { Replica } from '../crdt/Replica.ts'
import type { DialectName } from './messageFields.ts'
import type { SpokenHost, SpokenSocket } from './SpokenSocket.ts'

export interface BystanderOptions {
  readonly documentId: string
  readonly dialect: DialectName
  readonly clientID: number
  readonly token: string
  /** Whose token that is; null: nobody is asked. */
  readonly userId: string | null
}

/** An honest client in a document where strangers say what they like: it types, and must lose nothing of it. */
export class Bystander {
  readonly documentId: string
  readonly dialect: DialectName
  readonly #replica: Replica
  readonly #token: string
  readonly #userId: string | null
  #socket: SpokenSocket | null = null
  #hasLeft = false
  #clock = 0
  #acksAsked = 0
  #acks = 0
  /** As Hocuspocus' provider counts. */
  #unsynced = 0
  /** What it has shown of itself. */
  readonly #states = new Map<number, unknown>()
  readonly problems: Error[] = []

  private constructor({ documentId, dialect, clientID, token, userId }: BystanderOptions) {
    this.documentId = documentId
    this.dialect = dialect
    this.#token = token
    this.#userId = userId
    this.#replica = new Replica(clientID)
    this.#replica.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'remote') return
      this.#unsynced++
      this.#say(encodeUpdate(update))
    })
  }

  static async connect(
    options: BystanderOptions,
    connect: (host: SpokenHost) => Promise<SpokenSocket>,
  ): Promise<Bystander> {
    const bystander = new Bystander(options)
    bystander.#socket = await connect({
      received: frame => bystander.#attempt(() => bystander.#receive(frame)),
      closed: close => {
        if (!bystander.#hasLeft) {
          bystander.problems.push(new Error(`an honest client was closed: ${JSON.stringify(close)}`))
        }
      },
    })
    return bystander
  }

  get doc(): Y.Doc {
    return this.#replica.doc
  }

  get clientID(): number {
    return this.#replica.clientID
  }

  begin(): void {
    if (this.dialect === 'multiplex') this.#say(encodeToken(this.#token))
    if (this.dialect === 'hocuspocus') {
      const token = Buffer.from(this.#token)
      this.#say(Buffer.concat([Uint8Array.of(hocuspocusType.auth, 0, token.length), token]))
    }
    this.#unsynced++
    this.#say(encodeSyncStep1(Y.encodeStateVector(this.doc)))
    this.show()
  }

  edit(random: Random): void {
    this.#attempt(() => this.#replica.edit(random))
    if (random.chance(0.2)) this.askAck()
  }

  askAck(): void {
    if (this.dialect === 'hocuspocus') return
    this.#say(encodeAck(Uint8Array.of(++this.#acksAsked & 255)))
  }

  /** Renews its awareness, as it must every 15 s. */
  show(): void {
    const at = ++this.#clock
    const state = { user: { name: `honest ${this.clientID}`, id: 'mine' }, at }
    // A server that asks for tokens says by itself who somebody is.
    const heard = this.#userId === null ? state : { user: { name: this.#userId, id: this.#userId }, at }
    this.#states.set(at, heard)
    const entry = { clientID: this.clientID, clock: at, json: Buffer.from(JSON.stringify(state)) }
    this.#say(encodeAwareness(encodeAwarenessEntries([entry])))
  }

  leave(): void {
    this.#hasLeft = true
    this.#socket?.leave(1000)
  }

  /** Whether all that it wrote was acknowledged. */
  get isSaved(): boolean {
    return this.dialect === 'hocuspocus' ? this.#unsynced === 0 : this.#acks === this.#acksAsked
  }

  /** What another one hears of this one must be what it has shown. */
  checkState(clientID: number, json: Uint8Array): void {
    if (clientID !== this.clientID) return
    const state = JSON.parse(Buffer.from(json).toString())
    if (state !== null && isDeepStrictEqual(state, this.#states.get(state.at))) return
    throw new Error(`an honest client is made to say ${Buffer.from(json)}`)
  }

  /** Called with the awareness of everybody. */
  onState: (clientID: number, json: Uint8Array) => void = () => {}

  #say(message: Uint8Array): void {
    this.#socket?.say(
      this.dialect === 'y-websocket' ? message : Buffer.concat([encodeAddress(this.documentId), message]),
    )
  }

  #receive(frame: Uint8Array): void {
    const message = this.#read(frame)
    if (message === null) return
    switch (message.type) {
      case 'syncStep1':
        this.#say(encodeSyncStep2(Y.encodeStateAsUpdate(this.doc, message.stateVector)))
        return
      case 'syncStep2':
      case 'update':
        this.#replica.apply(message.update)
        return
      case 'awareness':
        for (const { clientID, json } of decodeAwareness(message.payload)) this.onState(clientID, json)
        return
      case 'ack':
        if (message.payload[0] !== (++this.#acks & 255)) throw new Error('an acknowledgement came out of order')
        return
      case 'permissionDenied':
      case 'closed':
        throw new Error(`an honest client was told: ${message.reason}`)
      default:
        throw new Error(`an honest client was told ${message.type}`)
    }
  }

  #read(frame: Uint8Array): Message | null {
    if (this.dialect === 'y-websocket') return decodeMessage(frame)
    if (this.dialect === 'multiplex') return decodeAddressedFrame(frame).message
    const body = frame.subarray(splitAddress(frame).begin)
    const [type, value] = body
    if (type === hocuspocusType.sync || type === hocuspocusType.awareness) return decodeMessage(body)
    if (type === hocuspocusType.syncStatus) {
      if (value !== 1) throw new Error('an edit of an honest client was refused')
      if (--this.#unsynced < 0) throw new Error('more was paid than an honest client had counted')
    } else if (type === hocuspocusType.close || (type === hocuspocusType.auth && value === 1)) {
      throw new Error(`an honest client was told message ${type}`)
    }
    return null
  }

  #attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.problems.push(error as Error)
    }
  }
}
