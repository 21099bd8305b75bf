import type { Mark, Node } from '@tiptap/pm/model'
import * as Y from 'yjs'
import { EditError } from './EditError.ts'
import { checkNode } from './json.ts'
import { clipKept, diffAround, type KeptRange, pairKept } from './keptRanges.ts'
import { markNameOf, type ReadFragment, readFragment } from './readFragment.ts'
import { schema } from './schema.ts'
import { align, commonSubsequence, countWords, type Pair, similarity } from './sequence.ts'
import { transactOn } from './transactOn.ts'
import { wellFormed, wellFormedAttributes } from './wellFormed.ts'

/** A child as Yjs keeps it: an element, or neighbouring text nodes as one text. */
export type Child = Node | readonly Node[]

type Attributes = Record<string, unknown>

const isText = (child: Child): child is readonly Node[] => Array.isArray(child)

/** The children of `node` as Yjs keeps them. */
const childrenOf = (node: Node): Child[] => {
  const children: Child[] = []
  let text: Node[] = []
  node.forEach(child => {
    if (!child.isText) {
      text = []
      children.push(child)
      return
    }
    if (text.length === 0) children.push(text)
    text.push(child)
  })
  return children
}

const attributesOf = (marks: readonly Mark[]): Attributes =>
  Object.fromEntries(marks.map(mark => [mark.type.name, wellFormedAttributes(mark.attrs)]))

/**
 * Equal keys: equal content. Marks of inline elements (a bold line break) don't count: the shared document has no place
 * for them.
 */
const keyOf = (child: Child): string =>
  JSON.stringify(isText(child) ? child : [child], (_key, value) =>
    value?.marks && value.type !== 'text' ? { ...value, marks: undefined } : value,
  )

const plain = (child: Child): string =>
  isText(child) ? child.map(node => node.text).join('') : child.textBetween(0, child.content.size, ' ')

const textOfDelta = (text: Y.XmlText): string =>
  (text.toDelta() as { insert: unknown }[]).map(({ insert }) => (typeof insert === 'string' ? insert : '')).join('')

/** A new Yjs type that holds `child`, as y-tiptap would write it. */
export const createType = (child: Child): Y.XmlElement | Y.XmlText => {
  if (isText(child)) {
    const text = new Y.XmlText()
    text.applyDelta(child.map(node => ({ insert: wellFormed(node.text ?? ''), attributes: attributesOf(node.marks) })))
    return text
  }
  const element = new Y.XmlElement(child.type.name)
  for (const [name, value] of Object.entries(wellFormedAttributes(child.attrs))) {
    if (value !== null && value !== undefined) element.setAttribute(name, value)
  }
  element.insert(0, childrenOf(child).map(createType))
  return element
}

/** What has to be formatted so that text with `before` carries `marks`; null if nothing. */
const formatChange = (before: Attributes, marks: readonly Mark[]): Attributes | null => {
  const change: Attributes = {}
  for (const key of Object.keys(before)) {
    // What the schema doesn't know is not this change's business: it goes with its text alone.
    const isKnown = schema.marks[markNameOf(key)] !== undefined
    if (isKnown && !marks.some(mark => mark.type.name === key)) change[key] = null
  }
  for (const mark of marks) {
    const value = before[mark.type.name]
    const isSame = value !== undefined && mark.eq(mark.type.create(Object(value)))
    if (!isSame) change[mark.type.name] = wellFormedAttributes(mark.attrs)
  }
  return Object.keys(change).length > 0 ? change : null
}

/**
 * Turns the content of `text` into `wanted`: what was kept and words that stay keep their identity, and so the carets and
 * edits in them.
 */
