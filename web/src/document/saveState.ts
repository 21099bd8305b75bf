import type { SavingName } from '@weft/protocol'

/** What is known of a document's way to the server. */
export interface SaveFacts {
  status: 'opening' | 'connecting' | 'synced' | 'offline' | 'refused'
  /** Local edits that the server has not said to be committed. */
  unsavedCount: number
  /** Whether these are but the copy on this device, of which nothing is known to be unsaved: the server wasn't asked yet. */
  isOnlyCopy: boolean
  /** When the count last rose from none, or fell, in ms; no unsaved edit has waited for longer. `null`: none is unsaved. */
  waitingSince: number | null
  /** Whether this device can keep a copy. */
  isKept: boolean
  /** Whether the server takes no edits of this person. */
  isReadOnly: boolean
  /** Local edits that are not in that copy yet. */
  unkeptCount: number
  /** When the last of them came there, in ms; `null`: some are not. */
  keptSince: number | null
  /** Whether the page takes no edits. Those from before may still be unsaved. */
  isOnlyShown: boolean
  /** Why the server refuses the document, or lets edits pass by; in words. */
  refusal: string | null
  /** How it stands at the server with storing edits, as it was told. */
  saving: SavingName
  /** The size limit of the document where it has reached it, in bytes: only what deletes is taken; `null`: it hasn't. */
  fullAtBytes: number | null
}

/**
 * What the state line says.
 * - `opening`: no content yet; `connecting`: content of this device, the server hasn't answered;
 * - `reading`: nothing is to be saved, for this document can only be read here;
 * - `saved`: all is committed on the server; `pending`: an edit is under way for less than `savingAfterMs`;
 * - `saving`: for longer; `late`: for so long that the person should know;
 * - `offline`: its text says whether all is kept on this device already; `unkept`: offline, and this device can't keep it;
 * - `refused`: the server refuses the document, and nothing is unsaved: a copy is shown;
 * - `failed`: the server doesn't take the edits.
 */
export type SaveState =
  | 'opening'
  | 'connecting'
  | 'reading'
  | 'saved'
  | 'pending'
  | 'saving'
  | 'late'
  | 'offline'
  | 'unkept'
  | 'refused'
  | 'failed'

/** Time after which an unacknowledged edit is called "Saving…", in ms. A commit takes a tenth of that. */
export const savingAfterMs = 300

/** Time after which an edit that the server has not committed is called late, in ms. */
export const lateAfterMs = 10_000

/**
 * Time for which everything must have been kept before an offline line says so again, in ms: the claim is withdrawn at once, and
 * does not come and go between the keys of somebody who types.
 */
export const keptAfterMs = 500

export interface ShownSaveState {
  state: SaveState
  /** `failed` and `refused`: what is the matter, a colon, and why. */
  text: string
  /** When this will change by itself, in ms; `null`: it won't. */
  changesAt: number | null
}

/** Why the server takes nobody's edits. */
const troubleTexts = {
  'disk-full': 'the server has too little space left',
  damaged: 'this document is damaged on the server',
} as const

/** The state line at the time `now` (ms). Says "Saved" only where the server has said so for every edit. */
export function saveState(facts: SaveFacts, now: number): ShownSaveState {
  const { status, unsavedCount, isOnlyCopy, waitingSince, isKept, keptSince, isReadOnly, isOnlyShown, refusal } = facts
  const { saving } = facts
  const still = (state: SaveState, text: string): ShownSaveState => ({ state, text, changesAt: null })
  const trouble = saving === 'disk-full' || saving === 'damaged' ? troubleTexts[saving] : null
  if (status === 'synced' && trouble !== null) {
    return unsavedCount === 0 || isOnlyCopy
      ? still('reading', `Read only: ${trouble}`)
      : still('failed', `Can’t save: ${trouble}`)
  }
  if (status === 'synced' && facts.fullAtBytes !== null && unsavedCount > 0 && !isOnlyCopy) {
    return still('failed', 'Can’t save: the document is at its size limit')
  }
  if (refusal !== null || status === 'refused') {
    const why = refusal ?? 'the server refuses this document'
    if (status === 'refused' && (unsavedCount === 0 || isOnlyCopy)) return still('refused', `Not connected: ${why}`)
    return still('failed', `Can’t save: ${why}`)
  }
  if (status === 'opening') return still('opening', 'Opening…')
  if (status === 'offline') {
    if (!isKept) return still('unkept', 'Offline – not kept on this device')
    if (keptSince === null) return still('offline', 'Offline')
    const changesAt = keptSince + keptAfterMs
    if (now < changesAt) return { state: 'offline', text: 'Offline', changesAt }
    return still('offline', 'Offline – kept on this device')
  }
  if (status === 'connecting') return still('connecting', 'Connecting…')
  // What Yjs tidies in this replica by itself is no edit of a person's.
  if (isReadOnly) return still('reading', 'Read only')
  if (unsavedCount === 0) return isOnlyShown ? still('reading', 'Read only') : still('saved', 'Saved')
  const waited = now - (waitingSince ?? now)
  const begun = now - waited
  if (waited < savingAfterMs) return { state: 'pending', text: 'Saving…', changesAt: begun + savingAfterMs }
  if (saving === 'saving' && waited < lateAfterMs) {
    return { state: 'saving', text: 'Saving…', changesAt: begun + lateAfterMs }
  }
  const seconds = Math.floor(waited / 1_000)
  const age = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`
  const step = seconds < 60 ? 1_000 : 60_000
  const why = saving === 'saving-failing' ? ': the server can’t store edits now' : ''
  return {
    state: 'late',
    text: `Not saved for ${age}${why}`,
    changesAt: begun + (Math.floor(waited / step) + 1) * step,
  }
}

/** `waitingSince` after the number of unsaved edits went from `before` to `after`. */
export function nextWaitingSince(before: number, after: number, since: number | null, now: number): number | null {
  if (after === 0) return null
  // Fewer than before: the oldest are committed, and those that are left are younger than this moment's answer is old.
  return since === null || after < before ? now : since
}

/** `keptSince` after the number of edits that are not kept went from `before` to `after`. */
export function nextKeptSince(before: number, after: number, since: number | null, now: number): number | null {
  if (after > 0) return null
  return before > 0 ? now : since
}

/** Whether every edit is in the copy on this device. */
export function isAllKept(facts: Pick<SaveFacts, 'isKept' | 'unkeptCount'>): boolean {
  return facts.isKept && facts.unkeptCount === 0
}
