import { commonSubsequence, fromMarkdown, toMarkdown } from '@weft/schema'
import { type DocumentNode, documentOf, findSection, type Section } from './sections.ts'
import { ToolError } from './ToolError.ts'

/** Makes of a document what it shall be. @throws {ToolError} it can't be done, and what to do instead */
export type Change = (node: DocumentNode) => DocumentNode

/** Places that an error names, at most. */
const MAX_PLACES = 10
const MAX_LINE_LENGTH = 160

/** What `markdown` says, with the blocks that it leaves as they are kept: some hold what Markdown has no form for. */
export function rewritten(node: DocumentNode, markdown: string): DocumentNode {
  const wanted = fromMarkdown(markdown)
  const read = fromMarkdown(toMarkdown(node))
  let count = node.childCount
  while (count > 0 && isEmptyParagraph(node.child(count - 1))) count--
  // Markdown has another number of blocks for it: which one is which can't be told.
  if (read.childCount !== count) return wanted
  const kept = new Map(
    commonSubsequence(read.children.map(keyOf), wanted.children.map(keyOf)).map(([index, at]) => [at, index]),
  )
  const blocks = wanted.children.map((block, at) => {
    const index = kept.get(at)
    return index === undefined ? block : node.child(index)
  })
  // Markdown has no form for these.
  return documentOf([...blocks, ...node.children.slice(count)])
}

const keyOf = (block: DocumentNode): string => JSON.stringify(block)

function isEmptyParagraph(block: DocumentNode): boolean {
  return block.type.name === 'paragraph' && block.childCount === 0
}

/** The whole document says `markdown`. */
export function replaceAll(markdown: string): Change {
  return node => rewritten(node, markdown)
}

/** The section of a heading says `markdown`; the heading stays. */
export function replaceSection(heading: string, occurrence: number | undefined, markdown: string): Change {
  return node => {
    const section = findSection(node, heading, occurrence)
    const { from, to } = section
    const blocks = contentOf(section, rewritten(documentOf(node.children.slice(from, to)), markdown), markdown)
    return documentOf([...node.children.slice(0, from), ...blocks, ...node.children.slice(to)])
  }
}

/** `markdown` stands directly below a heading. */
export function insertBelow(heading: string, occurrence: number | undefined, markdown: string): Change {
  return node => {
    const { from } = findSection(node, heading, occurrence)
    const blocks = fromMarkdown(markdown).children
    return documentOf([...node.children.slice(0, from), ...blocks, ...node.children.slice(from)])
  }
}

/** Without the heading itself, which agents like to repeat. */
function contentOf({ heading }: Section, content: DocumentNode, markdown: string): readonly DocumentNode[] {
  if (markdown.trim() === '') return []
  const [first, ...rest] = content.children
  const isHeading = first?.type.name === 'heading' && first.attrs.level === heading.level
  return isHeading && first.textContent.trim() === heading.text ? rest : content.children
}

/** How a replacement of text is asked for. */
export interface Replacement {
  /** A stretch of the document's Markdown. */
  readonly old: string
  /** The Markdown in its place. */
  readonly new: string
  /** Every place where `old` stands; else it must be the only one. */
  readonly all: boolean
}

/** @param told is given the number of places */
export function replaceText(replacement: Replacement, told: (count: number) => void): Change {
  const { old, all } = replacement
  return node => {
    const markdown = toMarkdown(node)
    const places = findAll(markdown, old)
    if (places.length === 0) throw new ToolError(notFound(node, old))
    if (places.length > 1 && !all) throw new ToolError(ambiguous(markdown, places))
    told(places.length)
    return rewritten(
      node,
      markdown.replaceAll(old, () => replacement.new),
    )
  }
}

function findAll(text: string, wanted: string): number[] {
  const places: number[] = []
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) places.push(at)
  return places
}

function notFound(node: DocumentNode, old: string): string {
  const plain = node.textBetween(0, node.content.size, '\n', '\n')
  const isPlain = plain.includes(old)
  const isNear = plain.replace(/\s+/g, ' ').includes(old.replace(/\s+/g, ' ').trim())
  const why = isPlain
    ? 'it reads so, but the Markdown has formatting or escapes in it: quote the Markdown as read_document gives it'
    : isNear
      ? 'it reads nearly so, with other blanks or line ends: quote the Markdown as read_document gives it'
      : 'read the document again (somebody may have changed it), and quote its Markdown exactly'
  return `\`old\` does not stand in the document's Markdown: ${why}`
}

function ambiguous(markdown: string, places: readonly number[]): string {
  const lines = markdown.split('\n')
  const shown = places.slice(0, MAX_PLACES).map(at => {
    const line = markdown.slice(0, at).split('\n').length
    return `line ${line}: ${(lines[line - 1] ?? '').slice(0, MAX_LINE_LENGTH)}`
  })
  const more = places.length > MAX_PLACES ? [`… and ${places.length - MAX_PLACES} more`] : []
  return [
    `\`old\` stands in ${places.length} places, and nothing was changed. Quote more of what is around the one that is ` +
      'meant (it may go over several lines), or set `all`:',
    ...shown,
    ...more,
  ].join('\n')
}
