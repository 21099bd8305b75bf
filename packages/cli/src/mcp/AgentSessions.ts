import type { User } from '@weft/client'
import type { DocumentId } from '@weft/protocol'
import { DocumentClient } from '../DocumentClient.ts'
import { CommandError } from '../errors.ts'
import { quoteName } from '../quoteName.ts'
import type { ServerAddress } from '../serverAddress.ts'
import { AgentSession } from './AgentSession.ts'

/** How long a document may take to open, in ms. */
const OPEN_LIMIT_MS = 15_000
/** Documents that stay open, at most, while nobody needs them. */
const MAX_IDLE = 32

interface SessionsOptions {
  readonly server: ServerAddress
  /** How people see the agent. */
  readonly user: () => User
  /** How long people see it after an edit, and a document stays open after a call. */
  readonly lingerMs: number
  /** Says something to the person who runs this. */
  readonly note: (line: string) => void
}

interface Entry {
  readonly opening: Promise<AgentSession>
  /** Runs while nobody needs the session. */
  leaving: NodeJS.Timeout | undefined
}

/**
 * The documents that an agent is in: opened when a call needs one, shared by calls, left a while after the last one.
 *
 * [A1] A document with edits that are not on the server's disk is not left by itself.
 * [A2] An edit that the server never takes ends its session: the next call begins with what the server has.
 */
export class AgentSessions {
  readonly #options: SessionsOptions
  /** What was used last is last. */
  readonly #entries = new Map<DocumentId, Entry>()

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /**
   * Works with a document.
   * @throws {CommandError} it can't be opened. What `work` throws.
   */
  async use<T>(documentId: DocumentId, work: (session: AgentSession) => T | Promise<T>): Promise<T> {
    const session = await this.hold(documentId)
    try {
      return await work(session)
    } catch (error) {
      const { access, unsaved, refusal } = session.document
      // [A2]
      if (refusal !== undefined || (access === 'read-only' && unsaved > 0)) this.#end(documentId, session)
      throw error
    } finally {
      this.release(documentId, session)
    }
  }

  /** Keeps a document open until `release`. @throws {CommandError} it can't be opened */
  async hold(documentId: DocumentId): Promise<AgentSession> {
    const entry = this.#entries.get(documentId) ?? this.#open(documentId)
    this.#entries.delete(documentId)
    this.#entries.set(documentId, entry)
    const session = await entry.opening
    clearTimeout(entry.leaving)
    session.userCount++
    return session
  }

  release(documentId: DocumentId, session: AgentSession): void {
    session.userCount--
    if (session.userCount > 0 || session.document.isClosed) return
    this.#leaveLater(documentId, session)
    if (this.#entries.size > MAX_IDLE) void this.#leaveOldest()
  }

  /** Leaves one document now, if it is open. */
  async leave(documentId: DocumentId): Promise<void> {
    const session = await this.#entries.get(documentId)?.opening.catch(() => undefined)
    if (session !== undefined) this.#end(documentId, session)
  }

  /**
   * Leaves all documents, when their edits are saved.
   * @returns what could not be saved, a line for each
   */
  async close(): Promise<string[]> {
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    const problems = await Promise.all(
      entries.map(async ({ opening, leaving }) => {
        clearTimeout(leaving)
        const session = await opening.catch(() => undefined)
        session?.hide()
        try {
          await session?.document.close()
          return []
        } catch (error) {
          await session?.document.close({ saved: false })
          return [error instanceof Error ? error.message : String(error)]
        }
      }),
    )
    return problems.flat()
  }

  #open(documentId: DocumentId): Entry {
    const { server, note } = this.#options
    const limit = new AbortController()
    const timer = setTimeout(() => {
      const what = `${server.url} does not give ${quoteName(documentId)} within ${OPEN_LIMIT_MS / 1000} s`
      limit.abort(new CommandError(what))
    }, OPEN_LIMIT_MS)
    // One client for each document: whether there is a server is found out anew, and told at once.
    const opening = new DocumentClient(server, limit.signal)
      .open(documentId)
      .then(document => {
        const session = new AgentSession(document, this.#options)
        document.on('refused', error => {
          if (document.unsaved > 0) note(`weft: ${error.message}; ${document.unsaved} edits of the agent are lost`)
          this.#end(documentId, session)
        })
        return session
      })
      .finally(() => clearTimeout(timer))
    const entry: Entry = { opening, leaving: undefined }
    opening.catch(() => this.#forget(documentId, entry))
    return entry
  }

  #leaveLater(documentId: DocumentId, session: AgentSession): void {
    const entry = this.#entries.get(documentId)
    if (entry === undefined) return
    clearTimeout(entry.leaving)
    entry.leaving = setTimeout(() => {
      // [A1]
      if (session.document.unsaved > 0) this.#leaveLater(documentId, session)
      else this.#end(documentId, session)
    }, this.#options.lingerMs)
    entry.leaving.unref()
  }

  async #leaveOldest(): Promise<void> {
    for (const [documentId, { opening }] of this.#entries) {
      const session = await opening.catch(() => undefined)
      if (session === undefined || session.userCount > 0 || session.document.unsaved > 0) continue
      this.#end(documentId, session)
      return
    }
  }

  #end(documentId: DocumentId, session: AgentSession): void {
    const entry = this.#entries.get(documentId)
    if (session.document.isClosed) return
    session.hide()
    session.document.close({ saved: false }).catch(error => this.#options.note(`weft: ${error}`))
    // An entry lives as long as its document is open: this one is the session's.
    if (entry !== undefined) this.#forget(documentId, entry)
  }

  #forget(documentId: DocumentId, entry: Entry): void {
    clearTimeout(entry.leaving)
    if (this.#entries.get(documentId) === entry) this.#entries.delete(documentId)
  }
}
