import type { Knowledge } from '../crdt/Knowledge.ts'

/** Fewer operations than these (characters, mostly) are no matter: a line that is deleted whole. */
export const MIN_DELETED = 1000
/** Share of a document that one commit may delete before that is flagged … */
const MAX_SHARE = 0.9
/** … and that those may delete who have just come: an old client's editor takes out what it doesn't know. */
const MAX_NEWCOMERS_SHARE = 0.5
/** Whoever came this long ago has just come, in ms. */
export const NEWCOMER_MS = 10_000

/** What deletions of one commit have in them. */
export interface Deletions {
  /** Operations that were there before. */
  readonly deleted: number
  /** Of those, by sessions that had just come. */
  readonly byNewcomers: number
}

/**
 * Whether a commit deletes so much that the state before is worth keeping.
 * @param after what the log contains with it
 */
export function isMassDeletion({ deleted, byNewcomers }: Deletions, after: Knowledge): boolean {
  if (deleted < MIN_DELETED) return false
  const before = after.liveCount + deleted
  return deleted > before * MAX_SHARE || byNewcomers > before * MAX_NEWCOMERS_SHARE
}
