import * as Y from 'yjs'
import type { Random } from './Random.ts'
import { createDocument, editRandomly } from './randomEdits.ts'

/** A copy of a document that somebody edits at random, with undo. */
export class Replica {
  readonly doc: Y.Doc
  readonly #undoManager: Y.UndoManager
  #nextClientID: number

  constructor(clientID: number, gc = true) {
    this.doc = createDocument(clientID, gc)
    this.#nextClientID = clientID + 1
    const { doc } = this
    const roots = [doc.getText('text'), doc.getXmlFragment('xml'), doc.getArray('array'), doc.getMap('map')]
    this.#undoManager = new Y.UndoManager(roots, { captureTimeout: 0, trackedOrigins: new Set([null]) })
  }

  get clientID(): number {
    return this.doc.clientID
  }

  /** @returns the updates of this edit: usually one */
  edit(random: Random): Uint8Array[] {
    const updates: Uint8Array[] = []
    const listener = (update: Uint8Array) => updates.push(update)
    this.doc.on('update', listener)
    const choice = random.below(20)
    if (choice === 0) this.#undoManager.undo()
    else if (choice === 1) this.#undoManager.redo()
    else editRandomly(this.doc, random)
    this.doc.off('update', listener)
    return updates
  }

  apply(update: Uint8Array): void {
    const { clientID } = this.doc
    Y.applyUpdate(this.doc, update, 'remote')
    // Yjs takes a random id when somebody else used its own: here a known one, so that a seed repeats a history.
    if (this.doc.clientID !== clientID) this.doc.clientID = this.#nextClientID++
  }
}
