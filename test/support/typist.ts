import * as Y from 'yjs'

/** A document that keeps the update of each of its transactions. */
export interface Typist {
  readonly doc: Y.Doc
  readonly text: Y.Text
  /** All updates so far. */
  readonly updates: Uint8Array[]
  /** Types a word at the end and gives the update. */
  type(word: string): Uint8Array
  /** Deletes a range and gives the update. */
  erase(index: number, length: number): Uint8Array
}

export function typist(clientID: number): Typist {
  const doc = new Y.Doc()
  doc.clientID = clientID
  const text = doc.getText('text')
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === null) updates.push(update)
  })
  const last = () => updates.at(-1) ?? new Uint8Array()
  return {
    doc,
    text,
    updates,
    type(word) {
      text.insert(text.length, word)
      return last()
    },
    erase(index, length) {
      text.delete(index, length)
      return last()
    },
  }
}

/** The text of a document made of these updates. */
export function textOf(...updates: readonly (Uint8Array | null)[]): string {
  const doc = new Y.Doc()
  for (const update of updates) if (update !== null) Y.applyUpdate(doc, update)
  return doc.getText('text').toString()
}
