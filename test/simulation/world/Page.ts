import {
  type AwarenessEntry,
  type DocumentId,
  decodeAwareness,
  decodeMessage,
  encodeAck,
  encodeAnnounce,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  isNullState,
} from '@weft/protocol'
import * as Y from 'yjs'
import type { Random } from '../../crdt/Random.ts'
import { Replica } from '../../crdt/Replica.ts'
import { operationsOf } from './operations.ts'
import type { Person } from './Person.ts'

/** Client ids are of a person, a page, and a life of that page: nobody else ever has them. */
const LIVES = 64
const RENEWAL_MS = 15_000
const STATE = new TextEncoder().encode('{"user":{"name":"honest"}}')

/** One document in an honest client's hands. */
export abstract class Page {
  readonly documentId: DocumentId
  protected readonly person: Person
  readonly #number: number
  #replica: Replica
  #lives = 0
  /** What it may say again: nothing of a former life, which it doesn't know itself. */
  #history: Uint8Array[] = []
  readonly #copies: Uint8Array[] = []
  /** Of the document, as it was when this session began. */
  protected era = 0
  /** The session was begun on this connection, and nothing ended it. */
  isBegun = false
  isSynced = false
  /** Since when; null: it isn't. */
  joinedAt: number | null = null
  /** What was on disk when it asked, and the server knew. */
  #mustHear: ReadonlyMap<number, number> | null = null
  #awarenessClock = 0
  #renewedAt = 0
  /** `Map<clientID, clock>` of the others that it sees. */
  readonly others = new Map<number, number>()
  readonly #clocks = new Map<number, number>()

  constructor(person: Person, documentId: DocumentId, number: number) {
    this.person = person
    this.documentId = documentId
    this.#number = number
    this.#replica = this.#newReplica()
  }

  get doc(): Y.Doc {
    return this.#replica.doc
  }

  get clientID(): number {
    return this.doc.clientID
  }

  /** Sends one message of the document's session. */
  protected say(message: Uint8Array): void {
    this.person.say(this, message)
  }

  protected get world() {
    return this.person.world
  }

