import type { User, WeftDocument } from '@weft/client'
import { fragmentOf } from '@weft/client/text'
import { type Caret, caretAfter } from './caretAfter.ts'
import { ToolError } from './ToolError.ts'

/** How long a call waits until its edit is on the server's disk, in ms … */
const SAVE_LIMIT_MS = 10_000
/** … and for a connection: one that broke comes back within 2.5 s where there is a server. */
const OFFLINE_LIMIT_MS = 4_000
/** As many characters of a name as the editor shows. */
const MAX_NAME_LENGTH = 60

/**
 * Whether an edit is on the server's disk. `waits`: it is in this process alone, and goes to the server when that is reached;
 * `why` says what is in the way.
 */
export type SaveState = { readonly state: 'saved' } | { readonly state: 'waits'; readonly why: string }

interface SessionOptions {
  /** How people see the agent, once it edits. */
  readonly user: () => User
  /** How long they see it after an edit. */
  readonly lingerMs: number
}

/** An agent's part in one document: a replica that follows it, and what people see of the agent. */
export class AgentSession {
  readonly document: WeftDocument
  /** Calls and subscriptions that need it now. */
  userCount = 0
  readonly #options: SessionOptions
  #hiding: NodeJS.Timeout | undefined

  constructor(document: WeftDocument, options: SessionOptions) {
    this.document = document
    this.#options = options
  }

  /**
   * Changes the document, at once, and shows the agent's caret there.
   * @throws {ToolError} it can only be read. What `change` throws: then the agent stays as hidden as it was.
   */
  edit<T>(change: () => T): T {
    if (this.document.access === 'read-only') {
      throw new ToolError('this document can only be read with this token (WEFT_TOKEN): nothing was changed in it')
    }
    let caret: Caret | null = null
    const fragment = fragmentOf(this.document)
    const follow: Parameters<typeof fragment.observeDeep>[0] = events => {
      caret = caretAfter(events) ?? caret
    }
    fragment.observeDeep(follow)
    try {
      const result = this.document.ydoc.transact(change)
      // Observers are called at the end of the transaction: now it is known where the edit was.
      this.#show(caret)
      return result
    } finally {
      fragment.unobserveDeep(follow)
    }
  }

  /** Waits a while for the server's disk. @throws {RefusedError} {UnsavedError} the server never takes the edit */
  async saved(): Promise<SaveState> {
    const { document } = this
    const timers: NodeJS.Timeout[] = []
    const limit = new Promise<SaveState>(resolve => {
      const offline = () => {
        if (document.status !== 'synced') resolve({ state: 'waits', why: 'the server cannot be reached now' })
      }
      const silent = () => resolve({ state: 'waits', why: 'the server has not confirmed it yet' })
      timers.push(setTimeout(offline, OFFLINE_LIMIT_MS), setTimeout(silent, SAVE_LIMIT_MS))
    })
    try {
      return await Promise.race([document.saved().then((): SaveState => ({ state: 'saved' })), limit])
    } finally {
      for (const timer of timers) clearTimeout(timer)
    }
  }

  /** Names of those whom people see in the document, the agent itself left out. */
  get others(): string[] {
    const { awareness } = this.document
    const names = new Set<string>()
    for (const [clientID, state] of awareness.getStates()) {
      if (clientID === awareness.clientID) continue
      // Anybody's JSON.
      const user: unknown = state.user
      const name: unknown = typeof user === 'object' && user !== null ? Reflect.get(user, 'name') : undefined
      if (typeof name === 'string' && name.trim() !== '') names.add(name.trim().slice(0, MAX_NAME_LENGTH))
    }
    return [...names].sort()
  }

  /** People don't see the agent here any more. */
  hide(): void {
    clearTimeout(this.#hiding)
    if (this.document.awareness.getLocalState() !== null) this.document.awareness.setLocalState(null)
  }

  #show(caret: Caret | null): void {
    const { user, lingerMs } = this.#options
    this.document.awareness.setLocalState({ user: user(), ...(caret !== null && { cursor: caret }) })
    clearTimeout(this.#hiding)
    this.#hiding = setTimeout(() => this.hide(), lingerMs)
    this.#hiding.unref()
  }
}
