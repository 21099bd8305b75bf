import type { UpdateContents } from './readUpdate.ts'

/** An update without structs and deletions: the answer to who has everything. Not to be changed. */
export const EMPTY_UPDATE: Uint8Array = Uint8Array.of(0, 0)

/** Whether an update brings deletions only: Yjs tidies redundant formatting on every replica, a reader's too. */
export function isStructFree(contents: UpdateContents): boolean {
  return contents.structs.size === 0
}
