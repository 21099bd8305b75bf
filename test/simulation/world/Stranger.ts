import {
  type DocumentId,
  encodeAck,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeQueryAwareness,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
} from '@weft/protocol'
import * as Y from 'yjs'
import type { Random } from '../../crdt/Random.ts'
import { createDocument, editRandomly } from '../../crdt/randomEdits.ts'
import type { Link } from './Link.ts'
import { operationsOf } from './operations.ts'
import type { ActionName } from './plan.ts'
import type { Scene } from './Scene.ts'

const encoder = new TextEncoder()
export const FORGERY = '{"forged":1}'

/** Somebody who wants no good, with connections of its own. */
export class Stranger {
  readonly #scene: Scene
  readonly #number: number
  readonly #documentId: DocumentId
  #link: Link | null = null
  #doc: Y.Doc
  #lives = 0

  constructor(scene: Scene, number: number, documentId: DocumentId) {
    this.#scene = scene
    this.#number = number
    this.#documentId = documentId
    this.#doc = this.#newDoc()
  }

  #newDoc(): Y.Doc {
    // Beyond all honest ones.
    const clientID = 900_000_000 + this.#number * 1_000_000 + ++this.#lives
    if (this.#scene.world.isAsking) this.#scene.world.ledger.forbiddenClients.add(clientID)
    return createDocument(clientID)
  }

  act(what: ActionName, random: Random): void {
    const link = this.#link
    if (link === null || !link.isUp) {
      this.#connect(() => this.#do(what, random))
      return
    }
    this.#do(what, random)
  }

  #connect(then: () => void): void {
    const { world } = this.#scene
    if (this.#link !== null) return
    const request = {
      address: `stranger ${this.#number}`,
      path: `/${this.#documentId}`,
      protocol: '',
      token: world.isAsking ? this.#scene.strangersToken(this.#number) : null,
    }
    const link = world.connect(request, 20, {
      opened: () => {
        link?.send(encodeSyncStep1(Uint8Array.of(0)))
        then()
      },
      received: () => {},
      lost: () => {
        if (this.#link === link) this.#link = null
      },
    })
    this.#link = link
  }

  #send(message: Uint8Array): void {
    this.#link?.send(message)
  }

  #do(what: ActionName, random: Random): void {
    const { world } = this.#scene
    world.counters.add(what)
    switch (what) {
      case 'malformed update':
        for (let i = 0; i < 4; i++) this.#sendMutated(random)
        return
      case 'gap':
        this.#sendGap(random)
        return
      case 'flood':
        this.#flood(random)
        return
      case 'forged awareness': {
        const victim = this.#scene.someHonestClient(random)
        const state = random.pick([FORGERY, 'null'])
        const clock = random.pick([1, 5, 1000, 2 ** 31])
        const own = {
          clientID: 950_000_000 + this.#number,
          clock: random.below(1000),
          json: encoder.encode('{"user":"stranger"}'),
        }
        const forged = { clientID: victim, clock, json: encoder.encode(state) }
        const entries = random.pick([[forged], [own, forged], [own, forged]])
        this.#send(encodeAwareness(encodeAwarenessEntries(entries)))
        return
      }
      case 'garbage': {
        const bytes = Buffer.alloc(1 + random.below(60))
        for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256)
        if (random.chance(0.3)) this.#link?.send(bytes, false)
        else this.#send(bytes)
        return
      }
      case 'giant awareness': {
        const json = random.pick([
          `{"a":"${'x'.repeat(5000)}"}`,
          `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`,
          '[1]',
          '{"a":',
        ])
        const entry = {
          clientID: 950_000_000 + this.#number,
          clock: 1 + random.below(1000),
          json: encoder.encode(json),
        }
        this.#send(encodeAwareness(encodeAwarenessEntries([entry])))
        return
      }
      case 'foreign client id':
        this.#speakOfOthers(random)
        return
      default:
        return
    }
  }

  /** An update of its own in which bytes were changed; what would still be one, of somebody else's operations, is not sent. */
  #sendMutated(random: Random): void {
    const before = Y.encodeStateVector(this.#doc)
    editRandomly(this.#doc, random)
    const update = Buffer.from(Y.encodeStateAsUpdate(this.#doc, before))
    for (let changes = 1 + random.below(4); changes > 0; changes--) {
      update[random.below(update.length)] = random.below(256)
    }
    const cut = random.chance(0.2) ? update.subarray(0, random.below(update.length)) : update
    if (this.#isOfOthers(cut)) return
    this.#send(random.chance(0.3) ? encodeSyncStep2(cut) : encodeUpdate(cut))
    // What came of it, its own copy doesn't know.
    this.#doc = this.#newDoc()
  }

  #isOfOthers(update: Uint8Array): boolean {
    try {
      const { structs } = operationsOf(update)
      for (let i = 0; i < structs.length; i += 3) if (this.#scene.isHonest(structs[i] ?? 0)) return true
    } catch {
      // Yjs can't read it: neither could anybody apply it.
    }
    return false
  }

  #sendGap(random: Random): void {
    const text = this.#doc.getText('text')
    text.insert(0, 'lost')
    const before = Y.encodeStateVector(this.#doc)
    text.insert(random.below(4), 'builds on what is lost')
    const update = Y.encodeStateAsUpdate(this.#doc, before)
    this.#send(random.chance(0.3) ? encodeSyncStep2(update) : encodeUpdate(update))
    this.#doc = this.#newDoc()
  }

  #flood(random: Random): void {
    const kind = random.below(5)
    for (let i = 0; i < 120; i++) {
      switch (kind) {
        case 0:
          this.#send(encodeSyncStep1(Uint8Array.of(0)))
          break
        case 1:
          this.#send(encodeAck(Uint8Array.of(i)))
          break
        case 2:
          this.#send(encodeQueryAwareness())
          break
        case 3:
          this.#link?.ping()
          break
        default: {
          const before = Y.encodeStateVector(this.#doc)
          this.#doc.getText('text').insert(0, 'flood ')
          this.#send(encodeUpdate(Y.encodeStateAsUpdate(this.#doc, before)))
        }
      }
    }
    if (random.chance(0.3)) this.#link?.stopReading()
  }

  /** Says again what honest clients wrote, deletes of it what it likes, and names clients that it is not. */
  #speakOfOthers(random: Random): void {
    const replay = this.#scene.world.ledger.book(this.#documentId).replay
    const copy = createDocument(this.#newDoc().clientID)
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(replay))
    const text = copy.getText('text')
    if (text.length > 0) text.delete(random.below(text.length), 1)
    this.#send(encodeUpdate(Y.encodeStateAsUpdate(copy)))
  }

  leave(): void {
    this.#link?.cut()
    this.#link = null
  }
}
