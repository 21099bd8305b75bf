import {
  type CloseName,
  decodeMessage,
  encodeAck,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  type Message,
} from '@weft/protocol'
import * as Y from 'yjs'
import type { Random } from '../crdt/Random.ts'
import { Replica } from '../crdt/Replica.ts'
import type { LinkHost, SimulatedLink } from './SimulatedLink.ts'

const LIVES = 1000

/** An honest client: syncs as stock clients do, and asks for acknowledgements. */
export class SimulatedClient {
  readonly name: number
  readonly #connect: (host: LinkHost) => SimulatedLink | null
  /** Called with updates of which this client now knows that they are committed. */
  protected readonly promised: (update: Uint8Array) => void
  #replica: Replica
  protected link: SimulatedLink | null = null
  /** All updates of this client, in order, that it sent over this link. */
  #sent: Uint8Array[] = []
  #acknowledged = 0
  /** What it may say again: nothing of a former life, which it doesn't know itself. */
  #history: Uint8Array[] = []
  readonly #states: Uint8Array[] = []
  #lives = 0
  /** Why the server closed its connections. */
  readonly closes: { name: CloseName; text: string }[] = []

  constructor(name: number, connect: (host: LinkHost) => SimulatedLink | null, promised: (update: Uint8Array) => void) {
    this.name = name
    this.#connect = connect
    this.promised = promised
    this.#replica = this.#newReplica()
  }

  get doc(): Y.Doc {
    return this.#replica.doc
  }

  act(random: Random): void {
    const choice = random.below(60)
    if (choice < 40) this.#edit(random)
    else if (choice < 42) this.leave()
    else if (choice < 49) this.connect()
    else if (choice < 50) this.link?.stopReading()
    else if (choice < 53) this.link?.goOnReading()
    else if (choice < 55) this.repeat(random)
    else if (choice < 57) this.askAgain(random)
    else if (choice < 59) this.askAck()
    else this.#goBack(random)
  }

  connect(): void {
    if (this.link?.isUp === true) return
    const host: LinkHost = {
      received: message => {
        if (this.link === link) this.#receive(message)
      },
      lost: close => {
        if (close !== null) this.closes.push(close)
        if (this.link === link) this.link = null
      },
    }
    const link = this.#connect(host)
    this.link = link
    if (link !== null) this.begin(link)
  }

  /** Begins to sync over a new link. */
  protected begin(link: SimulatedLink): void {
    this.#sent = []
    this.#acknowledged = 0
    link.send(encodeSyncStep1(Y.encodeStateVector(this.doc)))
  }

  leave(): void {
    this.link?.cut()
    this.link = null
  }

  goOnReading(): void {
    this.link?.goOnReading()
  }

  askAck(): void {
    const count = this.#sent.length
    this.link?.send(encodeAck(Uint8Array.of(count & 255, (count >> 8) & 255)))
  }

  #edit(random: Random): void {
    this.#replica.edit(random)
    if (random.chance(0.3)) this.askAck()
    if (random.chance(0.05)) this.#states.push(Y.encodeStateAsUpdate(this.doc))
  }

  protected repeat(random: Random): void {
    if (this.#history.length > 0) this.link?.send(encodeUpdate(random.pick(this.#history)))
  }

  protected askAgain(random: Random): void {
    const stateVector = random.chance(0.5) ? Y.encodeStateVector(this.doc) : Uint8Array.of(0)
    this.link?.send(encodeSyncStep1(stateVector))
  }

  /** A tab that comes back with a state of earlier. */
  #goBack(random: Random): void {
    this.leave()
    const state = this.#states.length > 0 ? random.pick(this.#states) : null
    this.#history = []
    this.forget()
    this.#replica = this.#newReplica()
    if (state !== null) this.#replica.apply(state)
  }

  #receive(frame: Uint8Array): void {
    this.hears()
    const message = decodeMessage(frame)
    switch (message.type) {
      case 'syncStep1': {
        const update = Y.encodeStateAsUpdate(this.doc, message.stateVector)
        this.answer(update)
        return
      }
      case 'syncStep2':
      case 'update':
        this.#replica.apply(message.update)
        return
      default:
        this.heard(message, frame)
    }
  }

  /** Answers the server's question. */
  protected answer(update: Uint8Array): void {
    this.#sent.push(update)
    this.link?.send(encodeSyncStep2(update))
  }

  /** A message is about to be looked at. */
  protected hears(): void {}

  /** A message that brings nothing for the document. */
  protected heard(message: Message, _frame: Uint8Array): void {
    if (message.type !== 'ack') return
    const [low = 0, high = 0] = message.payload
    const count = low + 256 * high
    if (count < this.#acknowledged) throw new Error('an acknowledgement came out of order')
    for (const update of this.#sent.slice(this.#acknowledged, count)) this.promised(update)
    this.#acknowledged = count
  }

  /** Something was written here. */
  protected wrote(update: Uint8Array): void {
    if (this.link?.isUp !== true) return
    this.#sent.push(update)
    this.link.send(encodeUpdate(update))
  }

  /** All that it knew of a connection is gone with its tab. */
  protected forget(): void {}

  #newReplica(): Replica {
    const replica = new Replica((this.name + 1) * LIVES * LIVES + ++this.#lives * LIVES)
    replica.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'remote') return
      this.#history.push(update)
      this.wrote(update)
    })
    return replica
  }
}
