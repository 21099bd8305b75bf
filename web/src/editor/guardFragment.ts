import { findUnknown, type Unknown } from '@weft/schema'
import * as Y from 'yjs'

/**
 * Looks at a shared document before an editor that is bound to it does. y-tiptap deletes what it can't build from the
 * shared document, for everybody, merely by rendering it; so the editor has to be gone before its observer runs.
 *
 * Yjs emits `beforeObserverCalls` when a transaction's changes are in the document and no observer has seen them yet.
 * @param isOwn whether a transaction comes from the bound editor itself: its content is valid by construction.
 * @param onUnknown called inside that event, with what was found: detach the editor before returning. Not called again
 * after that.
 * @returns stops looking.
 */
export function guardFragment(
  fragment: Y.XmlFragment,
  isOwn: (transaction: Y.Transaction) => boolean,
  onUnknown: (unknown: Unknown[]) => void,
): () => void {
  const ydoc = fragment.doc
  if (ydoc === null) throw new TypeError('the fragment is not in a document')
  const look = (transaction: Y.Transaction) => {
    if (isOwn(transaction) || !hasChanged(fragment, transaction)) return
    const unknown = findUnknown(fragment)
    if (unknown.length === 0) return
    stop()
    onUnknown(unknown)
  }
  const stop = () => ydoc.off('beforeObserverCalls', look)
  ydoc.on('beforeObserverCalls', look)
  return stop
}

/** (`changedParentTypes` is empty at that moment: the observers' calls fill it.) */
function hasChanged(fragment: Y.XmlFragment, transaction: Y.Transaction): boolean {
  for (const type of transaction.changed.keys()) {
    let inner: unknown = type
    while (inner instanceof Y.AbstractType) {
      if (inner === fragment) return true
      inner = inner._item?.parent
    }
  }
  return false
}
