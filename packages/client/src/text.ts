import {
  FRAGMENT_NAME,
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
} from '@weft/schema'
import type * as Y from 'yjs'

/** Anything that holds a document: what `connect` returns, or `{ ydoc }`. */
export interface HasYdoc {
  readonly ydoc: Y.Doc
}

/** The part of the `Y.Doc` that people see and edit. */
export function fragmentOf(document: HasYdoc): Y.XmlFragment {
  return document.ydoc.getXmlFragment(FRAGMENT_NAME)
}

/** The plain text: one line for each paragraph, heading, item … */
export function textOf(document: HasYdoc): string {
  return schemaTextOf(fragmentOf(document))
}

export function toMarkdown(document: HasYdoc): string {
  return schemaToMarkdown(readNode(fragmentOf(document)))
}

export function toHTML(document: HasYdoc): string {
  return schemaToHTML(readNode(fragmentOf(document)))
}

/** ProseMirror's JSON, as TipTap's `getJSON`. */
export function toJSON(document: HasYdoc): JSONObject {
  return schemaToJSON(fragmentOf(document))
}

/**
 * Adds Markdown at the end of the document.
 * @returns the index of the first new block among the document's blocks.
 */
export function append(document: HasYdoc, markdown: string): number {
  return schemaAppend(fragmentOf(document), fromMarkdown(markdown))
}

/**
 * Adds Markdown directly below a heading, before what stands there.
 * @param heading the heading's text; of several the first is meant.
 * @returns the index of the first new block among the document's blocks.
 * @throws {EditError} `HEADING_NOT_FOUND`.
 */
export function insertAfterHeading(document: HasYdoc, heading: string, markdown: string): number {
  return schemaInsertAfterHeading(fragmentOf(document), heading, fromMarkdown(markdown))
}

/**
 * Replaces plain text; formatting, carets and concurrent edits around it stay.
 * @param target the text to replace, within one block (of several the first is meant), or a range of `textOf`.
 * @returns where `replacement` now stands in `textOf`.
 * @throws {EditError} `TEXT_NOT_FOUND`, `UNKNOWN_CONTENT`.
 */
export function replaceText(document: HasYdoc, target: string | TextRange, replacement: string): TextRange {
  return schemaReplaceText(fragmentOf(document), target, replacement)
}

/**
 * Makes the document say what `markdown` says, with the least change: what is the same in both stays untouched, with its
 * carets and its concurrent edits.
 * @throws {EditError} `UNKNOWN_CONTENT`: the document holds what Markdown can't say to this version.
 */
export function replaceDocument(document: HasYdoc, markdown: string): void {
  schemaReplaceDocument(fragmentOf(document), fromMarkdown(markdown))
}

export type { TextRange }
