import type { Node } from '@tiptap/pm/model'
import type * as Y from 'yjs'
import { fromMarkdown } from './fromMarkdown.ts'
import { keepUnsayable } from './keepUnsayable.ts'
import { type ReadBlock, readBlocks, readFragment } from './readFragment.ts'
import { createType, pairable, pairChildren, updateChild } from './replaceDocument.ts'
import { schema } from './schema.ts'
import { commonSubsequence } from './sequence.ts'
import { toMarkdown } from './toMarkdown.ts'
import { transactOn } from './transactOn.ts'

/** What is done at one place of the fragment. */
interface Step {
  /** What the child becomes; null: it is deleted; undefined: it stays as it is. */
  becomes?: Node | null
  /** New blocks behind it. */
  behind: Node[]
}

const keysOf = (nodes: readonly Node[]): string[] => nodes.map(node => pairable(node).key)

/** What Markdown says of each child: blocks, each with the index of its child. */
const sayBlocks = (blocks: readonly ReadBlock[]): { said: Node; owner: number }[] =>
  blocks.flatMap(({ nodes }, owner) =>
    nodes.length === 0
      ? []
      : fromMarkdown(toMarkdown(schema.node('doc', null, nodes))).children.map(said => ({ said, owner })),
  )

/**
 * Makes on a shared document the change that somebody made to its Markdown, and nothing else: what Markdown can't say, and
 * what this version doesn't know, stays where the change is not. One transaction; no update if nothing differs.
 * @param before the Markdown that the document was written as, read; may be formatted in another way
 * @param after what became of it: whole documents, both
 * @param origin of the Yjs transaction
 * @returns how many blocks could not be changed as wanted, since they hold what this version doesn't know: such a block
 *   stays as it was, and what it should be stands behind it.
 */
export const applyChange = (fragment: Y.XmlFragment, before: Node, after: Node, origin: unknown = null): number => {
  if (before.eq(after)) return 0
  const blocks = readBlocks(fragment)
  const sayings = sayBlocks(blocks)
  /** By the index of a block of `before`: what it says in the document. */
  const origins = new Map<number, { said: Node; owner: number }>()
  const saidKeys = keysOf(sayings.map(({ said }) => said))
  for (const [from, to] of commonSubsequence(saidKeys, keysOf(before.children))) {
    const saying = sayings[from]
    if (saying) origins.set(to, saying)
  }
  const pairs = pairChildren(before.children.map(pairable), after.children.map(pairable))
  const { steps, stuckCount } = plan(blocks, origins, before, after, pairs)
  const { nodes } = readFragment(fragment)
  transactOn(fragment, origin, () => {
    // From the end, so that indexes before the change stay right. The first step stands before all children.
    for (const [index, { becomes, behind }] of [...steps.entries()].reverse()) {
      if (behind.length > 0) fragment.insert(index, behind.map(createType))
      if (becomes === null) fragment.delete(index - 1, 1)
      else if (becomes !== undefined) updateChild(fragment.get(index - 1), becomes, nodes)
    }
  })
  return stuckCount
}

/** Whether Markdown says `wanted`, which was read from it, of a block. */
const says = (kept: Node, wanted: Node): boolean =>
  kept === wanted || fromMarkdown(toMarkdown(schema.node('doc', null, [kept]))).firstChild?.eq(wanted) === true

const plan = (
  blocks: readonly ReadBlock[],
  origins: ReadonlyMap<number, { said: Node; owner: number }>,
  before: Node,
  after: Node,
  pairs: ReturnType<typeof pairChildren>,
): { steps: Step[]; stuckCount: number } => {
  const steps: Step[] = [{ behind: [] }, ...blocks.map(() => ({ behind: [] }))]
  const partners = new Map(pairs.map(({ pair: [from, to], isEqual }) => [to, { from, isEqual }]))
  const stuck = new Set<number>()
  let place = 0
  after.forEach((wanted, _offset, index) => {
    const partner = partners.get(index)
    const origin = partner && origins.get(partner.from)
    if (partner && origin) {
      place = Math.max(place, origin.owner + 1)
      if (partner.isEqual) return
      const block = blocks[origin.owner]
      const [exact] = block?.nodes ?? []
      const step = steps[origin.owner + 1]
      if (block?.isWhole && exact && step) {
        const kept = keepUnsayable(exact, origin.said, wanted)
        // What could not be said may be sayable in its new surroundings: bold on a blank between bold words.
        step.becomes = says(kept, wanted) ? kept : wanted
        return
      }
      stuck.add(origin.owner)
    }
    steps[place]?.behind.push(wanted)
  })
  const kept = new Set(pairs.map(({ pair: [from] }) => from))
  before.forEach((_node, _offset, index) => {
    const origin = kept.has(index) ? undefined : origins.get(index)
    if (origin === undefined) return
    const step = steps[origin.owner + 1]
    if (step && blocks[origin.owner]?.isWhole) step.becomes = null
    else stuck.add(origin.owner)
  })
  return { steps, stuckCount: stuck.size }
}

const CONTAINERS = new Set(['bulletList', 'orderedList', 'taskList', 'blockquote'])
const ITEMS = new Set(['listItem', 'taskItem'])

const uniteChildren = (first: Node, second: Node): Node[] => {
  const united: Node[] = []
  let [a, b] = [0, 0]
  const pairs = pairChildren(first.children.map(pairable), second.children.map(pairable))
  for (const { pair, isEqual } of [...pairs, { pair: [first.childCount, second.childCount] as const, isEqual: true }]) {
    united.push(...first.children.slice(a, pair[0]), ...second.children.slice(b, pair[1]))
    const [one, other] = [first.maybeChild(pair[0]), second.maybeChild(pair[1])]
    if (one && other) united.push(...(isEqual ? [one] : uniteAlike(one, other)))
    a = pair[0] + 1
    b = pair[1] + 1
  }
  return united
}

const uniteAlike = (one: Node, other: Node): Node[] => {
  const isSameItem = ITEMS.has(one.type.name) && one.firstChild?.eq(other.firstChild as Node) === true
  if (!CONTAINERS.has(one.type.name) && !isSameItem) return [one, other]
  return [one.type.create(one.attrs, uniteChildren(one, other))]
}

/** All that two documents say, what both say once: for two sides of which nobody knows what they had in common. */
export const unite = (first: Node, second: Node): Node => {
  const empty = schema.node('doc', null, [schema.node('paragraph')])
  if (first.eq(empty)) return second
  return second.eq(empty) ? first : first.type.create(null, uniteChildren(first, second))
}
