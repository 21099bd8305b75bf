import type { Node } from '@tiptap/pm/model'
import * as Y from 'yjs'
import { type NodeCache, readFragment, type Unknown } from './readFragment.ts'

/**
 * Everything in a shared document that an editor bound to it by y-tiptap would delete, break or fail on; empty if binding
 * is safe. Never writes. What deletes nothing a reader could miss is not reported: an empty list, left when two people
 * each delete one of its two items, goes the next time that anyone's editor renders.
 *
 * What y-tiptap (3.0.9) does, so that whoever updates it knows what to compare: `createNodeFromYElement` builds children
 * first, then calls `schema.node(name, attributes, children)` and deletes the element if that throws: unknown name,
 * children against the content expression, marks that the node doesn't allow. `createTextNodesFromYText` deletes the whole
 * text if `schema.mark` throws. Both throw out of the binding on what is neither element nor text. At the top level the
 * nodes are fitted into the document by a replace step that drops what doesn't fit, and the next keystroke writes that.
 * `updateYFragment` removes attributes that the schema doesn't have.
 */
export const findUnknown = (fragment: Y.XmlFragment): Unknown[] => readFragment(fragment).unknown

/**
 * `findUnknown` for an editor, which asks before every change that it would render: what has not changed since is not read
 * again (143,000 characters in 1,500 blocks: 17 ms the first time, then below 1 ms).
 * @returns what finds: called without a transaction, everything is read; otherwise the transaction must be the next one
 *   after the last call (in Yjs's `beforeObserverCalls`, for each).
 */
export const createUnknownFinder = (fragment: Y.XmlFragment): ((transaction?: Y.Transaction) => Unknown[]) => {
  let cache: NodeCache = new WeakMap()
  return transaction => {
    if (!transaction) cache = new WeakMap()
    for (const changed of transaction?.changed.keys() ?? []) {
      for (let type: unknown = changed; type instanceof Y.AbstractType; type = type.parent) cache.delete(type)
    }
    return readFragment(fragment, cache).unknown
  }
}

/**
 * The shared document as a valid ProseMirror document, without writing to it, whatever is in it. Of unknown things the
 * text is kept as well as can be: `findUnknown` names them. An empty fragment reads as one empty paragraph.
 */
export const readNode = (fragment: Y.XmlFragment): Node => readFragment(fragment).node
