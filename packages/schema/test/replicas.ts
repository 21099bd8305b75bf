import type { Node } from '@tiptap/pm/model'
import { expect } from 'vitest'
import * as Y from 'yjs'
import { readNode } from '../src/findUnknown.ts'
import { toHTML } from '../src/html.ts'
import { replaceDocument } from '../src/replaceDocument.ts'
import { FRAGMENT_NAME, schema } from '../src/schema.ts'

// Documents written down shortly, and replicas that hold them.

export const text = (content: string, ...marks: string[]) =>
  schema.text(
    content,
    marks.map(name => schema.mark(name)),
  )
export const p = (...content: (string | ReturnType<typeof text>)[]) =>
  schema.node(
    'paragraph',
    null,
    content.map(part => (typeof part === 'string' ? text(part) : part)),
  )
export const h = (content: string, level = 1) => schema.node('heading', { level }, text(content))
export const br = () => schema.node('hardBreak')
export const doc = (...blocks: ReturnType<typeof p>[]) => schema.node('doc', null, blocks)

export const open = (...blocks: ReturnType<typeof p>[]) => {
  const fragment = new Y.Doc().getXmlFragment(FRAGMENT_NAME)
  if (blocks.length > 0) replaceDocument(fragment, doc(...blocks))
  return fragment
}

export const docOf = (fragment: Y.XmlFragment) => fragment.doc as Y.Doc
export const htmlOf = (fragment: Y.XmlFragment) => toHTML(readNode(fragment))

export const updatesDuring = (fragment: Y.XmlFragment, change: () => void) => {
  const updates: Uint8Array[] = []
  const listen = (update: Uint8Array) => updates.push(update)
  docOf(fragment).on('update', listen)
  change()
  docOf(fragment).off('update', listen)
  return updates
}

/** A second replica of the same document. */
export const copy = (fragment: Y.XmlFragment) => {
  const other = new Y.Doc()
  Y.applyUpdate(other, Y.encodeStateAsUpdate(docOf(fragment)))
  return other.getXmlFragment(FRAGMENT_NAME)
}

const withoutBreakMarks = (node: Node): unknown =>
  JSON.parse(
    JSON.stringify(node, (_key, value) =>
      value?.marks && value.type !== 'text' ? { ...value, marks: undefined } : value,
    ),
  )

/** Equal but for marks of line breaks, for which the shared document has no place. */
export const expectEqual = (actual: Node, wanted: Node) =>
  expect(withoutBreakMarks(actual)).toEqual(withoutBreakMarks(wanted))

export const exchange = (a: Y.XmlFragment, b: Y.XmlFragment) => {
  Y.applyUpdate(docOf(a), Y.encodeStateAsUpdate(docOf(b)))
  Y.applyUpdate(docOf(b), Y.encodeStateAsUpdate(docOf(a)))
  expect(a.toString()).toBe(b.toString())
}

export const childOf = (parent: Y.XmlFragment, ...path: number[]) =>
  path.reduce<unknown>((inner, index) => (inner as Y.XmlFragment).get(index), parent) as Y.XmlElement & Y.XmlText
