import * as Y from 'yjs'

/**
 * Checks what Yjs relies on within a document.
 * @throws {Error} where something is pending, a list isn't one, a length is wrong, or entries of a key but the last live
 */
export function checkDocument(doc: Y.Doc): void {
  const { store } = doc
  if (store.pendingStructs !== null || store.pendingDs !== null) throw new Error('something is pending')
  const types = new Set<Y.AbstractType<unknown>>()
  for (const type of doc.share.values()) types.add(type as Y.AbstractType<unknown>)
  for (const structs of store.clients.values()) {
    for (const struct of structs) {
      if (struct instanceof Y.Item && struct.content instanceof Y.ContentType) types.add(struct.content.type)
    }
  }
  for (const type of types) {
    checkSequence(type)
    checkEntries(type)
  }
  Y.encodeStateAsUpdate(doc)
}

function checkSequence(type: Y.AbstractType<unknown>): void {
  let length = 0
  const seen = new Set<Y.Item>()
  for (let item = type._start; item !== null; item = item.right) {
    if (seen.has(item)) throw new Error('a sequence runs in a circle')
    seen.add(item)
    if (item.parent !== type || item.parentSub !== null) throw new Error('an item stands where it does not belong')
    if (!item.deleted && item.countable) length += item.length
  }
  if (type._item?.deleted !== true && length !== type._length) {
    throw new Error(`a sequence of ${length} claims to have ${type._length}`)
  }
}

function checkEntries(type: Y.AbstractType<unknown>): void {
  for (const [key, last] of type._map) {
    const seen = new Set<Y.Item>()
    for (let item = last.left; item !== null; item = item.left) {
      if (seen.has(item)) throw new Error('the entries of a key run in a circle')
      seen.add(item)
      if (item.parentSub !== key) throw new Error('an entry stands under another key')
      if (!item.deleted) throw new Error('an entry lives that is not the last of its key')
    }
  }
}

/** What a person would see: the content of the root types. */
export function contentOf(doc: Y.Doc): unknown {
  return {
    text: describe(doc.getText('text')),
    xml: describe(doc.getXmlFragment('xml')),
    array: describe(doc.getArray('array')),
    map: describe(doc.getMap('map')),
  }
}

/**
 * As JSON, but with values that JSON has no word for, subdocuments by their ids, and without characters that Yjs replaces
 * in those replicas only that cut them in two.
 */
function describe(value: unknown): unknown {
  if (value instanceof Y.Doc) return { guid: value.guid }
  if (value instanceof Y.Text) {
    return value
      .toDelta()
      .map((part: { insert: unknown; attributes?: unknown }) => [describe(part.insert), part.attributes])
  }
  if (value instanceof Y.XmlFragment) return describe(value.toString())
  if (typeof value === 'string') return value.replaceAll(/[\ud800-\udfff\ufffd]/g, '')
  if (value instanceof Y.Array) return value.toArray().map(describe)
  if (value instanceof Y.Map) return new Map([...value.entries()].map(([key, entry]) => [key, describe(entry)]))
  return value
}
