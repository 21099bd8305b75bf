import { FRAGMENT_NAME, fromMarkdown, type MergedChange, mergeChange, readNode, toMarkdown, unite } from '@weft/schema'
import * as Y from 'yjs'
import { showsChange } from './mergeLines.ts'
import type { SyncRecord, SyncVersion, UnsavedChange } from './SyncState.ts'

/** Versions that are remembered where the file system doesn't tell whether somebody has read them. */
const MAX_VERSIONS = 30
/** Of their documents, in bytes; the newest and the oldest are always kept. */
const MAX_VERSION_BYTES = 16 * 2 ** 20

/** A document's text as Markdown. */
export function markdownOf(ydoc: Y.Doc): string {
  return toMarkdown(readNode(ydoc.getXmlFragment(FRAGMENT_NAME)))
}

/** As `markdownOf`, of a stored state. */
export function markdownOfState(state: Uint8Array): string {
  const ydoc = new Y.Doc()
  Y.applyUpdate(ydoc, state)
  const markdown = markdownOf(ydoc)
  ydoc.destroy()
  return markdown
}

/** Whether two texts are the same document, however they are formatted. */
export function saysSame(a: string, b: string): boolean {
  return a === b || fromMarkdown(a).eq(fromMarkdown(b))
}

/**
 * The version that a saved file was made of. An editor saves what it has loaded, with its changes; if the file was rewritten
 * meanwhile and the editor hasn't loaded that, what came is missing in what it saves, and was never deleted by anybody.
 * So it is the newest version that somebody has read or written since, or of which the text shows something. Where none is
 * known to be read and the text undoes all that came, that is believed the second time the same text is saved.
 */
export function chooseBase(record: SyncRecord, text: string): { base: SyncVersion; isStale: boolean } | null {
  const { versions, staleText } = record
  for (const [index, version] of versions.entries()) {
    const older = versions[index + 1]
    const isLoaded = version.isKnown || text === staleText || older === undefined
    if (isLoaded || showsChange(older.text, version.text, text)) return { base: version, isStale: index > 0 }
  }
  return null
}

/** Puts a version that was just written before those that an editor may have loaded. */
export function addVersion(
  versions: readonly SyncVersion[],
  version: SyncVersion,
  isReadingTold: boolean,
): SyncVersion[] {
  const known = versions.findIndex(({ isKnown }) => isKnown)
  const loadable = known < 0 ? versions : versions.slice(0, known + 1)
  // Nobody has read what nobody has read: nobody can have made anything of it.
  const kept = isReadingTold ? loadable.filter(({ isKnown }) => isKnown) : loadable
  const all = [version, ...kept]
  const isTooMuch = () =>
    all.length > MAX_VERSIONS || all.reduce((sum, { state }) => sum + state.length, 0) > MAX_VERSION_BYTES
  while (all.length > 2 && isTooMuch()) all.splice(-2, 1)
  return all
}

/**
 * What was changed in a file, as an update of its document.
 * @param base null: nobody knows what they had in common. Then both sides' text is kept
 * @param clientID as in `mergeChange`
 */
export function changeFrom(ydoc: Y.Doc, base: SyncVersion | null, text: string, clientID: number): MergedChange {
  const after = fromMarkdown(text)
  if (base !== null) return mergeChange(ydoc, base.state, fromMarkdown(base.text), after, clientID)
  const before = fromMarkdown(markdownOf(ydoc))
  return mergeChange(ydoc, Y.encodeStateAsUpdate(ydoc), before, unite(before, after), clientID)
}

/** What of a change is to be sent. */
export function unsavedChange({ update, written, rescuedCount }: MergedChange): UnsavedChange | null {
  // What was rescued must not be rescued again.
  return update && { update, written: rescuedCount > 0 ? [] : [written] }
}

export function joinChanges(first: UnsavedChange | null, second: UnsavedChange | null): UnsavedChange | null {
  if (first === null || second === null) return first ?? second
  return {
    update: Y.mergeUpdates([first.update, second.update]),
    written: [...first.written, ...second.written],
  }
}

/** Whether a document can take an update, having all that it builds upon. */
export function canTake(ydoc: Y.Doc, update: Uint8Array): boolean {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(ydoc))
  Y.applyUpdate(copy, update)
  const isWhole = copy.store.pendingStructs === null && copy.store.pendingDs === null
  copy.destroy()
  return isWhole
}

/** A drawing, say: not what is written as Markdown. */
export function holdsOtherThings(ydoc: Y.Doc): boolean {
  if (ydoc.getXmlFragment(FRAGMENT_NAME).length > 0) return false
  return [...ydoc.share].some(([name, type]) => name !== FRAGMENT_NAME && (type._length > 0 || type._map.size > 0))
}
