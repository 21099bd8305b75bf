import { FRAGMENT_NAME } from '@weft/schema'
import type * as Y from 'yjs'

/** Anything that holds a document: what `connect` returns, or `{ ydoc }`. */
export interface HasYdoc {
  readonly ydoc: Y.Doc
}

/**
 * The part of the `Y.Doc` that people see and edit.
 * @example
 * ```js
 * console.log(fragmentOf(doc).length) // → 0
 * append(doc, 'x')
 * console.log(fragmentOf(doc).length) // → 1
 * ```
 */
export function fragmentOf(document: HasYdoc): Y.XmlFragment {
  return document.ydoc.getXmlFragment(FRAGMENT_NAME)
}
