import {
  fromMarkdown,
  type JSONObject,
  readNode,
  append as schemaAppend,
  insertAfterHeading as schemaInsertAfterHeading,
  replaceDocument as schemaReplaceDocument,
  replaceText as schemaReplaceText,
  textOf as schemaTextOf,
  toHTML as schemaToHTML,
  toJSON as schemaToJSON,
  toMarkdown as schemaToMarkdown,
  type TextRange,
  type Transform,
  transformDocument,
} from '@weft/schema'
import { type Author, changes, type HasChanges, type TextChange } from './changes.ts'
import { fragmentOf, type HasYdoc } from './fragmentOf.ts'

/**
 * The plain text: one line for each paragraph, heading, item …
 * @example
 * ```js
 * append(doc, '# Shopping\n\n- milk')
 * console.log(textOf(doc).split('\n')) // → [ 'Shopping', 'milk' ]
 * ```
 */
export function textOf(document: HasYdoc): string {
  return schemaTextOf(fragmentOf(document))
}

/**
 * The document as Markdown (CommonMark, with tables and task lists).
 * @example
 * ```js
 * append(doc, 'bought **milk**')
 * console.log(toMarkdown(doc).trim()) // → bought **milk**
 * ```
 */
export function toMarkdown(document: HasYdoc): string {
  return schemaToMarkdown(readNode(fragmentOf(document)))
}

/**
 * The document as HTML: what an editor of its schema reads.
 * @example
 * ```js
 * append(doc, 'bought **milk**')
 * console.log(toHTML(doc)) // → <p>bought <strong>milk</strong></p>
 * ```
 */
export function toHTML(document: HasYdoc): string {
  return schemaToHTML(readNode(fragmentOf(document)))
}

/**
 * ProseMirror's JSON, as TipTap's `getJSON`.
 * @example
 * ```js
 * append(doc, '# Shopping')
 * console.log(toJSON(doc).content[0].type) // → heading
 * ```
 */
export function toJSON(document: HasYdoc): JSONObject {
  return schemaToJSON(fragmentOf(document))
}

/**
 * Adds Markdown at the end of the document.
 * @returns the index of the first new block among the document's blocks.
 * @example
 * ```js
 * append(doc, '# Shopping')
 * console.log(append(doc, '- milk\n- bread')) // → 1
 * console.log(textOf(doc).split('\n')) // → [ 'Shopping', 'milk', 'bread' ]
 * ```
 */
export function append(document: HasYdoc, markdown: string): number {
  return schemaAppend(fragmentOf(document), fromMarkdown(markdown))
}

/**
 * Adds Markdown directly below a heading, before what stands there.
 * @param heading the heading's text; of several the first is meant.
 * @returns the index of the first new block among the document's blocks.
 * @throws {EditError} `HEADING_NOT_FOUND`.
 * @example
 * ```js
 * append(doc, '# Decisions\n\nNone yet.')
 * insertAfterHeading(doc, 'Decisions', '1. We ship on Friday.')
 * console.log(textOf(doc).split('\n')) // → [ 'Decisions', 'We ship on Friday.', 'None yet.' ]
 * ```
 */
export function insertAfterHeading(document: HasYdoc, heading: string, markdown: string): number {
  return schemaInsertAfterHeading(fragmentOf(document), heading, fromMarkdown(markdown))
}

/**
 * Replaces plain text; formatting, carets and concurrent edits around it stay.
 * @param target the text to replace, within one block (of several the first is meant), or a range of `textOf`.
 * @returns where `replacement` now stands in `textOf`.
 * @throws {EditError} `TEXT_NOT_FOUND`, `UNKNOWN_CONTENT`.
 * @example
 * ```js
 * append(doc, 'We ship on **Friday**.')
 * replaceText(doc, 'Friday', 'Monday')
 * console.log(toMarkdown(doc).trim()) // → We ship on **Monday**.
 * ```
 */
export function replaceText(document: HasYdoc, target: string | TextRange, replacement: string): TextRange {
  return schemaReplaceText(fragmentOf(document), target, replacement)
}

/**
 * Makes the document say what `markdown` says, with the least change: what is the same in both stays untouched, with its
 * carets and its concurrent edits.
 * @throws {EditError} `UNKNOWN_CONTENT`: the document holds what Markdown can't say to this version.
 * @example
 * ```js
 * append(doc, 'one\n\ntwo')
 * replaceDocument(doc, 'one\n\nthree')
 * console.log(textOf(doc).split('\n')) // → [ 'one', 'three' ]
 * ```
 */
export function replaceDocument(document: HasYdoc, markdown: string): void {
  schemaReplaceDocument(fragmentOf(document), fromMarkdown(markdown))
}

/**
 * One edit on the document as ProseMirror sees it (the schema is that of `@weft/schema`): whatever the callback does to its
 * transform is one Yjs transaction, and reaches the others as one update. What it leaves alone stays as it is, character by
 * character, with the carets and concurrent edits of others.
 * @param change changes its transform, at once and by nothing else; when it throws, nothing is written.
 * @param options `origin`: of the Yjs transaction. Default `null`, which a `Y.UndoManager` tracks if nothing else is asked.
 * @returns whether anything was changed.
 * @throws {EditError} `UNKNOWN_CONTENT`. {RangeError} the result is not a valid document. {TypeError} `change` is asynchronous,
 * or edits the document itself. Of its transform nothing is written then.
 * @example
 * ```js
 * append(doc, 'We ship on Friday.')
 * edit(doc, tr => tr.replaceWith(1, 3, tr.doc.type.schema.text('They')))
 * console.log(textOf(doc)) // → They ship on Friday.
 * ```
 */
export function edit(
  document: HasYdoc,
  change: (tr: Transform) => void,
  { origin = null }: { origin?: unknown } = {},
): boolean {
  return transformDocument(fragmentOf(document), change, origin)
}

export type { Author, HasChanges, HasYdoc, TextChange, TextRange, Transform }
export { changes, fragmentOf }
