import { Fragment, type Node } from '@tiptap/pm/model'
import { Transform } from '@tiptap/pm/transform'
import * as Y from 'yjs'
import { EditError } from './EditError.ts'
import { checkNode } from './json.ts'
import { createType, readKnown, replaceDocument } from './replaceDocument.ts'
import { schema } from './schema.ts'
import { diffText } from './sequence.ts'
import { type Line, type Piece, readLines, textOf } from './textOf.ts'
import { transactOn } from './transactOn.ts'
import { wellFormed } from './wellFormed.ts'

/** Blocks to insert: one, several, or the content of a whole document. */
export type Blocks = Node | readonly Node[]

const blocksOf = (content: Blocks): Node[] => {
  const given: readonly Node[] = 'type' in content ? [content] : content
  const blocks = given.flatMap(node => (node.type === schema.topNodeType ? node.children : [node]))
  for (const block of blocks) {
    if (!schema.topNodeType.contentMatch.matchType(block.type)) {
      throw new RangeError(`${block.type.name} can't stand at the top level of a document`)
    }
    checkNode(block)
  }
  return [...blocks]
}

const insertAt = (fragment: Y.XmlFragment, index: number, content: Blocks, origin: unknown): number => {
  const blocks = blocksOf(content)
  if (blocks.length > 0) transactOn(fragment, origin, () => fragment.insert(index, blocks.map(createType)))
  return index
}

/**
 * Adds blocks at the end of the shared document. Touches nothing else.
 * @returns the index of the first of them among the document's blocks.
 * @throws {RangeError} a block is not valid.
 */
export const append = (fragment: Y.XmlFragment, content: Blocks, origin: unknown = null): number =>
  insertAt(fragment, fragment.length, content, origin)

const normalize = (text: string) => text.replace(/\s+/g, ' ').trim()

/**
 * Adds blocks directly below a heading, before what its section already holds. Touches nothing else.
 * @param headingText text of a heading at the document's top level, blanks at the ends and their number not counted; of
 *   several the first.
 * @returns the index of the first of them among the document's blocks.
 * @throws {EditError} `HEADING_NOT_FOUND`.
 * @throws {RangeError} a block is not valid.
 */
export const insertAfterHeading = (
  fragment: Y.XmlFragment,
  headingText: string,
  content: Blocks,
  origin: unknown = null,
): number => {
  const texts = new Map(
    readLines(fragment).map(({ element, pieces }) => [element, normalize(pieces.map(({ string }) => string).join(''))]),
  )
  const headings = fragment
    .toArray()
    .map((child: unknown) =>
      child instanceof Y.XmlElement && child.nodeName === 'heading' ? (texts.get(child) ?? '') : null,
    )
  const index = headings.indexOf(normalize(headingText))
  if (index < 0) {
    const known = headings.filter(heading => heading !== null)
    const shown =
      known.length > 0
        ? `its headings are ${known
            .slice(0, 20)
            .map(text => JSON.stringify(text))
            .join(', ')}`
        : 'it has none'
    throw new EditError('HEADING_NOT_FOUND', `the document has no heading ${JSON.stringify(headingText)}; ${shown}`)
  }
  return insertAt(fragment, index + 1, content, origin)
}

/** A range of `textOf`, in UTF-16 units. */
export interface TextRange {
  from: number
  to: number
}

const findRange = (fragment: Y.XmlFragment, lines: readonly Line[], target: string | TextRange): TextRange => {
  const length = lines.at(-1)?.to ?? 0
  if (typeof target !== 'string') {
    const { from, to } = target
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to < from || to > length) {
      throw new RangeError(`range ${from} to ${to} is not within the text of ${length} characters`)
    }
    return { from, to }
  }
  if (target === '') throw new RangeError('the text to replace is empty')
  const text = textOf(fragment)
  for (const line of lines) {
    const at = text.slice(line.from, line.to).indexOf(target)
    if (at >= 0) return { from: line.from + at, to: line.from + at + target.length }
  }
  throw new EditError('TEXT_NOT_FOUND', `no block of the document contains ${JSON.stringify(target.slice(0, 100))}`)
}

/** The pieces that a range covers, if they are neighbours in one text; of an empty range, the piece that it stands in or after. */
const findPieces = ({ pieces }: Line, { from, to }: TextRange): Piece[] | null => {
  const isWithin = (piece: Piece) =>
    from === to
      ? piece.from <= from && from <= piece.from + piece.string.length
      : piece.from < to && from < piece.from + piece.string.length
  const covered = pieces.filter(isWithin)
  if (from === to) {
    const first = covered.find(({ text }) => text)
    return first ? [first] : null
  }
  const [first] = covered
  let end = first?.offset
  for (const { text, offset, string } of covered) {
    if (!text || text !== first?.text || offset !== end) return null
    end = offset + string.length
  }
  return covered
}

