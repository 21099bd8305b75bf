import { fromMarkdown, type readNode, schema } from '@weft/schema'
import { ToolError } from './ToolError.ts'

/** A document as ProseMirror has it. */
export type DocumentNode = ReturnType<typeof readNode>

/** A heading at the top level of a document. */
export interface Heading {
  /** Its place among the document's blocks. */
  readonly index: number
  /** 1 to 6 */
  readonly level: number
  readonly text: string
}

/** Blocks of a document: `from` to before `to`. */
export interface Section {
  readonly heading: Heading
  readonly from: number
  readonly to: number
}

/** Headings that an error names, at most. */
const MAX_NAMED = 30
const MAX_NAMED_LENGTH = 100

const normalize = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** A whole document of these blocks. */
export function documentOf(blocks: readonly DocumentNode[]): DocumentNode {
  return schema.topNodeType.create(null, [...blocks])
}

export function headingsOf(node: DocumentNode): Heading[] {
  return node.children.flatMap((block, index) =>
    block.type.name === 'heading'
      ? [
          {
            index,
            level: Number(block.attrs.level),
            text: normalize(block.textBetween(0, block.content.size, ' ', ' ')),
          },
        ]
      : [],
  )
}

/**
 * The section of a heading: all below it, up to the next heading of its level or above.
 * @param wanted the heading's text, as it reads or as Markdown has it; with `#` in front the level counts, too
 * @param occurrence which one of several, from 1
 * @throws {ToolError} there is none, or more than one
 */
export function findSection(node: DocumentNode, wanted: string, occurrence: number | undefined): Section {
  const headings = headingsOf(node)
  const heading = pick(headings, wanted, occurrence)
  const next = headings.find(({ index, level }) => index > heading.index && level <= heading.level)
  return { heading, from: heading.index + 1, to: next?.index ?? node.childCount }
}

function pick(headings: readonly Heading[], wanted: string, occurrence: number | undefined): Heading {
  const matching = headings.filter(heading => isMeant(heading, wanted))
  const shown = JSON.stringify(wanted)
  if (matching.length === 0) throw new ToolError(`the document has no heading ${shown}; ${named(headings)}`)
  if (occurrence === undefined && matching.length > 1) {
    throw new ToolError(
      `${matching.length} headings are ${shown}: say which one by \`occurrence\`, 1 to ${matching.length}, in the ` +
        `document's order; ${named(headings)}`,
    )
  }
  const heading = matching[(occurrence ?? 1) - 1]
  if (heading !== undefined) return heading
  const count = matching.length === 1 ? 'one heading is' : `${matching.length} headings are`
  throw new ToolError(`only ${count} ${shown}, and \`occurrence\` is ${occurrence}`)
}

function isMeant({ level, text }: Heading, wanted: string): boolean {
  if (text === normalize(wanted)) return true
  const [, marks = '', rest = wanted] = /^\s*(#{1,6})\s+(.*)$/s.exec(wanted) ?? []
  if (marks !== '' && marks.length !== level) return false
  const [parsed] = headingsOf(fromMarkdown(`# ${rest.replace(/\s+/g, ' ')}`))
  return text === normalize(rest) || (parsed !== undefined && text === parsed.text)
}

function named(headings: readonly Heading[]): string {
  if (headings.length === 0) return 'it has none'
  const names = headings
    .slice(0, MAX_NAMED)
    .map(({ level, text }) => JSON.stringify(`${'#'.repeat(level)} ${text.slice(0, MAX_NAMED_LENGTH)}`))
  const more = headings.length > MAX_NAMED ? ` … (${headings.length} in all)` : ''
  return `its headings are ${names.join(', ')}${more}`
}
