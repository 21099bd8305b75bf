import type { DocumentId } from '@weft/protocol'
import { type Holder, Turnstile } from '../Turnstile.ts'

/** One thing at a time for each document, in the order of the calls. */
export class DocumentTurns {
  readonly #maxWaiting: number
  readonly #maxWaitingPerUser: number
  readonly #turns = new Map<DocumentId, Turnstile>()

  /** @param maxWaiting of one document; who comes then is refused @param maxWaitingPerUser of them, as of `Turnstile` */
  constructor(maxWaiting: number, maxWaitingPerUser: number) {
    this.#maxWaiting = maxWaiting
    this.#maxWaitingPerUser = maxWaitingPerUser
  }

  /** @throws {WeftError} `WORKER_BUSY` */
  async pass<T>(documentId: DocumentId, work: () => Promise<T>, holder?: Holder): Promise<T> {
    const turn = this.#turns.get(documentId) ?? new Turnstile(1, this.#maxWaiting, this.#maxWaitingPerUser)
    this.#turns.set(documentId, turn)
    try {
      return await turn.pass(work, holder)
    } finally {
      if (turn.isFree) this.#turns.delete(documentId)
    }
  }
}