  // ── Doing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  edit(random: Random): void {
    this.world.counters.add('edit')
    this.#replica.edit(random)
    if (random.chance(0.1)) this.#copies.push(Y.encodeStateAsUpdate(this.doc))
  }

  paste(random: Random): void {
    this.world.counters.add('paste')
    const text = this.doc.getText('text')
    text.insert(random.below(text.length + 1), 'pasted '.repeat(20 + random.below(300)))
  }

  sayAgain(random: Random): void {
    if (this.#history.length === 0) return
    this.world.counters.add('said again')
    this.repeat(random.pick(this.#history))
  }

  protected abstract repeat(update: Uint8Array): void

  /** Asks for everything once more. */
  abstract askAgain(random: Random): void

  abstract askAck(): void

  /** A new tab in the place of this one, with a copied state of earlier, or none. */
  begin(random: Random): void {
    const copy = this.#copies.length > 0 && random.chance(0.8) ? random.pick(this.#copies) : null
    this.beginAnew()
    if (copy !== null) {
      this.world.counters.add('copied tab')
      this.#replica.apply(copy)
    }
  }

  /** Forgets all, as a page that is opened for the first time. */
  beginAnew(): void {
    this.#history = []
    this.#copies.length = 0
    this.forget()
    this.#replica = this.#newReplica()
    this.lost()
  }

  /** All that it knew of a connection is gone with its tab. */
  protected forget(): void {}

  // ── The session ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** A new connection is open. */
  join(): void {
    this.isBegun = true
    this.isSynced = false
    const book = this.world.ledger.book(this.documentId)
    this.era = book.era
    this.#mustHear = book.told
    this.begun()
    this.showMyself()
  }

  protected abstract begun(): void

  /** The connection, or the session, is gone. */
  lost(): void {
    this.isBegun = false
    this.isSynced = false
    this.joinedAt = null
    this.others.clear()
    this.#clocks.clear()
  }

  showMyself(): void {
    if (!this.isBegun) return
    this.#renewedAt = this.world.clock.now()
    const entry = { clientID: this.clientID, clock: ++this.#awarenessClock, json: STATE }
    this.say(encodeAwareness(encodeAwarenessEntries([entry])))
  }

  renewAwareness(): void {
    if (this.isBegun && this.world.clock.now() - this.#renewedAt >= RENEWAL_MS) this.showMyself()
  }

  announce(): void {
    this.say(encodeAnnounce())
  }

  receive(message: Uint8Array): void {
    const decoded = decodeMessage(message)
    switch (decoded.type) {
      case 'syncStep1':
        this.answer(Y.encodeStateAsUpdate(this.doc, decoded.stateVector))
        return
      case 'syncStep2':
        this.#apply(decoded.update)
        this.#synced()
        return
      case 'update':
        this.#apply(decoded.update)
        return
      case 'awareness':
        this.#meet(decodeAwareness(decoded.payload))
        return
      case 'ack':
        this.acknowledged(decoded.payload)
        return
      case 'permissionDenied':
        // Before a final close it says why; only this one is about an edit.
        if (/^forbidden: you may read/.test(decoded.reason)) this.person.refused(this)
        return
      case 'access':
        return
      default:
        return
    }
  }

  #apply(update: Uint8Array): void {
    try {
      this.#replica.apply(update)
    } catch (error) {
      this.world.problem(`what came can't be applied in ${this.documentId}: ${error}`)
    }
    if (this.doc.store.pendingStructs !== null || this.doc.store.pendingDs !== null) {
      this.world.problem(`what came is not causally closed in ${this.documentId}`)
    }
  }

  #synced(): void {
    const mustHear = this.#mustHear
    this.#mustHear = null
    const { era, isDamaged } = this.world.ledger.book(this.documentId)
    if (mustHear !== null && this.era === era && !isDamaged) {
      const there = Y.decodeStateVector(Y.encodeStateVector(this.doc))
      for (const [client, clock] of mustHear) {
        if ((there.get(client) ?? 0) >= clock) continue
        this.world.problem(
          `an answer in ${this.documentId} lacks what was on disk before: ${client} from ${there.get(client)} to ${clock}`,
        )
        break
      }
    }
    this.joinedAt ??= this.world.clock.now()
    if (!this.isSynced) this.world.counters.add(`joined: ${this.person.dialect}`)
    this.isSynced = true
  }

  #meet(entries: readonly AwarenessEntry[]): void {
    const news: AwarenessEntry[] = []
    for (const entry of entries) {
      const { clientID, clock, json } = entry
      if (clientID === this.clientID) continue
      const known = this.#clocks.get(clientID) ?? 0
      const isGone = isNullState(json)
      if (clock < known || (clock === known && !(isGone && this.others.has(clientID)))) continue
      this.#clocks.set(clientID, clock)
      if (isGone) this.others.delete(clientID)
      else this.others.set(clientID, clock)
      news.push(entry)
      if (this.person.scene.isForged(this.documentId, clientID, json))
        this.world.problem(`somebody else speaks as client ${clientID}`)
    }
    // Stock clients send back what they hear.
    if (news.length > 0 && this.person.echoes) this.say(encodeAwareness(encodeAwarenessEntries(news)))
  }

  /** Answers the server's question. */
  protected abstract answer(update: Uint8Array): void
  /** Something was written here. */
  protected abstract wrote(update: Uint8Array): void
  protected abstract acknowledged(payload: Uint8Array): void

  /** Now it knows that these are safe. */
  protected promised(update: Uint8Array): void {
    this.world.ledger.promise(this.documentId, this.era, operationsOf(update), 'what was acknowledged')
  }

  /** As `promised`, of all that is here, but for deletions. */
  protected promisedClocks(): void {
    const structs: number[] = []
    for (const [client, clock] of Y.decodeStateVector(Y.encodeStateVector(this.doc))) structs.push(client, 0, clock)
    this.world.ledger.promise(this.documentId, this.era, { structs, deletes: [] }, 'what was acknowledged')
  }

  #newReplica(): Replica {
    const clientID = (this.person.number + 1) * 1_000_000 + this.#number * 100_000 + ++this.#lives * LIVES
    const replica = new Replica(clientID)
    this.person.scene.introduce(clientID, LIVES)
    replica.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'remote') return
      this.#history.push(update)
      this.wrote(update)
    })
    return replica
  }

  protected ask(stateVector = Y.encodeStateVector(this.doc)): void {
    this.say(encodeSyncStep1(stateVector))
  }
}

