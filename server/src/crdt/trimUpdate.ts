import * as Y from 'yjs'
import { encodeStateVector, type StateVector } from './stateVector.ts'

/**
 * Cuts off the operations that a log has already; the delete set stays.
 *
 * Two tabs that pass on the same offline work send overlapping runs, and a client may send an operation again with other
 * content. The log keeps the first of each, and nothing twice: Yjs doesn't apply a run of which it knows a part under
 * another shape (its beginning as garbage-collected, say) without an exception.
 * @param update a closed update that `readUpdate` took
 * @returns an update that begins, for each client, at its clock in `stateVector`, or later
 */
export function trimUpdate(update: Uint8Array, stateVector: StateVector): Uint8Array {
  return Y.diffUpdate(update, encodeStateVector(stateVector))
}
