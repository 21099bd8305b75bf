import type { UpdateContents } from '../crdt/readUpdate.ts'
import type { StateVector } from '../crdt/stateVector.ts'

/**
 * A sync that a Hocuspocus provider began, until its own answer has come: which of its updates it counts. What it typed offline it
 * sends once more after its sync step 1, and has forgotten that it counted it. To pay for it would let the provider call a later
 * edit safe; to pay too little never does.
 */
export class BegunSync {
  readonly #stateVector: StateVector | null

  /** @param stateVector of the sync step 1; null: not known any more, so that no update is taken for a counted one */
  constructor(stateVector: StateVector | null) {
    this.#stateVector = stateVector
  }

  /** Clients that are held in memory. */
  get clientCount(): number {
    return this.#stateVector?.size ?? 0
  }

  /** Whether an update was typed after the sync began. */
  counts({ structs }: UpdateContents): boolean {
    const stateVector = this.#stateVector
    if (stateVector === null) return false
    for (const [clientID, { end }] of structs) if (end > (stateVector.get(clientID) ?? 0)) return true
    return false
  }
}
