import type { Node } from '@tiptap/pm/model'
import * as Y from 'yjs'
import { applyChange } from './applyChange.ts'
import { FRAGMENT_NAME, schema } from './schema.ts'

/** What one client wrote: operations `from` … `to` - 1 of it. */
export interface ClockRange {
  readonly clientID: number
  readonly from: number
  readonly to: number
}

/** What `mergeChange` made. */
export interface MergedChange {
  /** For the document: the change, and what had to be kept beside it. Null: nothing differs. */
  readonly update: Uint8Array | null
  /** The state of the document in which the change alone is made: the base of the next one. */
  readonly state: Uint8Array
  /** Blocks that one side deleted while the other wrote in them: they are kept. */
  readonly rescuedCount: number
  /** As `applyChange`. */
  readonly stuckCount: number
  /** The operations of the change alone. */
  readonly written: ClockRange
}

const fragmentOf = (ydoc: Y.Doc): Y.XmlFragment => ydoc.getXmlFragment(FRAGMENT_NAME)

const load = (state: Uint8Array): Y.Doc => {
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, state)
  // Roots are made by their type when they are first asked for.
  fragmentOf(ydoc)
  return ydoc
}

/** Whether a document holds all that it held in `state`: not, if it was deleted and begun again. */
export const comesFrom = (ydoc: Y.Doc, state: Uint8Array): boolean =>
  [...Y.decodeStateVector(Y.encodeStateVectorFromUpdate(state))].every(
    ([clientID, clock]) => Y.getState(ydoc.store, clientID) >= clock,
  )

/**
 * A change that somebody made to the Markdown of an earlier state of a document, as an update of the document as it is now.
 * Both sides' edits survive, as between two replicas; and where one side deleted a block in which the other wrote meanwhile,
 * that block is kept, too.
 * @param ydoc the document as it is now; not changed. It `comesFrom` the base.
 * @param base the earlier state, as a Yjs update
 * @param before the Markdown that was written of the earlier state, read
 * @param after what became of it
 * @param clientID under which the change is written, if that is possible: all that it wrote before must be in the base.
 *   Every other change takes a new one, and a document remembers each for ever.
 */
export const mergeChange = (
  ydoc: Y.Doc,
  base: Uint8Array,
  before: Node,
  after: Node,
  clientID?: number,
): MergedChange => {
  const fork = load(base)
  const from = clientID === undefined ? 0 : Y.getState(fork.store, clientID)
  if (clientID !== undefined && from === Y.getState(ydoc.store, clientID)) fork.clientID = clientID
  const baseVector = Y.decodeStateVector(Y.encodeStateVector(fork))
  const changes = collectUpdates(fork)
  const stuckCount = applyChange(fragmentOf(fork), before, after)
  const state = Y.encodeStateAsUpdate(fork)
  const written = {
    clientID: fork.clientID,
    from: fork.clientID === clientID ? from : 0,
    to: Y.getState(fork.store, fork.clientID),
  }
  if (changes.length === 0) return { update: null, state, rescuedCount: 0, stuckCount, written }
  const merged = load(Y.encodeStateAsUpdate(ydoc))
  const updates = collectUpdates(merged)
  const change = Y.mergeUpdates(changes)
  let rescuedCount = 0
  merged.transact(transaction => {
    Y.applyUpdate(merged, change)
    // Yjs takes the whole transaction for somebody else's then, and what is put back for written under a client id in use.
    transaction.local = true
    const lost = [
      ...lostItems(transaction, baseVector, written).map(id => findBlock(id, ydoc, merged)),
      ...lostInserts(fork, [written], merged).map(id => findBlock(id, fork, merged)),
    ]
    rescuedCount = putBack(merged, lost, load(base))
  })
  return { update: Y.mergeUpdates(updates), state, rescuedCount, stuckCount, written }
}

/**
 * What was written by a change and is gone since, with what it stands in, by somebody who can't have seen it.
 * @param ydoc the document as it is now; not changed
 * @param state the document with the change alone (`MergedChange.state`)
 * @param written operations of the change (`MergedChange.written`)
 * @returns an update that puts the blocks back; null: nothing is gone
 */
export const restoreInserts = (ydoc: Y.Doc, state: Uint8Array, written: readonly ClockRange[]): Uint8Array | null => {
  const source = load(state)
  const restored = load(Y.encodeStateAsUpdate(ydoc))
  const lost = lostInserts(source, written, restored)
  if (lost.length === 0) return null
  const updates = collectUpdates(restored)
  restored.transact(() => {
    const blocks = lost.map(id => findBlock(id, source, restored))
    putBack(restored, blocks, source)
  })
  return updates.length === 0 ? null : Y.mergeUpdates(updates)
}

/**
 * @param earlier the document before the change
 * @returns how many there are
 */
const putBack = (merged: Y.Doc, lost: readonly (LostBlock | null)[], earlier: Y.Doc): number => {
  const blocks = new Map(lost.flatMap(block => (block ? [[`${block.id.client} ${block.id.clock}`, block]] : [])))
  for (const block of blocks.values()) {
    // Put back before, and changed again by somebody who hasn't heard of that: once is enough.
    const copy = findCopy(merged, block, earlier)
    if (copy === null) insertAt(merged, block)
    else if (copy.block.toString() !== block.source.toString()) {
      copy.parent.delete(copy.index, 1)
      copy.parent.insert(copy.index, [block.source.clone() as Y.XmlElement | Y.XmlText])
    }
  }
  return blocks.size
}