const updateText = (text: Y.XmlText, wanted: readonly Node[], kept: readonly KeptRange[]): void => {
  const before = text.toDelta() as { insert: string; attributes?: Attributes }[]
  const delta: { retain?: number; insert?: string; delete?: number; attributes?: Attributes }[] = []
  let run = 0
  let runOffset = 0
  let node = 0
  let nodeOffset = 0
  /** Moves on in the old text and calls `each` per stretch of equal attributes. */
  const walkOld = (length: number, each: (attributes: Attributes, length: number) => void) => {
    for (let left = length; left > 0; ) {
      const { insert, attributes = {} } = before[run] as { insert: string; attributes?: Attributes }
      const taken = Math.min(left, insert.length - runOffset)
      each(attributes, taken)
      left -= taken
      runOffset += taken
      if (runOffset === insert.length) {
        run++
        runOffset = 0
      }
    }
  }
  /** The same in the wanted text. */
  const walkNew = (length: number, each: (marks: readonly Mark[], text: string) => void) => {
    for (let left = length; left > 0; ) {
      const { text = '', marks } = wanted[node] as Node
      const taken = text.slice(nodeOffset, nodeOffset + left)
      each(marks, taken)
      left -= taken.length
      nodeOffset += taken.length
      if (nodeOffset === text.length) {
        node++
        nodeOffset = 0
      }
    }
  }
  const keep = (length: number) =>
    walkOld(length, (attributes, oldLength) =>
      walkNew(oldLength, (marks, { length: retain }) => {
        const change = formatChange(attributes, marks)
        delta.push(change ? { retain, attributes: change } : { retain })
      }),
    )

  const oldText = before.map(({ insert }) => insert).join('')
  let done = 0
  for (const { index, remove, insert } of diffAround(kept, oldText, wanted.map(({ text }) => text).join(''))) {
    keep(index - done)
    walkNew(insert.length, (marks, piece) => delta.push({ insert: wellFormed(piece), attributes: attributesOf(marks) }))
    if (remove > 0) delta.push({ delete: remove })
    walkOld(remove, () => {})
    done = index + remove
  }
  keep(oldText.length - done)
  text.applyDelta(delta)
}

const updateAttributes = (element: Y.XmlElement, wanted: Node): void => {
  const defaults = wanted.type.create().attrs
  const given = element.getAttributes() as Attributes
  for (const [name, value] of Object.entries(wellFormedAttributes(wanted.attrs))) {
    const current = given[name] === undefined ? defaults[name] : given[name]
    if (JSON.stringify(current) === JSON.stringify(value)) continue
    if (value === null || value === undefined) element.removeAttribute(name)
    else element.setAttribute(name, value)
  }
}

type Nodes = ReadFragment['nodes']

/** Turns a child into `wanted`, which is of the same kind. */
export const updateChild = (child: unknown, wanted: Child, nodes: Nodes, kept: readonly KeptRange[] = []): void => {
  if (child instanceof Y.XmlText && isText(wanted)) updateText(child, wanted, kept)
  else if (child instanceof Y.XmlElement && !isText(wanted)) {
    updateAttributes(child, wanted)
    // Without the tokens that open and close both.
    updateChildren(child, childrenOf(wanted), nodes, clipKept(kept, [1, Infinity], [1, Infinity]))
  }
}

/** What pairing needs to know of a child. */
export interface Pairable {
  /** Equal keys: equal content. */
  readonly key: string
  /** Only children of the same kind are made into each other. */
  readonly kind: string
  readonly words: () => Map<string, number>
}

export const pairable = (child: Child): Pairable => ({
  key: keyOf(child),
  kind: isText(child) ? '#text' : child.type.name,
  words: () => countWords(plain(child)),
})

/**
 * Pairs children that are with those that are wanted: equal ones first, then, between these, alike ones of the same
 * kind. As many as possible are kept: who writes in a block at this moment must not lose it under the caret.
 */
export const pairChildren = (
  children: readonly Pairable[],
  wanted: readonly Pairable[],
): { pair: Pair; isEqual: boolean }[] => {
  const pairs: { pair: Pair; isEqual: boolean }[] = []
  let y = 0
  let p = 0
  for (const [yEqual, pEqual] of [
    ...commonSubsequence(
      children.map(({ key }) => key),
      wanted.map(({ key }) => key),
    ),
    [children.length, wanted.length] as Pair,
  ]) {
    const from = y
    const to = p
    const words = children.slice(from, yEqual).map(child => child.words())
    const wantedWords = wanted.slice(to, pEqual).map(child => child.words())
    const alike = align(words.length, wantedWords.length, (a, b) =>
      children[from + a]?.kind === wanted[to + b]?.kind
        ? 1 + 4 * similarity(words[a] ?? new Map(), wantedWords[b] ?? new Map())
        : 0,
    )
    for (const [a, b] of alike) pairs.push({ pair: [from + a, to + b], isEqual: false })
    if (yEqual < children.length && pEqual < wanted.length) pairs.push({ pair: [yEqual, pEqual], isEqual: true })
    y = yEqual + 1
    p = pEqual + 1
  }
  return pairs
}

