import * as Y from 'yjs'
import { createDocument } from '../crdt/randomEdits.ts'

type Key = `${number}:${number}`

/**
 * Operations that replicas may judge differently, whoever relays them. No editor makes the first of them: an item between
 * neighbours of two different types. Where one of these is deleted, Yjs drops the item on a replica that has thrown away what was
 * in it, and shows it on one that has not yet, for it may be undone. So goes what builds on the item. A server that holds no
 * document can't tell of which type a neighbour is.
 * @param history all updates of a document, in order
 */
export function disputedOperations(history: readonly Uint8Array[]): (client: number, clock: number) => boolean {
  // Nothing is thrown away here.
  const doc = createDocument(3, false)
  for (const update of history) Y.applyUpdate(doc, update)
  const items: Y.Item[] = []
  for (const structs of doc.store.clients.values())
    for (const struct of structs) if (struct instanceof Y.Item) items.push(struct)
  const itemAt = (id: Y.ID | null) => {
    const struct = id === null ? null : Y.getItem(doc.store, id)
    return struct instanceof Y.Item ? struct : null
  }
  const disputed = new Set<Y.Item>()
  const isAstride = (left: Y.Item | null, right: Y.Item | null) =>
    left !== null && right !== null && left.parent !== right.parent
  // Under a key the last one deletes the one before it.
  const keyOf = ({ parent, parentSub }: Y.Item) => (parentSub === null ? null : { parent, parentSub })
  const isDisputed = (item: Y.Item) => {
    const [left, right] = [itemAt(item.origin), itemAt(item.rightOrigin)]
    if (isAstride(left, right)) return true
    const parent = item.parent instanceof Y.AbstractType ? item.parent._item : null
    if ([left, right, parent].some(other => other !== null && disputed.has(other))) return true
    const key = keyOf(item)
    return key !== null && [...disputed].some(other => other.parent === key.parent && other.parentSub === key.parentSub)
  }
  for (let before = -1; before < disputed.size; ) {
    before = disputed.size
    for (const item of items) if (!disputed.has(item) && isDisputed(item)) disputed.add(item)
  }
  return (client, clock) => {
    const item = itemAt(Y.createID(client, clock))
    return item !== null && disputed.has(item)
  }
}

/** Operations that are deleted in one of two documents and not in the other. Both have the same operations. */
export function differences(a: Y.Doc, b: Y.Doc): [client: number, clock: number][] {
  const found: [client: number, clock: number][] = []
  const [inA, inB] = [deletedIn(a), deletedIn(b)]
  for (const [one, other] of [
    [inA, inB],
    [inB, inA],
  ] as const) {
    for (const key of one) {
      const [client = 0, clock = 0] = key.split(':').map(Number)
      if (!other.has(key)) found.push([client, clock])
    }
  }
  return found
}

function deletedIn(doc: Y.Doc): Set<Key> {
  const deleted = new Set<Key>()
  for (const [client, ranges] of Y.createDeleteSetFromStructStore(doc.store).clients) {
    for (const { clock, len } of ranges) for (let i = 0; i < len; i++) deleted.add(`${client}:${clock + i}`)
  }
  return deleted
}
