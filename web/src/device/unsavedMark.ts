import { readStored, writeStored } from './storage.ts'

/**
 * Whether this device's copy of a document holds edits that the server has not acknowledged, as far as the pages that wrote
 * them came to say so. The copy itself can't tell: it has the server's content and this device's in one.
 */
export interface UnsavedMark {
  isSet(): boolean
  set(isUnsaved: boolean): void
}

/** @param name of the copy, one per server and document */
export function unsavedMark(name: string): UnsavedMark {
  const key = `weft.unsaved:${name}`
  const isSet = () => readStored(key) !== null
  return {
    isSet,
    set: isUnsaved => {
      if (isSet() !== isUnsaved) writeStored(key, isUnsaved ? '1' : null)
    },
  }
}
