import * as Y from 'yjs'
import type { Random } from '../crdt/Random.ts'
import { Replica } from '../crdt/Replica.ts'
import { RawClient } from './RawClient.ts'

/** Client ids of one replica's later lives. */
const LIVES = 1000

/** A replica that syncs like a stock client, and misbehaves like the world: it leaves, returns, is slow, repeats itself. */
export class OnlineReplica {
  readonly name: number
  readonly #url: string
  #replica: Replica
  #client: RawClient | null = null
  /** Updates that it made in this life: what may arrive again, or late. */
  #sent: Uint8Array[] = []
  /** States that it had: what an old tab may come back with. */
  readonly #states: Uint8Array[] = []
  #lives = 0
  #acks = 0

  constructor(name: number, url: string) {
    this.name = name
    this.#url = url
    this.#replica = this.#newReplica()
  }

  get doc(): Y.Doc {
    return this.#replica.doc
  }

  get isOnline(): boolean {
    return this.#client?.isOpen === true
  }

  edit(random: Random): void {
    this.#replica.edit(random)
    if (random.chance(0.05)) this.#states.push(Y.encodeStateAsUpdate(this.doc))
  }

  /** Connects if it isn't: sync step 1, and an answer to the server's. */
  async connect(): Promise<void> {
    if (this.isOnline) return
    const client = await RawClient.connect(this.#url)
    this.#client = client
    client.onMessage(message => {
      if (this.#client !== client) return
      if (message.type === 'syncStep1') client.answer(Y.encodeStateAsUpdate(this.doc, message.stateVector))
      if (message.type === 'update' || message.type === 'syncStep2') this.#replica.apply(message.update)
    })
    client.ask(Y.encodeStateVector(this.doc))
  }

  disconnect(): void {
    this.#client?.cut()
    this.#client = null
  }

  stopReading(): void {
    this.#client?.stopReading()
  }

  goOnReading(): void {
    this.#client?.goOnReading()
  }

  /** Says again what it said before. */
  repeat(random: Random): void {
    if (this.#sent.length > 0 && this.#client?.isOpen === true) this.#client.update(random.pick(this.#sent))
  }

  /** Asks again, from what it has or from nothing. */
  askAgain(random: Random): void {
    if (this.#client?.isOpen === true) this.#client.ask(random.chance(0.5) ? Y.encodeStateVector(this.doc) : undefined)
  }

  /** Becomes a tab with a state of earlier: what it didn't send since then is gone, as when a browser is closed. */
  goBack(random: Random): void {
    this.disconnect()
    const state = this.#states.length > 0 ? random.pick(this.#states) : null
    this.#sent = []
    this.#replica = this.#newReplica()
    if (state !== null) this.#replica.apply(state)
  }

  /** Resolves when all it has is committed. */
  async committed(): Promise<void> {
    const client = this.#client
    if (client === null) throw new Error(`replica ${this.name} is not connected`)
    client.askAck(++this.#acks)
    await client.nextAck(this.#acks)
  }

  #newReplica(): Replica {
    const replica = new Replica((this.name + 1) * LIVES * LIVES + ++this.#lives * LIVES)
    replica.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'remote') return
      this.#sent.push(update)
      if (this.#client?.isOpen === true) this.#client.update(update)
    })
    return replica
  }
}
