import { type AccessName, encodeSyncStep1, encodeUpdate, ephemeralLimit, type SavingName } from '@weft/protocol'
import { ObservableV2 } from 'lib0/observable'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { DocumentEvents, DocumentSize } from './DocumentEvents.ts'
import { DocumentLink, type LinkHost, type LinkSettings } from './DocumentLink.ts'
import type { DocumentStatus } from './documentStatus.ts'
import { asError, type RefusedError, UnsavedError } from './errors.ts'
import { LocalCopy, type LocalCopyHost } from './LocalCopy.ts'
import type { LocalStore } from './LocalStore.ts'
import { Outbox } from './Outbox.ts'
import { SaveTracker } from './SaveTracker.ts'
import { TabChannel } from './TabChannel.ts'
import { withinTime } from './withinTime.ts'

export interface User {
  name: string
  /** A CSS colour, `#rrggbb`. */
  color: string
}

/** What `connect` hands over; every default is applied. */
export interface DocumentSettings extends LinkSettings {
  ydoc: Y.Doc | undefined
  awareness: Record<string, unknown> | null
  store: LocalStore | undefined
  /** Whether edits are shared with other tabs of this browser; a text: with those that give the same. */
  tabs: boolean | string
  /** Whether a page with edits that are nowhere safe asks before it is left. */
  asksBeforeLeaving: boolean
}

/**
 * Where an edit is safe: `server`: committed there, on its disk; `local`: in the local store, from which the next opening of
 * the document on this device brings it.
 */
export type SaveLevel = 'server' | 'local'

/** How long `close` waits for the last edits, in ms, if nothing else is asked. */
const CLOSE_TIMEOUT_MS = 10_000

/**
 * A document on a Weft server and its replica here. Made by `connect`.
 *
 * [D1] Every change of the `Y.Doc` that did not come from the server is a local edit, whoever made it: this program, an
 *      editor, a store, another provider. It is unsaved until the server has said that it is committed.
 * [D2] An edit that is made without a connection goes with the sync step 2 of the next one.
 * [D3] Nothing is discarded: whatever fails, the replica keeps its content until it is closed.
 */
export class WeftDocument {
  /** The shared content. Edit it like any `Y.Doc`. */
  readonly ydoc: Y.Doc
  /** Who is here: y-protocols' awareness. */
  readonly awareness: Awareness
  /** The document's name on the server, decoded: `team/notes`. */
  readonly documentId: string

  readonly #link: DocumentLink
  readonly #copy: LocalCopy | undefined
  readonly #tracker = new SaveTracker()
  readonly #outbox: Outbox
  readonly #events = new ObservableV2<DocumentEvents>()
  readonly #ownsYdoc: boolean
  readonly #asksBeforeLeaving: boolean
  readonly #tabsName: string | undefined
  #tabs: TabChannel | undefined
  readonly #ready: Promise<void>
  #opening: Promise<void> | undefined
  #becomeReady: () => void = () => {}
  #failReady: (error: Error) => void = () => {}
  /** The newest version that is kept on this device. */
  #keptVersion = 0
  #hadPending = false
  /** Something waits here for what it builds upon. */
  #isPending = false
  #isIncomplete = false
  /** How many have this document open: `close` is each one's own. */
  #holderCount = 1
  /** Its subdocuments that are open: its `close` is theirs. */
  readonly #parts = new Set<WeftDocument>()
  #isClosed = false
  #released: Promise<void> | undefined

