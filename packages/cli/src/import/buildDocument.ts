import * as Y from 'yjs'

/** A document made of stored updates. */
export interface BuiltDocument {
  readonly ydoc: Y.Doc
  /** What of the updates is not in `ydoc`, in words. */
  readonly problems: readonly string[]
}

/**
 * Puts a document together as its own server would. An update that doesn't decode is left out, and what builds on operations
 * that the updates don't hold, for Yjs shows it to nobody, and Weft's log takes no gaps.
 * @param updates in the order in which they were stored
 */
export function buildDocument(updates: readonly Uint8Array[]): BuiltDocument {
  const broken = new Map<number, string>()
  updates.forEach((update, index) => {
    try {
      Y.decodeUpdate(update)
    } catch (error) {
      broken.set(index, messageOf(error))
    }
  })
  let ydoc = applyAll(updates, broken)
  // An update can decode and still not fit; half of it may be applied by then.
  while (ydoc === null) ydoc = applyAll(updates, broken)

  const problems = [...broken].map(
    ([index, why]) =>
      `update ${index + 1} of ${updates.length} can't be read (${updates[index]?.length} bytes: ${why})`,
  )
  const { store } = ydoc
  if (store.pendingStructs !== null || store.pendingDs !== null) {
    const missing = [...(store.pendingStructs?.missing ?? [])].map(
      ([clientID, clock]) => `${clientID} from ${clock} on`,
    )
    const what = missing.length === 0 ? 'what it deletes' : `operations of client ${missing.join(', ')}`
    problems.push(`the store lacks ${what}; what builds on that is left out, as no client could see it`)
    store.pendingStructs = null
    store.pendingDs = null
  }
  return { ydoc, problems }
}

/** @returns null: one more update is known to be broken now */
function applyAll(updates: readonly Uint8Array[], broken: Map<number, string>): Y.Doc | null {
  const ydoc = new Y.Doc()
  let current = -1
  try {
    // One transaction: tidying up after each of thousands costs more than applying them.
    ydoc.transact(() => {
      updates.forEach((update, index) => {
        if (broken.has(index)) return
        current = index
        Y.applyUpdate(ydoc, update)
      })
    })
    return ydoc
  } catch (error) {
    if (broken.has(current) || current < 0) throw error
    broken.set(current, messageOf(error))
    ydoc.destroy()
    return null
  }
}

/** Whether there is nothing in a document, and never was. */
export function isEmptyDocument(ydoc: Y.Doc): boolean {
  return ydoc.store.clients.size === 0
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