const replaceInPieces = (pieces: readonly Piece[], { from, to }: TextRange, replacement: string): void => {
  const first = pieces[0] as Piece
  const text = first.text as Y.XmlText
  const start = first.offset + from - first.from
  const before = pieces
    .map(({ string }) => string)
    .join('')
    .slice(from - first.from, to - first.from)
  const attributesAt = (position: number) =>
    (pieces.find(piece => position < piece.from + piece.string.length) ?? pieces.at(-1))?.attributes ?? {}
  const delta: object[] = []
  let done = -start
  for (const { index, remove, insert } of diffText(before, replacement)) {
    if (index > done) delta.push({ retain: index - done })
    // Written over: as what it replaces. Put between: as what stands before it.
    const position = from + index
    const attributes = remove > 0 || position === from ? attributesAt(position) : attributesAt(position - 1)
    if (insert) delta.push({ insert, attributes: { ...attributes } })
    if (remove > 0) delta.push({ delete: remove })
    done = index + remove
  }
  text.applyDelta(delta as { insert?: string }[])
}

/** The position in a ProseMirror document of each line's first character, or null if it has other text than the lines. */
const positionsOf = (node: Node, lines: readonly Line[]): ((at: number) => number) | null => {
  const starts: number[] = []
  const texts: string[] = []
  node.descendants((inner, position) => {
    if (!inner.isTextblock) return true
    starts.push(position + 1)
    texts.push(inner.textBetween(0, inner.content.size, null, '\n'))
    return false
  })
  const isSame =
    texts.length === lines.length &&
    lines.every(({ pieces }, index) => pieces.map(({ string }) => string).join('') === texts[index])
  return isSame
    ? at => {
        const index = lines.findIndex(line => at <= line.to)
        return (starts[index] ?? 0) + at - (lines[index]?.from ?? 0)
      }
    : null
}

/** Replaces over line breaks or several blocks, or by several lines. */
const replaceOverNodes = (
  fragment: Y.XmlFragment,
  lines: readonly Line[],
  { from, to }: TextRange,
  replacement: string,
  origin: unknown,
) => {
  const { node } = readKnown(fragment)
  const position = positionsOf(node, lines)
  if (!position)
    throw new EditError('UNKNOWN_CONTENT', 'the document holds text where this version does not expect any')
  const $from = node.resolve(position(from))
  const marks = $from.marksAcross(node.resolve(position(to))) ?? []
  const isCode = $from.parent.type.spec.code
  const parts = isCode ? [replacement] : replacement.split('\n')
  const content = parts.flatMap((part, index) => [
    ...(index > 0 ? [schema.node('hardBreak')] : []),
    ...(part ? [schema.text(part, $from.parent.type.allowedMarks(marks))] : []),
  ])
  const transform = new Transform(node).replaceWith(position(from), position(to), Fragment.from(content))
  replaceDocument(fragment, transform.doc, origin)
}

/**
 * Replaces plain text. Within a block's text only the characters that differ are touched, and formatting stays: what is
 * written over text looks like that text. Over several blocks the first one takes up the rest of the last one. A line end
 * in `text` becomes a line break (in code: a line end).
 * @param target the text to replace, within one block (of several occurrences the first); or a range of `textOf`.
 * @returns where `text` now stands in `textOf`.
 * @throws {EditError} `TEXT_NOT_FOUND`; `UNKNOWN_CONTENT` only where nodes have to change, not within a block's text.
 * @throws {RangeError} the range is not within the text, or `target` is empty.
 */
export const replaceText = (
  fragment: Y.XmlFragment,
  target: string | TextRange,
  text: string,
  origin: unknown = null,
): TextRange => {
  const replacement = wellFormed(text)
  const lines = readLines(fragment)
  const range = findRange(fragment, lines, target)
  const line = lines.find(({ from, to }) => from <= range.from && range.to <= to)
  const isCode = line && schema.nodes[line.element.nodeName]?.spec.code === true
  const pieces = line && (isCode || !replacement.includes('\n')) ? findPieces(line, range) : null
  if (pieces) transactOn(fragment, origin, () => replaceInPieces(pieces, range, replacement))
  else if (lines.length === 0) {
    if (replacement) append(fragment, schema.node('paragraph', null, schema.text(replacement)), origin)
  } else replaceOverNodes(fragment, lines, range, replacement, origin)
  return { from: range.from, to: range.from + replacement.length }
}
