import type { Knowledge } from './Knowledge.ts'
import { MalformedUpdate } from './MalformedUpdate.ts'
import { readUpdate, type UpdateContents } from './readUpdate.ts'
import { trimUpdate } from './trimUpdate.ts'
import type { UpdateLimits } from './UpdateLimits.ts'

/**
 * The last steps before an update goes into the log, after `readUpdate` took it and `Knowledge.missing` found nothing
 * missing: adds it to the knowledge.
 * @param update not changed; returned itself where all of it is new
 * @returns what is to be stored: the update without the operations that are known; null if it brings nothing new
 * @throws {MalformedUpdate} if it would damage what is there (`Knowledge.objection`); the knowledge isn't changed then
 */
export function admitUpdate(
  knowledge: Knowledge,
  update: Uint8Array,
  contents: UpdateContents,
  limits: UpdateLimits,
): Uint8Array | null {
  if (!knowledge.brings(contents)) return null
  const isFresh = !knowledge.overlaps(contents)
  const fresh = isFresh ? update : trimUpdate(update, knowledge.stateVector)
  // What was cut off has said where the rest stands: it must be read again, as what follows on what is known.
  const freshContents = isFresh ? contents : readUpdate(fresh, limits)
  const objection = knowledge.objection(freshContents)
  if (objection !== null) throw new MalformedUpdate(objection)
  knowledge.add(freshContents)
  return fresh
}
