import { fragmentOf } from '@weft/client/text'
import type { DocumentId } from '@weft/protocol'
import type { AgentSession } from './AgentSession.ts'
import type { AgentSessions } from './AgentSessions.ts'

/** Changes that come within so many ms are told as one. */
const PAUSE_MS = 500

interface Watch {
  readonly opening: Promise<AgentSession>
  end(): void
}

/** Documents whose changes somebody wants to hear of: kept open for that, without being seen in them. */
export class DocumentWatches {
  readonly #sessions: AgentSessions
  readonly #tell: (documentId: DocumentId) => void
  readonly #watches = new Map<DocumentId, Watch>()

  constructor(sessions: AgentSessions, tell: (documentId: DocumentId) => void) {
    this.#sessions = sessions
    this.#tell = tell
  }

  /** Resolves when it follows the document. @throws {CommandError} it can't be opened */
  async add(documentId: DocumentId): Promise<void> {
    const known = this.#watches.get(documentId)
    if (known !== undefined) {
      await known.opening
      return
    }
    let timer: NodeJS.Timeout | undefined
    const changed = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        this.#tell(documentId)
      }, PAUSE_MS)
      timer.unref()
    }
    const opening = this.#sessions.hold(documentId)
    const end = () => {
      clearTimeout(timer)
      this.#watches.delete(documentId)
      opening.then(
        session => {
          fragmentOf(session.document).unobserveDeep(changed)
          this.#sessions.release(documentId, session)
        },
        () => {},
      )
    }
    this.#watches.set(documentId, { opening, end })
    try {
      const { document } = await opening
      if (!this.#watches.has(documentId)) return
      fragmentOf(document).observeDeep(changed)
      // Deleted, or no right any more: that is a change, too, and the last one.
      document.on('refused', () => {
        this.#tell(documentId)
        end()
      })
    } catch (error) {
      this.#watches.delete(documentId)
      throw error
    }
  }

  remove(documentId: DocumentId): void {
    this.#watches.get(documentId)?.end()
  }

  close(): void {
    for (const watch of [...this.#watches.values()]) watch.end()
  }
}