/** A block that has come since, and says what the lost one says or said. */
const findCopy = (merged: Y.Doc, { id, source }: LostBlock, earlier: Y.Doc) => {
  const parent = itemOf(merged, id)?.parent
  if (!(parent instanceof Y.XmlFragment)) return null
  const before = id.clock < Y.getState(earlier.store, id.client) ? itemOf(earlier, id)?.content : undefined
  const said = [source.toString(), ...(before instanceof Y.ContentType ? [String(before.type)] : [])]
  for (const [index, block] of parent.toArray().entries()) {
    const made = block instanceof Y.XmlElement ? block._item?.id : undefined
    const isNew = made !== undefined && made.clock >= Y.getState(earlier.store, made.client)
    if (isNew && said.includes(block.toString())) return { parent, index, block }
  }
  return null
}

const collectUpdates = (ydoc: Y.Doc): Uint8Array[] => {
  const updates: Uint8Array[] = []
  ydoc.on('update', update => updates.push(update))
  return updates
}

/** Whether a reader would miss it: text, an image, something unknown. */
const isContent = ({ content }: Y.Item, from = 0): boolean => {
  if (content instanceof Y.ContentString) return content.str.slice(from).trim() !== ''
  if (!(content instanceof Y.ContentType)) return content.isCountable() && !(content instanceof Y.ContentDeleted)
  const name = content.type instanceof Y.XmlElement ? content.type.nodeName : null
  return name !== null && (name === 'image' || schema.nodes[name] === undefined)
}

/** What the document's side wrote since the base, and the change deletes with what it stands in. */
const lostItems = (
  transaction: Y.Transaction,
  baseVector: ReadonlyMap<number, number>,
  written: ClockRange,
): Y.ID[] => {
  const lost: Y.ID[] = []
  Y.iterateDeletedStructs(transaction, transaction.deleteSet, struct => {
    const { client, clock } = struct.id
    const from = baseVector.get(client) ?? 0
    if (!(struct instanceof Y.Item) || clock + struct.length <= from) return
    if (client === written.clientID && clock >= written.from) return
    if (isContent(struct, Math.max(0, from - clock))) lost.push(struct.id)
  })
  return lost
}

/** What the change wrote, and is deleted in `merged`. */
const lostInserts = (fork: Y.Doc, written: readonly ClockRange[], merged: Y.Doc): Y.ID[] =>
  written.flatMap(({ clientID, from, to }) =>
    (fork.store.clients.get(clientID) ?? []).flatMap(struct => {
      const { clock } = struct.id
      if (!(struct instanceof Y.Item) || struct.deleted || clock + struct.length <= from || clock >= to) return []
      const first = Y.createID(clientID, Math.max(clock, from))
      const isThere = first.clock < Y.getState(merged.store, clientID)
      if (!isThere || !isContent(struct, first.clock - clock)) return []
      return Y.getItem(merged.store, first).deleted ? [first] : []
    }),
  )

interface LostBlock {
  /** Of the item in whose place it stands. */
  readonly id: Y.ID
  readonly source: Y.XmlElement | Y.XmlText
  /** That item is still there. */
  readonly isBehind: boolean
}

/** The largest thing around an item that is deleted in `merged`, as it is in `source`; of a text, the block that it is in. */
const findBlock = (id: Y.ID, source: Y.Doc, merged: Y.Doc): LostBlock | null => {
  const isGone = ({ client, clock }: Y.ID) =>
    clock < Y.getState(merged.store, client) && Y.getItem(merged.store, Y.createID(client, clock)).deleted
  const around: Y.Item[] = []
  let item: Y.Item | null = itemOf(source, id)
  while (item !== null) {
    around.unshift(item)
    item = (item.parent as Y.AbstractType<unknown>)._item
  }
  const index = around.findIndex(({ id }) => isGone(id))
  const found = around[index]
  if (!(found?.content instanceof Y.ContentType)) return null
  const { type } = found.content
  if (type instanceof Y.XmlElement) return { id: found.id, source: type, isBehind: false }
  const parent = around[index - 1]
  if (parent?.content instanceof Y.ContentType && parent.content.type instanceof Y.XmlElement) {
    return { id: parent.id, source: parent.content.type, isBehind: true }
  }
  return type instanceof Y.XmlText ? { id: found.id, source: type, isBehind: false } : null
}

const itemOf = (ydoc: Y.Doc, id: Y.ID): Y.Item | null => {
  const struct: Y.Item | Y.GC = Y.getItem(ydoc.store, id)
  return struct instanceof Y.Item ? struct : null
}

const insertAt = (merged: Y.Doc, { id, isBehind, source }: LostBlock): void => {
  const item = itemOf(merged, id)
  const copy = source.clone() as Y.XmlElement | Y.XmlText
  if (item === null) {
    fragmentOf(merged).push([copy])
    return
  }
  let index = isBehind ? 1 : 0
  for (let { left } = item; left !== null; left = left.left) if (!left.deleted && left.countable) index += left.length
  ;(item.parent as Y.XmlFragment).insert(index, [copy])
}