const pairableType = (child: unknown, index: number, nodes: Nodes): Pairable => {
  const node = nodes.get(child as Y.XmlElement)
  const isText = child instanceof Y.XmlText
  return {
    key: node ? keyOf(node) : `not exact: ${index}`,
    kind: isText ? '#text' : child instanceof Y.XmlElement ? child.nodeName : '#other',
    words: () => countWords(node ? plain(node) : isText ? textOfDelta(child) : String(child)),
  }
}

const pairAlike = (children: readonly unknown[], wanted: readonly Child[], nodes: Nodes): ChildPair[] =>
  pairChildren(
    children.map((child, index) => pairableType(child, index, nodes)),
    wanted.map(pairable),
  ).map(pair => ({ ...pair, kept: [] }))

const isSameKind = (child: unknown, wanted: Child | undefined): boolean =>
  wanted !== undefined && isText(wanted)
    ? child instanceof Y.XmlText
    : child instanceof Y.XmlElement && child.nodeName === wanted?.type.name

/** Size in ProseMirror's tokens. */
const sizeOf = (child: Child): number =>
  isText(child) ? child.reduce((size, { nodeSize }) => size + nodeSize, 0) : child.nodeSize

/** Where each of several siblings ends, counted from the start of the first. */
const endsOf = (siblings: readonly Child[]): number[] => {
  let end = 0
  return siblings.map(child => {
    end += sizeOf(child)
    return end
  })
}

interface ChildPair {
  pair: Pair
  isEqual: boolean
  kept: readonly KeptRange[]
}

/**
 * Pairs the children that are with those that are wanted: first those of which something was kept; then, between these,
 * equal ones, then alike ones of the same kind. As many as possible stay: who writes in a block at this moment must not lose
 * it under the caret.
 */
const pairAroundKept = (
  children: readonly unknown[],
  wanted: readonly Child[],
  nodes: Nodes,
  kept: readonly KeptRange[],
): ChildPair[] => {
  if (kept.length === 0) return pairAlike(children, wanted, nodes)
  // Something is kept only where all is exact.
  const ends = endsOf(children.map(child => nodes.get(child as Y.XmlElement) ?? []))
  const newEnds = endsOf(wanted)
  const pairs: ChildPair[] = []
  let y = 0
  let p = 0
  const pairBetween = (yEnd: number, pEnd: number) => {
    for (const { pair, ...rest } of pairAlike(children.slice(y, yEnd), wanted.slice(p, pEnd), nodes)) {
      pairs.push({ pair: [y + pair[0], p + pair[1]], ...rest })
    }
  }
  for (const pair of pairKept(kept, ends, newEnds, (a, b) => isSameKind(children[a], wanted[b]))) {
    const [a, b] = pair
    pairBetween(a, b)
    // ProseMirror makes no new node of what a step doesn't touch.
    const isEqual = nodes.get(children[a] as Y.XmlElement) === wanted[b]
    const range: readonly [number, number] = [ends[a - 1] ?? 0, ends[a] ?? 0]
    const newRange: readonly [number, number] = [newEnds[b - 1] ?? 0, newEnds[b] ?? 0]
    pairs.push({ pair, isEqual, kept: isEqual ? [] : clipKept(kept, range, newRange) })
    y = a + 1
    p = b + 1
  }
  pairBetween(children.length, wanted.length)
  return pairs
}

