import type { Node } from '@tiptap/pm/model'
import { Transform } from '@tiptap/pm/transform'
import type * as Y from 'yjs'
import { checkNode } from './json.ts'
import { keptRanges } from './keptRanges.ts'
import { readKnown, writeDocument } from './replaceDocument.ts'
import { hold } from './transactOn.ts'

export type { Transform }

/**
 * One edit on the shared document as ProseMirror sees it, in one Yjs transaction. What the transform leaves alone stays as it
 * is, character by character, with its carets and what others write there at the same time. Yjs moves nothing: what gets
 * another parent (split, join, wrap, lift), or a parent of another kind, is written anew, and only the larger part of a block
 * that is split keeps its characters. What is replaced is compared with what replaces it, as by `replaceDocument`.
 * @param change changes its transform, which begins with the document as it is, and changes the document by nothing else.
 *   When it throws, nothing is written.
 * @param origin of the Yjs transaction; an undo manager that tracks it undoes the edit as one.
 * @returns whether anything was changed.
 * @throws {EditError} `UNKNOWN_CONTENT`.
 * @throws {RangeError} the result is not a valid document, or cuts a character (an emoji, say) into halves; nothing is written.
 * @throws {TypeError} `change` is asynchronous, or changes the document by other means; nothing of its transform is written.
 */
export const transformDocument = (
  fragment: Y.XmlFragment,
  change: (transform: Transform) => void,
  origin: unknown = null,
): boolean => {
  const read = readKnown(fragment)
  const transform = new Transform(read.node)
  hold(fragment, () => refusePromise(change(transform)))
  if (transform.doc.eq(read.node)) return false
  checkNode(transform.doc)
  if (hasHalfCharacter(transform.doc) && !hasHalfCharacter(read.node)) {
    throw new RangeError('a character of two UTF-16 units is cut into halves: others would get U+FFFD for them')
  }
  return writeDocument(fragment, transform.doc, read, keptRanges(transform), origin)
}

/** Yjs sends text as UTF-8, which has no halves of characters: replicas would differ. */
const hasHalfCharacter = (node: Node): boolean => {
  let isFound = false
  node.descendants(({ text }) => {
    isFound ||= text !== undefined && /\p{Surrogate}/u.test(text)
  })
  return isFound
}

const refusePromise = (result: unknown): void => {
  if (typeof (result as PromiseLike<unknown> | undefined)?.then !== 'function') return
  // What becomes of it is nobody's concern: the caller hears of the mistake itself.
  Promise.resolve(result).catch(() => {})
  throw new TypeError('the callback of an edit must not be asynchronous: fetch what it needs before')
}
