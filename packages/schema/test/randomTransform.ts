import type { Node } from '@tiptap/pm/model'
import { canJoin, canSplit, findWrapping, liftTarget, type Transform } from '@tiptap/pm/transform'
import fc from 'fast-check'
import type * as Y from 'yjs'
import { schema } from '../src/schema.ts'
import { transformDocument } from '../src/transformDocument.ts'
import { arbitraryBlock } from './arbitraryDocument.ts'

export interface Operation {
  readonly kind: number
  readonly a: number
  readonly b: number
  readonly block: Node
}

export type Change = (tr: Transform, operation: Operation) => void

/** A place in a block of text, and how much text follows it there, up to a line break. */
const placeOf = (document: Node, number: number): { at: number; left: number } => {
  const places: { at: number; left: number }[] = []
  document.descendants((node, position) => {
    if (!node.isTextblock) return true
    const text = node.textBetween(0, node.content.size, null, '\n')
    for (let offset = 0; offset <= text.length; offset++) {
      if (/[\udc00-\udfff]/.test(text.charAt(offset))) continue
      places.push({ at: position + 1 + offset, left: text.slice(offset).search(/\n|$/) })
    }
    return false
  })
  return places[number % places.length] ?? { at: 0, left: 0 }
}

const rangeOf = (document: Node, { a, b }: Operation): { from: number; to: number } => {
  const size = document.content.size + 1
  const [from, to] = [a % size, b % size]
  return from < to ? { from, to } : { from: to, to: from }
}

const topBlock = (document: Node, number: number): { at: number; node: Node } => {
  const index = number % document.childCount
  const before = document.children.slice(0, index)
  return { at: before.reduce((size, { nodeSize }) => size + nodeSize, 0), node: document.child(index) }
}

/** Changes that leave what they don't touch where it is. */
export const gentle: Change[] = [
  (tr, { a }) => tr.insert(placeOf(tr.doc, a).at, schema.text('new')),
  (tr, { a, b }) => {
    const { at, left } = placeOf(tr.doc, a)
    tr.delete(at, at + Math.min(left, b % 8))
  },
  (tr, { a, b }) => {
    const { at, left } = placeOf(tr.doc, a)
    tr.replaceWith(at, at + Math.min(left, b % 8), schema.text('word'))
  },
  (tr, operation) => {
    const { from, to } = rangeOf(tr.doc, operation)
    tr.addMark(from, to, schema.mark('bold'))
  },
  (tr, operation) => {
    const { from, to } = rangeOf(tr.doc, operation)
    tr.removeMark(from, to)
  },
  (tr, { a, block }) => tr.insert(topBlock(tr.doc, a).at, block),
  (tr, { a }) => {
    const { at, node } = topBlock(tr.doc, a)
    if (tr.doc.childCount > 1) tr.delete(at, at + node.nodeSize)
  },
  (tr, { a, b }) => {
    const { at, node } = topBlock(tr.doc, a)
    if (node.type.name === 'heading') tr.setNodeMarkup(at, null, { level: 1 + (b % 6) })
  },
]

/** Changes that give blocks other parents, other kinds, or cut through them. */
export const rough: Change[] = [
  (tr, { a }) => {
    const { at } = placeOf(tr.doc, a)
    if (canSplit(tr.doc, at)) tr.split(at)
  },
  (tr, operation) => {
    const { from } = rangeOf(tr.doc, operation)
    if (canJoin(tr.doc, from)) tr.join(from)
  },
  (tr, operation) => {
    const { from, to } = rangeOf(tr.doc, operation)
    const heading = schema.nodes.heading
    if (heading) tr.setBlockType(from, to, heading, { level: 2 })
  },
  (tr, operation) => {
    const { from, to } = rangeOf(tr.doc, operation)
    const range = tr.doc.resolve(from).blockRange(tr.doc.resolve(to))
    const wrapping = range && schema.nodes.blockquote && findWrapping(range, schema.nodes.blockquote)
    if (range && wrapping) tr.wrap(range, wrapping)
  },
  (tr, { a }) => {
    const $at = tr.doc.resolve(placeOf(tr.doc, a).at)
    const range = $at.blockRange()
    const target = range && liftTarget(range)
    if (range && target !== null && target !== undefined) tr.lift(range, target)
  },
  (tr, operation) => {
    const { from, to } = rangeOf(tr.doc, operation)
    tr.deleteRange(from, to)
  },
  (tr, { block, a }) => {
    const { at, node } = topBlock(tr.doc, a)
    tr.replaceWith(at, at + node.nodeSize, [block, node])
  },
]

export const operations = fc.array(fc.record({ kind: fc.nat(), a: fc.nat(), b: fc.nat(), block: arbitraryBlock }), {
  minLength: 1,
  maxLength: 6,
})

/** Does what can be done. @returns the transform @throws where the result is not valid */
export const transformBy = (
  fragment: Y.XmlFragment,
  changes: readonly Change[],
  list: readonly Operation[],
): Transform => {
  const made: Transform[] = []
  transformDocument(fragment, tr => {
    made.push(tr)
    for (const operation of list) {
      try {
        changes[operation.kind % changes.length]?.(tr, operation)
      } catch {
        // ProseMirror refuses steps that don't fit.
      }
    }
    tr.doc.check()
  })
  return made[0] as Transform
}

/** Of a result that is not valid, or has a character in halves. */
export const isRefusal = (error: unknown) =>
  error instanceof RangeError && /Invalid content|Invalid collection|into halves/.test(error.message)