  /** @internal Use `connect`. */
  constructor(settings: DocumentSettings) {
    const { address } = settings
    this.documentId = address.documentId
    this.#outbox = new Outbox(this.documentId)
    this.#ownsYdoc = settings.ydoc === undefined
    this.#asksBeforeLeaving = settings.asksBeforeLeaving
    const { tabs } = settings
    const part = address.params.part === undefined ? '' : `?part=${address.params.part}`
    const users = tabs === true ? '' : `#${tabs}`
    if (tabs !== false) this.#tabsName = `weft:${address.serverUrl}/${address.path}${part}${users}`
    this.ydoc = settings.ydoc ?? new Y.Doc()
    this.#copy = settings.store && new LocalCopy(settings.store, this.ydoc, this.#copyHost())
    this.#ready = new Promise((resolve, reject) => {
      this.#becomeReady = resolve
      this.#failReady = reject
    })
    // A content that was here before counts like any other edit. [D1]
    if (this.ydoc.store.clients.size > 0) this.#tracker.edited()
    this.ydoc.on('beforeTransaction', this.#beforeTransaction)
    this.ydoc.on('update', this.#update)
    this.ydoc.on('afterTransaction', this.#afterTransaction)
    this.ydoc.on('destroy', this.#destroyed)

    this.awareness = new Awareness(this.ydoc)
    this.awareness.setLocalState(settings.awareness)
    this.#link = new DocumentLink(settings, this.ydoc, this.awareness, this.#linkHost())
  }

  get status(): DocumentStatus {
    return this.#link.status
  }

  /** Whether the server takes edits of this client, as far as it has said so. Edits that it doesn't take stay in this replica. */
  get access(): AccessName {
    return this.#link.access
  }

  /**
   * How it stands at the server with storing edits, as its present connection was told: `saving`: all is well; `saving-failing`:
   * its writes fail, and are tried again; `disk-full`: no edits are taken, for too little space is left; `damaged`: none are
   * taken of this document. Edits that aren't saved stay in this replica, and go to the server when it takes them.
   */
  get saving(): SavingName {
    return this.#link.saving
  }

  /** How large it is on its server, once that has had reason to say so; `null`: fine. */
  get size(): DocumentSize | null {
    return this.#link.size
  }

  /** Whether the server's editor knows more than this one (`schemaVersion`), which therefore may only show the document. */
  get isOutdated(): boolean {
    return this.#link.isOutdated
  }

  /** Local edits that are not known to be committed on the server. */
  get unsaved(): number {
    return this.#tracker.unsavedCount
  }

  /** Local edits that are not known to be in the local store; without one, all. */
  get unsavedLocally(): number {
    return this.#tracker.version - this.#keptVersion
  }

  /**
   * Whether this replica holds edits that can't be shown, because what they build upon is missing: it has been asked for, and
   * the server doesn't have it. They are kept, and appear when somebody brings it.
   */
  get isIncomplete(): boolean {
    return this.#isIncomplete
  }

  /** Why the server refuses the document, while `status` is `refused`. */
  get refusal(): RefusedError | undefined {
    return this.#link.refusal
  }

  /**
   * Why the local store can't be used, if so (a `StoreError`): the document lives on, but is not kept on this device. It is
   * tried again from time to time, unless it is damaged.
   */
  get storeError(): Error | undefined {
    return this.#copy?.error
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Calls a listener at each event of a name (`DocumentEvents`).
   * @example
   * ```js
   * doc.on('unsaved', count => console.log(count))
   * append(doc, 'x') // → 1
   * await doc.saved() // → 0
   * ```
   */
  on<Name extends keyof DocumentEvents>(name: Name, listener: DocumentEvents[Name]): void {
    this.#events.on(name, listener)
  }

  /**
   * Calls a listener at the next event of a name.
   * @example
   * ```js
   * const isSaved = new Promise(resolve => doc.once('saved', resolve))
   * append(doc, 'x')
   * await isSaved
   * ```
   */
  once<Name extends keyof DocumentEvents>(name: Name, listener: DocumentEvents[Name]): void {
    this.#events.once(name, listener)
  }

  /**
   * Calls a listener no more.
   * @example
   * ```js
   * const listener = status => console.log(status)
   * doc.on('status', listener)
   * doc.off('status', listener)
   * doc.disconnect()
   * ```
   */
  off<Name extends keyof DocumentEvents>(name: Name, listener: DocumentEvents[Name]): void {
    this.#events.off(name, listener)
  }

  /**
   * Opens the store, then the connection.
   * @internal Called by `connect`, and by a client for each who opens the document.
   * @returns resolves when the content is here; rejects with the `RefusedError` of a server that refuses it.
   */
  open(): Promise<void> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<void> {
    await this.#copy?.open()
    if (this.isClosed) return this.#ready
    if (this.#tabsName !== undefined) {
      const isTrusted = () => this.status !== 'refused' && this.access === 'read-write'
      try {
        this.#tabs = new TabChannel(this.#tabsName, this.ydoc, isTrusted)
      } catch (error) {
        console.warn(`${this.documentId} is not shared with other tabs`, error)
      }
    }
    this.#link.connect()
    return this.#ready
  }

  /**
   * One more has this document open, and closes it.
   * @internal
   */
  retain(): void {
    this.#holderCount++
  }

  /**
   * A subdocument is saved and closed with this document.
   * @internal
   */
  adopt(part: WeftDocument): void {
    this.#parts.add(part)
    part.once('closed', () => this.#parts.delete(part))
  }

  /**
   * Resolves when every local edit up to this call is safe.
   * - `server` (default): committed on the server, however long that takes.
   * - `local`: in the local store. A store that fails is told at once; the document goes on trying, and so does another call.
   * @throws {RefusedError} the server refuses the document. {UnsavedError} it was closed before, or can only be read
   * here. {StoreError} the local store can't take them now. {TypeError} `local` without a store.
   * @example
   * ```js
   * append(doc, 'x')
   * await doc.saved() // kill -9 of the server takes it back no more
   * console.log(doc.unsaved) // → 0
   * ```
   */
  async saved(level: SaveLevel = 'server'): Promise<void> {
    if (level === 'local' && this.#copy === undefined) throw new TypeError(`${this.documentId} has no local store`)
    if (this.isClosed) throw this.#closedError()
    // A transaction that is running now ends before this continues, and its edits are counted.
    await undefined
    if (level === 'local') {
      await this.#copy?.flush()
      return
    }
    if (this.unsaved === 0) return
    if (this.refusal !== undefined) throw this.refusal
    if (this.isClosed) throw this.#closedError()
    if (this.#link.isDenied) throw this.#deniedError()
    const saved = this.#tracker.whenSaved()
    this.#link.askNow()
    return saved
  }

  /**
   * Sends a string to others who have the document open now. It is never stored: who is not here, or reads too slowly,
   * misses it. Messages of one sender keep their order; between messages and edits there is none.
   * Up to 80 leave at once, then 19 a second; more wait for their turn, and who awaits each `send` needs to know no rate.
   * @param payload at most 16 KiB of UTF-8
   * @param options `to`: client ids (of `awareness`), at most 100; one that is not here is passed over. Default: everybody else.
   * @returns resolves when the server has passed it on; that others have read it, nobody knows
   * @throws {MessageError} `OFFLINE`: without a connection, or it ended before; `TOO_FAST`: 100 messages wait already, or the
   * document has too many; `FORBIDDEN`: this client may not write. {RangeError} `payload` or `to` is too long.
   * @example
   * ```js
   * const other = await connect(url)
   * const heard = new Promise(resolve => other.on('message', resolve))
   * await doc.send('hello')
   * console.log((await heard).payload) // → hello
   * await other.close()
   * ```
   */
  async send(payload: string, { to }: { to?: readonly number[] } = {}): Promise<void> {
    if (typeof payload !== 'string') throw new TypeError('a message is a string')
    const { payloadBytes, clientIDs } = ephemeralLimit
    // Counted only where it can be too long: a character has at most three bytes.
    const bytes = payload.length * 3 <= payloadBytes ? 0 : new TextEncoder().encode(payload).length
    if (bytes > payloadBytes) throw new RangeError(`a message of ${bytes} bytes is over ${payloadBytes}`)
    if (to === undefined) return this.#outbox.send(payload, [])
    if (to.length > clientIDs) throw new RangeError(`a message to ${to.length} clients is over ${clientIDs}`)
    // On the wire, no ids are everybody else.
    if (to.length > 0) return this.#outbox.send(payload, to)
  }

  /**
   * Leaves the server and stays away until `reconnect`; the document can be edited meanwhile.
   * @example
   * ```js
   * doc.disconnect()
   * append(doc, 'written without a server')
   * console.log(doc.status, doc.unsaved) // → offline 1
   * doc.reconnect()
   * await doc.saved()
   * ```
   */
  disconnect(): void {
    if (!this.isClosed) this.#link.disconnect()
  }

  /**
   * Connects now: after `disconnect`, after a refusal whose cause is cured, or instead of waiting for the next attempt.
   * @example
   * ```js
   * doc.disconnect()
   * doc.reconnect()
   * await doc.saved()
   * ```
   */
  reconnect(): void {
    if (!this.isClosed) this.#link.reconnect()
  }

  /**
   * Asks the `token` function at once, and puts what it gives in the place of the token that this session has: when the user's
   * name or right has changed, say. It must be the same user's. Where the token is a text, there is nothing to ask.
   * @throws {Error} the function failed, or gave none within 30 s; the token before counts on. {TypeError} it gave what is none.
   * @example
   * ```js
   * await doc.renewToken()
   * console.log(doc.access) // → read-write
   * ```
   */
  async renewToken(): Promise<void> {
    if (!this.isClosed) await this.#link.renewToken()
  }

  /**
   * Waits until everything is saved and releases all: connection, timers, awareness, store.
   * Changes of the `Y.Doc` after that are nobody's concern.
   * @param options `saved`: the level to wait for (`true`: `server`); `false`: don't wait. Default `server`. What is local is
   * written in any case.
   * `timeoutMs`: longest wait. Default 10 000.
   * @throws {UnsavedError} not everything could be saved. The document is then still open and nothing is discarded.
   * @example
   * ```js
   * append(doc, 'the last word')
   * await doc.close()
   * ```
   */
  async close({
    saved = true,
    timeoutMs = CLOSE_TIMEOUT_MS,
  }: {
    saved?: boolean | SaveLevel
    timeoutMs?: number
  } = {}): Promise<void> {
    return this.#close(saved, timeoutMs, 1)
  }

  /**
   * As `close`, for all who have it open.
   * @internal
   */
  closeForAll({
    saved = true,
    timeoutMs = CLOSE_TIMEOUT_MS,
  }: Parameters<WeftDocument['close']>[0] = {}): Promise<void> {
    return this.#close(saved, timeoutMs, this.#holderCount)
  }

  async #close(saved: boolean | SaveLevel, timeoutMs: number, holders: number): Promise<void> {
    if (saved !== false && !this.#isClosed) await this.#saveWithin(saved === true ? 'server' : saved, timeoutMs)
    if (this.#isClosed) return this.#released
    this.#holderCount -= holders
    if (this.#holderCount > 0) return
    this.#released = this.#release()
    return this.#released
  }

  async #saveWithin(level: SaveLevel, timeoutMs: number): Promise<void> {
    // A subdocument has no store of its own where only its parent was given one.
    const isLocal = (document: WeftDocument) => level === 'local' && (document === this || document.#copy !== undefined)
    const count = () =>
      this.#withParts().reduce(
        (sum, document) => sum + (isLocal(document) ? document.unsavedLocally : document.unsaved),
        0,
      )
    const savedAll = () =>
      this.#withParts().map(document =>
        document.saved(isLocal(document) ? 'local' : 'server').catch(error => {
          if (document === this || !document.isClosed) throw error
        }),
      )
    const endsAt = performance.now() + timeoutMs
    const late = () => new Error(`no answer within ${timeoutMs / 1_000} s`)
    try {
      // Others may edit while this waits.
      do await withinTime(Promise.all(savedAll()), endsAt - performance.now(), late)
      while (count() > 0 && !this.isClosed)
    } catch (cause) {
      const why = asError(cause).message
      const where = level === 'local' ? 'on this device' : `(${this.status})`
      throw new UnsavedError(`${edits(count())} of ${this.documentId} not saved ${where}: ${why}`, count(), { cause })
    }
  }

  /** This document and its subdocuments, and theirs. */
  #withParts(): WeftDocument[] {
    return [this, ...[...this.#parts].flatMap(part => part.#withParts())]
  }

  /** Everything up to the first `await` is done at once: no edit slips between the last check and the end of counting. */
  async #release(): Promise<void> {
    this.#isClosed = true
    this.ydoc.off('beforeTransaction', this.#beforeTransaction)
    this.ydoc.off('update', this.#update)
    this.ydoc.off('afterTransaction', this.#afterTransaction)
    this.ydoc.off('destroy', this.#destroyed)
    // While the provider still listens: the others are told that this client leaves.
    this.awareness.destroy()
    this.#link.end()
    this.#tabs?.close()
    this.#outbox.closed()
    this.#tracker.fail(this.#closedError())
    this.#failReady(this.#closedError())
    // Whoever waits for the content has been told, or there is nobody.
    this.#ready.catch(() => {})
    for (const part of this.#parts) void part.close({ saved: false })
    this.#tell('closed')
    this.#events.destroy()
    await this.#copy?.close()
    if (this.#ownsYdoc && !this.ydoc.isDestroyed) this.ydoc.destroy()
  }

  #copyHost(): LocalCopyHost {
    return {
      edits: this.#tracker,
      loaded: () => this.#isHere(),
      kept: version => {
        if (version === this.#keptVersion) return
        this.#keptVersion = version
        this.#tellUnsaved()
      },
      storeChanged: error => {
        this.#tellUnsaved()
        this.#tell('storeError', error)
      },
    }
  }

  #linkHost(): LinkHost {
    return {
      edits: this.#tracker,
      tell: (name, ...args) => this.#tell(name, ...args),
      synced: () => this.#isHere(),
      connectionChanged: connection => {
        if (connection === null) this.#outbox.closed()
        else this.#outbox.opened(connection)
      },
      refused: error => {
        this.#tracker.fail(error)
        this.#failReady(error)
        this.#tell('refused', error)
      },
      denied: reason => {
        if (this.#link.isDenied) this.#tracker.fail(this.#deniedError())
        this.#tell('denied', reason)
      },
      receipt: outcome => this.#outbox.received(outcome),
      answered: () => this.#setIncomplete(this.#isPending),
      acknowledged: version => this.#acknowledged(version),
    }
  }

  readonly #beforeTransaction = (transaction: Y.Transaction): void => {
    if (transaction.origin === this.#link.origin) this.#hadPending = hasPending(this.ydoc)
  }

  readonly #update = (update: Uint8Array, origin: unknown): void => {
    if (origin !== this.#copy) this.#copy?.add(update)
    if (origin === this.#tabs) this.#isHere()
    if (origin === this.#link.origin) {
      if (!this.#hadPending) return
      // What waited here for its predecessor (from a store, say) may have been applied together with the server's update:
      // the provider does not forward that, and the server may not have it.
      this.#link.send(encodeUpdate(update))
    }
    if (origin !== this.#tabs && origin !== this.#copy) this.#tabs?.send(update)
    this.#tracker.edited()
    this.#tellUnsaved()
    this.#link.askSoon()
  }

  // What is missing was asked for with the connection's sync step 1, or is asked for now; then the server says all that it has.
  readonly #afterTransaction = (): void => {
    const isPending = hasPending(this.ydoc)
    if (isPending === this.#isPending) return
    this.#isPending = isPending
    if (!isPending) this.#setIncomplete(false)
    else if (this.status === 'synced') this.#link.send(encodeSyncStep1(Y.encodeStateVector(this.ydoc)))
  }

  #setIncomplete(isIncomplete: boolean): void {
    if (isIncomplete === this.#isIncomplete) return
    this.#isIncomplete = isIncomplete
    this.#tell('incomplete', isIncomplete)
  }

  /** The content is here. */
  #isHere(): void {
    this.#becomeReady()
    // Who waits for `whenLoaded` of a subdocument, or of any.
    if (!this.ydoc.isLoaded) this.ydoc.emit('load', [this.ydoc])
  }

  readonly #destroyed = (): void => {
    if (!this.#isClosed) this.#released = this.#release()
  }

  #acknowledged(version: number): void {
    if (!this.#tracker.acknowledged(version)) return
    this.#tellUnsaved()
    if (this.unsaved === 0) this.#tell('saved')
  }

  #deniedError(): UnsavedError {
    return new UnsavedError(`${this.documentId} can only be read here, ${edits(this.unsaved)} not saved`, this.unsaved)
  }

  #tellUnsaved(): void {
    const isKept = this.unsavedLocally === 0 && this.storeError === undefined
    this.#link.setAsking(this.#asksBeforeLeaving && this.unsaved > 0 && !isKept)
    this.#tell('unsaved', this.unsaved, this.unsavedLocally)
  }

  #closedError(): UnsavedError {
    return new UnsavedError(`${this.documentId} is closed, ${edits(this.unsaved)} not saved`, this.unsaved)
  }

  #tell<Name extends keyof DocumentEvents>(name: Name, ...args: Parameters<DocumentEvents[Name]>): void {
    try {
      this.#events.emit(name, args)
    } catch (error) {
      // A listener's mistake is the program's to hear of, as with any event target, and not this connection's end.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

/** Whether something waits for what it builds upon: structs or deletions. */
function hasPending({ store }: Y.Doc): boolean {
  return store.pendingStructs !== null || store.pendingDs !== null
}

function edits(count: number): string {
  return count === 1 ? '1 edit' : `${count} edits`
}
