import * as Y from 'yjs'

/** Fragments that somebody changes in another form at this moment: what is written meanwhile would be overwritten. */
const held = new WeakSet<Y.XmlFragment>()

const refuseHeld = (fragment: Y.XmlFragment): void => {
  if (held.has(fragment)) throw new TypeError('the document is within an edit: change its transform, not the document')
}

/** What a transaction has written: rises with each write. */
const countWritten = ({ doc, deleteSet }: Y.Transaction): number => {
  let count = Y.getState(doc.store, doc.clientID)
  for (const deletions of deleteSet.clients.values()) count += deletions.length
  return count
}

/**
 * Runs `change` as one transaction of the fragment's document.
 * @returns whether it wrote anything.
 * @throws {TypeError} the fragment belongs to no document, or is held by `hold`.
 */
export const transactOn = (fragment: Y.XmlFragment, origin: unknown, change: () => void): boolean => {
  if (!fragment.doc) throw new TypeError('the fragment belongs to no Y.Doc')
  refuseHeld(fragment)
  return fragment.doc.transact(transaction => {
    const before = countWritten(transaction)
    change()
    return countWritten(transaction) > before
  }, origin)
}

/**
 * Runs `look`, which must not change the fragment.
 * @throws {TypeError} it did, or runs within another `hold` of the same fragment.
 */
export const hold = <T>(fragment: Y.XmlFragment, look: () => T): T => {
  refuseHeld(fragment)
  let isChanged = false
  const notice = () => {
    isChanged = true
  }
  held.add(fragment)
  fragment.observeDeep(notice)
  try {
    const result = look()
    if (isChanged) throw new TypeError('the document was changed within an edit, by other means than its transform')
    return result
  } finally {
    fragment.unobserveDeep(notice)
    held.delete(fragment)
  }
}
