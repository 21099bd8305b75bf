import * as Y from 'yjs'
import { extendAs, mutateUpdate } from '../crdt/mutateUpdate.ts'
import type { Random } from '../crdt/Random.ts'
import { Replica } from '../crdt/Replica.ts'

/** Client ids below this are strangers': the honest ones' lie above. */
export const FIRST_HONEST_ID = 1_000_000
const STRANGERS = [7, 8, 9]
/** What was edited once is used so often, each time changed in another way. */
const USES = 30
/** Above this an update is checked by a worker. */
const LARGE_BYTES = 64 * 1024

/** Updates and state vectors of one document, as a stranger would make them who has read all of it. */
export class Material {
  /** The document as it is stored, at the moment. */
  readonly #stored: () => Y.Doc
  readonly #random: Random
  #base = new Uint8Array()
  #author = 0
  #uses = 0
  #lastAuthor = 900_000

  constructor(stored: () => Y.Doc, random: Random) {
    this.#stored = stored
    this.#random = random
  }

  /** Mostly an edit that follows what is stored, with changes in its structure or its bytes. */
  update(isMutated: boolean): Uint8Array {
    const random = this.#random
    if (random.chance(0.002)) return this.#large()
    if (random.chance(0.03)) return this.#whole()
    const stateVector = this.stateVector()
    const honest = extendAs(random.pick(STRANGERS), this.#edit(), this.#author, stateVector)
    return isMutated ? mutateUpdate(honest, stateVector, random) : honest
  }

  stateVector(): Map<number, number> {
    return Y.decodeStateVector(Y.encodeStateVector(this.#stored()))
  }

  /** An edit of somebody who has just read the document and has written nothing in it yet. */
  #edit(): Uint8Array {
    if (this.#uses === 0) {
      const replica = new Replica(++this.#lastAuthor)
      replica.apply(Y.encodeStateAsUpdate(this.#stored()))
      const edits: Uint8Array[] = []
      for (let count = 1 + this.#random.below(3); count > 0; count--) edits.push(...replica.edit(this.#random))
      this.#base = edits.length === 0 ? Uint8Array.of(0, 0) : new Uint8Array(Y.mergeUpdates(edits))
      this.#author = this.#lastAuthor
      this.#uses = USES
    }
    this.#uses--
    return this.#base
  }

  /** All that is stored, or all from a moment on, or nothing, or its second encoding. */
  #whole(): Uint8Array {
    const doc = this.#stored()
    switch (this.#random.below(4)) {
      case 0:
        return Uint8Array.of(0, 0)
      case 1:
        return Y.encodeStateAsUpdateV2(doc)
      case 2: {
        const some = [...this.stateVector()].filter(() => this.#random.chance(0.5))
        return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(new Map(some)))
      }
      default:
        return Y.encodeStateAsUpdate(doc)
    }
  }

  #large(): Uint8Array {
    const clientID = this.#random.pick(STRANGERS)
    const doc = new Y.Doc()
    doc.clientID = 1
    doc.getText('text').insert(0, 'x'.repeat(LARGE_BYTES))
    return extendAs(clientID, Y.encodeStateAsUpdate(doc), 1, this.stateVector())
  }
}
