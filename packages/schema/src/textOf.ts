import * as Y from 'yjs'
import { schema } from './schema.ts'

/** A stretch of a block's text with equal formatting, or a line break (`text: null`). */
export interface Piece {
  /** Where it begins, in `textOf`. */
  from: number
  /** What it adds to `textOf`. */
  string: string
  text: Y.XmlText | null
  /** Where it begins in `text`. */
  offset: number
  attributes: Record<string, unknown>
}

/** A block of text: paragraph, heading or code. */
export interface Line {
  element: Y.XmlElement
  from: number
  to: number
  pieces: Piece[]
}

const readLine = (element: Y.XmlElement, from: number): Line => {
  const pieces: Piece[] = []
  let to = from
  const add = (string: string, text: Y.XmlText | null, offset: number, attributes: Record<string, unknown>) => {
    pieces.push({ from: to, string, text, offset, attributes })
    to += string.length
  }
  for (const child of element.toArray() as unknown[]) {
    if (child instanceof Y.XmlText) {
      let offset = 0
      const delta = child.toDelta() as { insert: unknown; attributes?: Record<string, unknown> }[]
      if (delta.length === 0) add('', child, 0, {})
      for (const { insert, attributes = {} } of delta) {
        if (typeof insert === 'string') add(insert, child, offset, attributes)
        offset += typeof insert === 'string' ? insert.length : 1
      }
    } else if (child instanceof Y.XmlElement && child.nodeName === 'hardBreak') add('\n', null, 0, {})
  }
  return { element, from, to, pieces }
}

/** Whether an element is a block of text, whatever it holds. */
export const isTextblock = (element: Y.XmlElement): boolean => schema.nodes[element.nodeName]?.isTextblock === true

/** The blocks of text of a shared document, in order; also those within nodes that the schema doesn't know. */
export const lineElements = (fragment: Y.XmlFragment): Y.XmlElement[] => {
  const elements: Y.XmlElement[] = []
  const open: unknown[] = fragment.toArray().reverse()
  while (open.length > 0) {
    const child = open.pop()
    if (!(child instanceof Y.XmlElement)) continue
    const children: unknown[] = isTextblock(child) ? [] : child.toArray()
    if (isTextblock(child) || children.some(inner => inner instanceof Y.XmlText)) elements.push(child)
    else open.push(...children.reverse())
  }
  return elements
}

/** The same with their text. */
export const readLines = (fragment: Y.XmlFragment): Line[] => {
  const lines: Line[] = []
  for (const element of lineElements(fragment)) lines.push(readLine(element, (lines.at(-1)?.to ?? -1) + 1))
  return lines
}

/**
 * The plain text of a shared document: its blocks of text (paragraphs, headings, code; also in lists and tables), one per
 * line; a line break within a block is a line end too. Images and rules add nothing. Positions in it are UTF-16 units.
 */
export const textOf = (fragment: Y.XmlFragment): string =>
  readLines(fragment)
    .map(({ pieces }) => pieces.map(({ string }) => string).join(''))
    .join('\n')