/** As y-websocket's provider, with acknowledgements: messages 102 with the number of what was sent. */
export class AskingPage extends Page {
  #sent: Uint8Array[] = []
  #acknowledged = 0

  protected override begun(): void {
    this.#sent = []
    this.#acknowledged = 0
    this.ask()
  }

  protected override repeat(update: Uint8Array): void {
    if (this.isBegun) this.say(encodeUpdate(update))
  }

  override askAgain(random: Random): void {
    if (!this.isBegun) return
    this.world.counters.add('asked again')
    this.ask(random.chance(0.5) ? Y.encodeStateVector(this.doc) : Uint8Array.of(0))
  }

  override askAck(): void {
    if (!this.isBegun) return
    const count = this.#sent.length
    this.say(encodeAck(Uint8Array.of(count & 255, count >> 8)))
  }

  protected override answer(update: Uint8Array): void {
    this.#sent.push(update)
    this.say(encodeSyncStep2(update))
    this.askAck()
  }

  protected override wrote(update: Uint8Array): void {
    if (!this.isBegun) return
    this.#sent.push(update)
    this.say(encodeUpdate(update))
    if (this.#sent.length % 3 === 0) this.askAck()
  }

  protected override acknowledged(payload: Uint8Array): void {
    const [low = 0, high = 0] = payload
    const count = low + 256 * high
    if (count < this.#acknowledged) this.world.problem('an acknowledgement came out of order')
    for (const update of this.#sent.slice(this.#acknowledged, count)) {
      this.world.counters.add('acknowledged')
      this.promised(update)
    }
    this.#acknowledged = count
  }
}

/**
 * Counts unsynced changes as Hocuspocus' provider does (`HocuspocusProvider.unsyncedChanges`, versions 2.9, 3.4 and 4.8): when none
 * is left, everything in its document must be on disk.
 */
export class CountingPage extends Page {
  #unsynced = 0
  #syncs = 0
  /** What was typed without a connection: sent once the server has said something. */
  #queue: Uint8Array[] = []
  #hasConnected = false
  #hasHeard = false

  get unsynced(): number {
    return this.#unsynced
  }

  protected override begun(): void {
    this.#hasConnected = true
    this.#hasHeard = false
    this.#unsynced = this.person.isVersion2 ? this.#unsynced + 1 : 1
    this.ask()
  }

  /** The server has said something, whatever it is. */
  hears(): void {
    if (this.#hasHeard) return
    this.#hasHeard = true
    for (const update of this.#queue.splice(0)) this.say(encodeUpdate(update))
  }

  protected override wrote(update: Uint8Array): void {
    this.#unsynced++
    if (this.isBegun) this.say(encodeUpdate(update))
    else if (this.#hasConnected || !this.person.isVersion2) this.#queue.push(update)
  }

  protected override answer(update: Uint8Array): void {
    this.say(encodeSyncStep2(update))
  }

  /** One of its changes is on disk, or was refused. */
  status(isApplied: boolean): void {
    if (!isApplied) {
      this.person.refused(this)
      return
    }
    if (this.#unsynced === 0) {
      this.world.problem('a provider was paid more than it had counted')
      return
    }
    this.#unsynced--
    if (this.#unsynced > 0) return
    this.world.counters.add('provider synced')
    // All of it each time would be half of the whole history's cost.
    if (++this.#syncs % 4 === 1) this.promised(Y.encodeStateAsUpdate(this.doc))
    else this.promisedClocks()
  }

  /** `forceSync`: 3 and 4 count anew (not here while something is unsynced: it may be paid a moment later), 2 doesn't count it. */
  override askAgain(): void {
    if (!this.isBegun || (this.#unsynced > 0 && !this.person.isVersion2)) return
    this.world.counters.add('asked again')
    if (!this.person.isVersion2) this.#unsynced = 1
    this.ask()
  }

  override askAck(): void {}

  protected override repeat(): void {}

  protected override acknowledged(): void {}

  protected override forget(): void {
    this.#unsynced = 0
    this.#queue = []
    this.#hasConnected = false
  }
}
