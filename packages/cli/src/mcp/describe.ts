import { escapeInvisible } from '../escapeInvisible.ts'
import { diffLines } from '../followLines.ts'
import { quoteName } from '../quoteName.ts'
import type { Edited, Reading } from './Agent.ts'
import type { SearchResult } from './DocumentSearch.ts'

/** Characters of a document that one call returns, unless fewer are asked for. */
export const MAX_READ_LENGTH = 40_000
/** Lines of a change that are shown, and characters of each. */
const MAX_CHANGED_LINES = 40
const MAX_LINE_LENGTH = 200
/** Names of people that are shown. */
const MAX_SHOWN_NAMES = 20

/** Lines of a text: from which one (from 1) and how many. */
export interface LineRange {
  readonly start: number
  readonly count: number
}

/** Which lines fit into one answer: at least one. @returns their text, and the line behind them (null: none is left) */
export function cutLines(lines: readonly string[], { start, count }: LineRange): { text: string; next: number | null } {
  let end = start - 1
  let length = 0
  while (end < lines.length && end < start - 1 + count) {
    length += (lines[end]?.length ?? 0) + 1
    if (length > MAX_READ_LENGTH && end > start - 1) break
    end++
  }
  return { text: lines.slice(start - 1, end).join('\n'), next: end < lines.length ? end + 1 : null }
}

/** What an agent should know of a document beside its text. */
export function describeReading(documentId: string, reading: Reading): string[] {
  const { version, others, leftOut, isOffline, unsavedCount } = reading
  const names = others.slice(0, MAX_SHOWN_NAMES).map(quoteName)
  const more = others.length > MAX_SHOWN_NAMES ? ` and ${others.length - MAX_SHOWN_NAMES} more` : ''
  return [
    `document: ${quoteName(documentId)}`,
    `version: ${version}`,
    `here now: ${names.length === 0 ? 'nobody else' : `${names.join(', ')}${more}`}`,
    ...(leftOut > 0 ? [`left out: ${leftOut} things that have no form in Markdown`] : []),
    ...(isOffline ? ['NOT connected to the server now: this is how the document was before, with your own edits'] : []),
    ...(unsavedCount > 0 ? [`NOT yet on the server’s disk: ${unsavedCount} of your edits`] : []),
  ]
}

/** What an agent is told of an edit. */
export function describeEdit(documentId: string, edited: Edited): string {
  const { before, after, version, isMerged, save } = edited
  const isChanged = before !== after
  return [
    isChanged ? `changed ${quoteName(documentId)}:` : `nothing to change: ${quoteName(documentId)} says so already`,
    ...(isChanged ? describeChange(before, after) : []),
    `version: ${version}`,
    ...(isMerged
      ? [
          'Others have changed the document since the version that this was based on; what they wrote is kept. Read it again.',
        ]
      : []),
    save.state === 'saved'
      ? 'saved: it is on the server’s disk, and everybody in the document has it'
      : `NOT saved yet: ${save.why}. The edit is kept only as long as this process runs; it goes to the server by itself ` +
        'once that can be reached. Do not make it again; tell the person whom you work for.',
  ].join('\n')
}

/** The lines that differ, as `weft tail` prints them. */
function describeChange(before: string, after: string): string[] {
  const linesOf = (markdown: string) => (markdown === '' ? [] : markdown.replace(/\n$/, '').split('\n'))
  const lines = diffLines(linesOf(before), linesOf(after)).flatMap(({ line, removed, inserted }) => [
    `@@ ${line}`,
    ...removed.map(text => `- ${text}`),
    ...inserted.map(text => `+ ${text}`),
  ])
  const shown = lines.slice(0, MAX_CHANGED_LINES).map(line => cut(line))
  return lines.length > MAX_CHANGED_LINES ? [...shown, `… ${lines.length - MAX_CHANGED_LINES} more lines`] : shown
}

/** What an agent is told of a search. */
export function describeSearch(query: string, { hits, searchedCount, unreadCount, next }: SearchResult): string {
  const found = hits.flatMap(({ documentId, isNameMatch, lineCount, excerpts }) => [
    `${quoteName(documentId)}${isNameMatch ? ' (its name)' : ''}${lineCount > 0 ? ` (${lineCount} ${lineCount === 1 ? 'line' : 'lines'})` : ''}`,
    ...excerpts.map(({ line, text }) => `  line ${line}: ${escapeInvisible(text)}`),
  ])
  const counted = `${searchedCount} documents searched, ${hits.length} found for ${JSON.stringify(query)}`
  return [
    `${counted}${unreadCount > 0 ? `; ${unreadCount} could not be read as text` : ''}`,
    ...(next === null ? [] : [`There are more: go on with after=${JSON.stringify(next)}, or narrow it by prefix.`]),
    ...found,
  ].join('\n')
}

function cut(line: string): string {
  return line.length > MAX_LINE_LENGTH ? `${line.slice(0, MAX_LINE_LENGTH)}…` : line
}
