import type { Editor } from '@tiptap/core'
import type { Node } from '@tiptap/pm/model'

/** Longest text that is taken for a title from a document without headings. */
const maxLineLength = 80

/**
 * What a document is called: the text of its first heading; without one, its first line. Empty: it has no text yet.
 * The title is content, so that everybody, every export and every program has the same.
 */
export function titleOf(doc: Node): string {
  const heading = firstHeading(doc)
  if (heading !== null) return oneLine(heading.node.textContent)
  let line = ''
  doc.descendants(node => {
    if (line !== '') return false
    if (node.isTextblock) line = oneLine(node.textContent)
    return !node.isTextblock
  })
  const short = [...line]
  return short.length <= maxLineLength
    ? line
    : `${short
        .slice(0, maxLineLength - 1)
        .join('')
        .trimEnd()}…`
}

/** Gives the document a title: changes its first heading, or puts one at the beginning. */
export function setTitle(editor: Editor, title: string): void {
  const text = oneLine(title)
  const { doc, schema } = editor.state
  const heading = firstHeading(doc)
  if (heading !== null) {
    const current = heading.node.textContent
    if (text === '' || text === oneLine(current)) return
    // Only what differs is replaced: marks, others' carets and what they write at the same time stay.
    let start = 0
    while (start < current.length && start < text.length && current[start] === text[start]) start++
    let end = 0
    while (end < Math.min(current.length, text.length) - start && current.at(-1 - end) === text.at(-1 - end)) end++
    const inside = heading.position + 1
    const isPlain = heading.node.content.size === current.length
    const [from, to] = isPlain ? [start, current.length - end] : [0, heading.node.content.size]
    const inserted = isPlain ? text.slice(start, text.length - end) : text
    editor.view.dispatch(editor.state.tr.insertText(inserted, inside + from, inside + to))
    return
  }
  const type = schema.nodes.heading
  if (text === '' || type === undefined) return
  const node = type.create({ level: 1 }, schema.text(text))
  const first = doc.firstChild
  const isEmptyStart = first?.type.name === 'paragraph' && first.content.size === 0
  if (isEmptyStart && doc.childCount > 1) editor.view.dispatch(editor.state.tr.replaceWith(0, first.nodeSize, node))
  else editor.view.dispatch(editor.state.tr.insert(0, node))
}

function firstHeading(doc: Node): { node: Node; position: number } | null {
  let found: { node: Node; position: number } | null = null
  doc.forEach((node, position) => {
    if (found === null && node.type.name === 'heading' && node.textContent.trim() !== '') found = { node, position }
  })
  return found
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