const updateChildren = (
  parent: Y.XmlFragment,
  wanted: readonly Child[],
  nodes: Nodes,
  kept: readonly KeptRange[],
): void => {
  const children: unknown[] = parent.toArray()
  const [only] = children
  if (wanted.length === 0 && children.length === 1 && only instanceof Y.XmlText) {
    // Keeps the text itself, so that what others type into it at this moment stays.
    if (only.length > 0) only.delete(0, only.length)
    return
  }
  let yEnd = children.length
  let pEnd = wanted.length
  // From the end, so that indexes before the change stay right.
  const start: ChildPair = { pair: [-1, -1], isEqual: true, kept: [] }
  for (const { pair, isEqual, kept: keptInside } of [
    start,
    ...pairAroundKept(children, wanted, nodes, kept),
  ].reverse()) {
    const [y, p] = pair
    if (yEnd - y > 1) parent.delete(y + 1, yEnd - y - 1)
    if (pEnd - p > 1) parent.insert(y + 1, wanted.slice(p + 1, pEnd).map(createType))
    if (!isEqual) updateChild(children[y], wanted[p] as Child, nodes, keptInside)
    yEnd = y
    pEnd = p
  }
}

/** The content of a fragment that can be rewritten without deleting what this version doesn't know. */
export const readKnown = (fragment: Y.XmlFragment): ReadFragment => {
  const read = readFragment(fragment)
  const lost = read.unknown.filter(({ kind }) => kind !== 'attribute' && kind !== 'content')
  if (lost.length > 0) {
    const names = [...new Set(lost.map(({ kind, name }) => `${kind} ${name}`))].join(', ')
    throw new EditError('UNKNOWN_CONTENT', `the document holds what this version would delete: ${names}`)
  }
  return read
}

/**
 * Turns the shared document into `node`, in one transaction.
 * @param node a whole valid document.
 * @param read what the shared document holds.
 * @param kept what of `read.node` stays in `node`, where that is known. Its content keeps its identity as far as its element
 *   or text does: what gets another parent, or a parent of another kind, is written anew.
 * @returns whether anything was written.
 */
export const writeDocument = (
  fragment: Y.XmlFragment,
  node: Node,
  read: ReadFragment,
  kept: readonly KeptRange[],
  origin: unknown,
): boolean => {
  // An empty fragment is read as one empty paragraph: that is no difference.
  if (fragment.length === 0 && keyOf(read.node) === keyOf(node)) return false
  // Positions are those of the shared document only where nothing was added, left out or moved in reading it.
  const exact = fragment.toArray().map((child: unknown) => read.nodes.get(child as Y.XmlElement))
  const isExact =
    read.unknown.length === 0 &&
    !exact.includes(undefined) &&
    (endsOf(exact as Child[]).at(-1) ?? 0) === read.node.content.size
  return transactOn(fragment, origin, () => updateChildren(fragment, childrenOf(node), read.nodes, isExact ? kept : []))
}

/**
 * Turns the shared document into `node` with the least change: blocks that are equal stay, blocks that are alike are
 * changed inside, word by word. So others' carets stay, and what they write at the same time survives. One transaction;
 * if nothing differs, no update. Attributes that the schema doesn't know stay on the elements that stay.
 * @param node a whole document (`doc`).
 * @param origin of the Yjs transaction; one's own undo manager tracks it.
 * @throws {EditError} `UNKNOWN_CONTENT`.
 * @throws {RangeError} `node` is not a valid document.
 */
export const replaceDocument = (fragment: Y.XmlFragment, node: Node, origin: unknown = null): void => {
  if (node.type !== schema.topNodeType) throw new RangeError(`expected a whole document, got ${node.type.name}`)
  checkNode(node)
  writeDocument(fragment, node, readKnown(fragment), [], origin)
}

/**
 * Puts content that stands where the schema doesn't allow it (`findUnknown`'s `content`, and `attribute` with an invalid
 * value) into a valid form, keeping its text, before an editor bound by y-tiptap would delete it. Best done by one client:
 * what is missing and filled in by several is there several times.
 * @returns whether anything was changed.
 * @throws {EditError} `UNKNOWN_CONTENT`.
 */
export const repair = (fragment: Y.XmlFragment, origin: unknown = null): boolean => {
  const read = readKnown(fragment)
  if (read.unknown.length === 0) return false
  checkNode(read.node)
  return writeDocument(fragment, read.node, read, [], origin)
}
