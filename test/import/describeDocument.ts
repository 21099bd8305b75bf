import * as Y from 'yjs'

/** All that a document is, in a form that can be compared: what people see, who wrote it up to where, and what is deleted. */
export interface DocumentDescription {
  readonly editor: string
  readonly text: unknown
  readonly map: unknown
  readonly array: unknown
  /** State vector and delete set, base64. */
  readonly snapshot: string
}

export function describeDocument(doc: Y.Doc): DocumentDescription {
  return {
    editor: doc.getXmlFragment('default').toJSON(),
    text: doc.getText('text').toDelta(),
    map: doc.getMap('map').toJSON(),
    array: doc.getArray('array').toJSON(),
    snapshot: Buffer.from(Y.encodeSnapshot(sortedSnapshot(doc))).toString('base64'),
  }
}

/** Yjs writes clients in the order in which it met them. */
function sortedSnapshot(doc: Y.Doc): Y.Snapshot {
  const { ds, sv } = Y.snapshot(doc)
  const byClient = <T>(map: Map<number, T>) => new Map([...map].sort(([a], [b]) => a - b))
  ds.clients = byClient(ds.clients)
  return new Y.Snapshot(ds, byClient(sv))
}
