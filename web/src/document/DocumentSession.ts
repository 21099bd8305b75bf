import { type ReadonlySignal, signal } from '@preact/signals'
import { connect, RefusedError, type WeftDocument } from '@weft/client'
import { indexedDbStore } from '@weft/client/indexeddb'
import { closeCode, parseCloseReason } from '@weft/protocol'
import { SCHEMA_VERSION } from '@weft/schema/version'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { base } from '../base.ts'
import { isGuest, tokenIn, userIn } from '../device/guest.ts'
import { mayWriteIn } from '../device/mayWriteIn.ts'
import { type UnsavedMark, unsavedMark } from '../device/unsavedMark.ts'
import { serverUrl } from '../route.ts'
import { Uploads } from '../uploads/Uploads.ts'
import { sizeText } from '../uploads/uploadFile.ts'
import { type RefusalText, refusalText } from './refusalText.ts'
import {
  isAllKept,
  nextKeptSince,
  nextWaitingSince,
  type SaveFacts,
  type ShownSaveState,
  saveState,
} from './saveState.ts'

/**
 * - `opening`: no content yet, neither from this device nor from the server;
 * - `open`: content is here and can be edited;
 * - `refused`: the server refuses the document, and nothing of it is on this device;
 * - `failed`: the page can't open it (a fault of ours or of the browser).
 */
export type Phase =
  | { phase: 'opening'; isSlow: boolean }
  | { phase: 'open'; ydoc: Y.Doc; awareness: Awareness }
  | { phase: 'refused'; refusal: RefusalText }
  | { phase: 'failed'; message: string }

/**
 * What has become of somebody's right to write while the document was open; `why`: where it isn't for the right: the server's plight,
 * or this page's age.
 */
export interface AccessChange {
  readonly change: 'shrunk' | 'widened' | null
  readonly why: 'disk-full' | 'damaged' | 'outdated' | null
  /** Whether the server had everything at that moment. */
  readonly wasSaved: boolean
}

/** The limit that a refusal names (the server's `room/Session.ts`); `null`: it is about something else. */
function sizeLimitIn(reason: string): number | null {
  const bytes = /at its size limit, (\d+) bytes/u.exec(reason)?.[1]
  return bytes === undefined ? null : Number(bytes)
}

/** How much of what it may have a document has, in bytes. */
export interface DocumentSize {
  readonly bytes: number
  readonly limitBytes: number
}

function largeSize({ size }: WeftDocument): DocumentSize | null {
  return size?.state === 'large' ? { bytes: size.bytes, limitBytes: size.limitBytes } : null
}

function fullAtBytes({ size }: WeftDocument): number | null {
  return size?.state === 'full' ? size.limitBytes : null
}

/** A guest who is refused is let try again by the link after so long, in ms: not in circles. */
const reenterAfterMs = 60_000

/** Time after which a page that still waits for its first content says so, in ms. */
const slowAfterMs = 4_000

/** Why nobody may write in it here, where it isn't for the right. */
function plightOf({ access, saving, isOutdated }: WeftDocument): AccessChange['why'] {
  if (access === 'read-only' && isOutdated) return 'outdated'
  return access === 'read-only' && (saving === 'disk-full' || saving === 'damaged') ? saving : null
}

/**
 * The database of a document on this device: each user's own, where tokens say whose they are. The next one at this browser must
 * neither see what the one before may read, nor bring that one's edits to the server. Servers under several paths of one host
 * share their databases: `//`, which no document's name has, ends the path, and the user.
 */
function storeName(documentId: string, user: string | null): string {
  const place = base === '/' ? 'weft' : `weft:${base}`
  return user === null ? `${place}/${documentId}` : `${place}@${encodeURIComponent(user)}//${documentId}`
}

/** What a person is to the others: awareness `user`. */
export interface AwarenessUser {
  id: string
  name: string
  color: string
}

/**
 * One document in this page, from opening to leaving: the replica, its copy on this device, its connection, and what the
 * state line says. All of the editor that knows of `@weft/client`.
 */
export class DocumentSession {
  readonly documentId: string
  /** The replica; empty until `phase` is `open`. */
  readonly ydoc = new Y.Doc()
  /** Images that this person puts into it. */
  readonly uploads: Uploads
  readonly #phase = signal<Phase>({ phase: 'opening', isSlow: false })
  readonly #save = signal<ShownSaveState>({ state: 'opening', text: 'Opening…', changesAt: null })
  readonly #refusal = signal<RefusalText | null>(null)
  readonly #isReadOnly = signal(false)
  readonly #isKept = signal(true)
  readonly #fullAtBytes = signal<number | null>(null)
  readonly #large = signal<DocumentSize | null>(null)
  readonly #access = signal<AccessChange>({ change: null, why: null, wasSaved: false })
  /** When a guest's token was last asked for anew because the server had refused the one before, in ms. */
  #reenteredAt = Number.NEGATIVE_INFINITY
  #facts: SaveFacts = {
    status: 'opening',
    unsavedCount: 0,
    isOnlyCopy: false,
    waitingSince: null,
    isKept: true,
    isReadOnly: false,
    unkeptCount: 0,
    keptSince: 0,
    isOnlyShown: false,
    refusal: null,
    saving: 'saving',
    fullAtBytes: null,
  }
  #document: WeftDocument | undefined
  /** The size limit for which an edit was refused that is still not saved, in bytes. */
  #refusedAtBytes: number | null = null
  /** Unsaved edits that nobody made in this page: the copy on this device, until the server has acknowledged it. */
  #copyCount = 0
  /** Whether this person may write, asked where the document is full; `asking`: the answer isn't here. */
  #isWriter: boolean | 'asking' | null = null
  readonly #storeName: string
  readonly #mark: UnsavedMark
  #user: AwarenessUser
  #abort = new AbortController()
  #slow: ReturnType<typeof setTimeout> | undefined
  #tick: ReturnType<typeof setTimeout> | undefined

  constructor(documentId: string, user: AwarenessUser) {
    this.documentId = documentId
    this.uploads = new Uploads(documentId, () => this.#facts.status !== 'offline')
    this.#user = user
    this.#storeName = storeName(documentId, userIn(documentId))
    this.#mark = unsavedMark(this.#storeName)
    this.#open()
  }

  get phase(): ReadonlySignal<Phase> {
    return this.#phase
  }

  get save(): ReadonlySignal<ShownSaveState> {
    return this.#save
  }

  /** Why the server refuses a document whose content is here; `null` if it doesn't. */
  get refusal(): ReadonlySignal<RefusalText | null> {
    return this.#refusal
  }

  /** Whether the server takes no edits of this person. */
  get isReadOnly(): ReadonlySignal<boolean> {
    return this.#isReadOnly
  }

  /** The size limit that the document has reached, in bytes: only deleting is taken; `null`: it hasn't. */
  get fullAtBytes(): ReadonlySignal<number | null> {
    return this.#fullAtBytes
  }

  /** The document's size where the server calls it large, though not full; `null`: it doesn't. */
  get large(): ReadonlySignal<DocumentSize | null> {
    return this.#large
  }

  /** What has become of this person's right to write, and why. */
  get access(): ReadonlySignal<AccessChange> {
    return this.#access
  }

  /** Whether this device keeps a copy of the document, with every edit. */
  get isKept(): ReadonlySignal<boolean> {
    return this.#isKept
  }

  setUser(user: AwarenessUser): void {
    this.#user = user
    this.#document?.awareness.setLocalStateField('user', user)
  }

  /** Has the server know the newest token, and the others what it says of this person. */
  async renewToken(): Promise<void> {
    const document = this.#document
    await document?.renewToken()
    // The server puts into it what the token says.
    if (document === this.#document) document?.awareness.setLocalStateField('user', this.#user)
  }

  /** Whether the page shows this document and takes no edits, for it doesn't know all that is in it. */
  setOnlyShown(isOnlyShown: boolean): void {
    if (this.#facts.isOnlyShown !== isOnlyShown) this.#change({ isOnlyShown })
  }

  /** Asks the server again, after it refused or instead of waiting. */
  retry(): void {
    if (this.#document !== undefined) {
      this.#refusal.value = null
      this.#change({ refusal: null })
      this.#document.reconnect()
    } else if (this.#phase.value.phase !== 'opening') {
      this.#phase.value = { phase: 'opening', isSlow: false }
      this.#change({ status: 'opening', refusal: null })
      this.#open()
    }
  }

  /** Leaves the document. What is unsaved is waited for a while, and stays on this device in any case. */
  async close(): Promise<void> {
    clearTimeout(this.#slow)
    clearTimeout(this.#tick)
    this.#abort.abort()
    this.uploads.stop()
    const document = this.#document
    this.#document = undefined
    if (document !== undefined) {
      document.awareness.setLocalState(null)
      const isWorthWaiting = document.status === 'synced' || document.status === 'connecting'
      await document.close({ saved: isWorthWaiting }).catch(() => document.close({ saved: false }))
    }
    this.ydoc.destroy()
  }

  #open(): void {
    const abort = new AbortController()
    this.#abort = abort
    clearTimeout(this.#slow)
    this.#slow = setTimeout(() => {
      if (this.#phase.value.phase === 'opening') this.#phase.value = { phase: 'opening', isSlow: true }
    }, slowAfterMs)
    connect(serverUrl(location), {
      documentId: this.documentId,
      token: () => tokenIn(this.documentId),
      ydoc: this.ydoc,
      awareness: { user: this.#user },
      store: indexedDbStore(this.#storeName),
      schemaVersion: SCHEMA_VERSION,
      tabs: this.#storeName,
      signal: abort.signal,
    }).then(
      document => {
        clearTimeout(this.#slow)
        if (abort.signal.aborted) void document.close({ saved: false })
        else this.#opened(document)
      },
      (error: unknown) => {
        clearTimeout(this.#slow)
        if (!abort.signal.aborted) this.#notOpened(error)
      },
    )
  }

  #opened(document: WeftDocument): void {
    this.#document = document
    this.#copyCount = this.#mark.isSet() ? 0 : document.unsaved
    document.awareness.setLocalStateField('user', this.#user)
    document.on('status', () => this.#read(document))
    document.on('unsaved', () => this.#read(document))
    document.on('storeError', () => this.#read(document))
    document.on('saved', () => {
      // Whatever the server let pass by before, it has everything now.
      if (this.#refusal.value === null) this.#change({ refusal: null })
      this.#read(document)
    })
    document.on('refused', error => this.#refused(error))
    document.on('access', (_access, isFirst) => {
      this.#accessChanged(document, isFirst)
      // What was refused before is taken now, or the server says so again.
      if (this.#refusal.value === null) this.#change({ refusal: null })
      this.#read(document)
    })
    document.on('saving', () => this.#read(document))
    document.on('size', () => {
      // What was refused for its size may be taken now.
      if (fullAtBytes(document) === null && this.#refusal.value === null) this.#change({ refusal: null })
      this.#read(document)
    })
    document.on('denied', reason => this.#denied(document, parseCloseReason(reason).text))
    this.#read(document)
    if (document.refusal !== undefined) this.#refused(document.refusal)
    this.#phase.value = { phase: 'open', ydoc: document.ydoc, awareness: document.awareness }
  }

  #notOpened(error: unknown): void {
    if (error instanceof RefusedError) {
      const refusal = refusalText(error.code, error.word, error.reason)
      this.#phase.value = { phase: 'refused', refusal }
      this.#change({ status: 'refused', refusal: refusal.short })
    } else {
      console.error(error)
      const message = error instanceof Error ? error.message : String(error)
      this.#phase.value = { phase: 'failed', message }
      this.#change({ status: 'refused', refusal: message })
    }
  }

  #accessChanged(document: WeftDocument, isFirst: boolean): void {
    const isReader = this.#readsOnly(document)
    if (isReader === this.#isReadOnly.value) return
    // The first thing that the server says of it is no change.
    const change = isFirst ? null : isReader ? 'shrunk' : 'widened'
    this.#access.value = { change, why: plightOf(document), wasSaved: !isFirst && document.unsaved === 0 }
  }

  #refused(error: RefusedError): void {
    // A guest's token may have ended while this device slept, or the link to the server was down: there may be another.
    if (error.code === closeCode.unauthorized.code && isGuest(this.documentId)) {
      const now = performance.now()
      if (now - this.#reenteredAt > reenterAfterMs) {
        this.#reenteredAt = now
        this.#document?.reconnect()
        return
      }
    }
    const refusal = refusalText(error.code, error.word, error.reason)
    this.#refusal.value = refusal
    this.#change({ status: 'refused', refusal: refusal.short })
  }

  #denied(document: WeftDocument, reason: string): void {
    // An edit that would make it larger than it may be; what is stored may still be smaller.
    this.#refusedAtBytes = sizeLimitIn(reason) ?? this.#refusedAtBytes
    if (this.#refusedAtBytes !== null) this.#read(document)
    if (this.#refusedAtBytes !== null) this.#change({ refusal: fullText(this.#refusedAtBytes) })
    else if (document.size?.state === 'full') this.#change({ refusal: fullText(document.size.limitBytes) })
    else if (document.access === 'read-only') this.#change({ refusal: 'you may only read this document' })
    else this.#change({ refusal: reason === '' ? 'the server refuses edits' : reason })
  }

  #read(document: WeftDocument): void {
    const before = this.#facts
    const { unsaved: unsavedCount, unsavedLocally: unkeptCount } = document
    const now = performance.now()
    // The oldest are acknowledged first.
    if (unsavedCount < this.#copyCount) this.#copyCount = 0
    if (document.status !== 'refused') this.#refusal.value = null
    this.#isReadOnly.value = this.#readsOnly(document)
    // The server says why before or after it says that nobody writes, and may have said both before this page listened.
    const why = plightOf(document)
    if (why !== this.#access.peek().why) this.#access.value = { ...this.#access.peek(), why }
    // Everything was taken after all: what is too much was deleted.
    if (unsavedCount === 0) this.#refusedAtBytes = null
    this.#fullAtBytes.value = fullAtBytes(document) ?? this.#refusedAtBytes
    const large = largeSize(document)
    if (large?.bytes !== this.#large.peek()?.bytes) this.#large.value = large
    this.#change({
      status: document.status,
      unsavedCount,
      isOnlyCopy: unsavedCount <= this.#copyCount,
      waitingSince: nextWaitingSince(before.unsavedCount, unsavedCount, before.waitingSince, now),
      isKept: document.storeError === undefined,
      isReadOnly: this.#isReadOnly.value,
      saving: document.saving,
      fullAtBytes: this.#fullAtBytes.value,
      unkeptCount,
      keptSince: nextKeptSince(before.unkeptCount, unkeptCount, before.keptSince, now),
    })
  }

  /** Of a full document the server says to everybody that it can only be read; who may write may delete, to make room. */
  #readsOnly(document: WeftDocument): boolean {
    if (document.access !== 'read-only') {
      this.#isWriter = null
      return false
    }
    if (plightOf(document) !== null) return true
    // Room again: what follows for the right is told next.
    if (document.size?.state !== 'full') return this.#isWriter !== true
    if (this.#isWriter === null) {
      this.#isWriter = 'asking'
      void mayWriteIn(this.documentId).then(isWriter => {
        if (this.#document !== document || this.#isWriter !== 'asking') return
        this.#isWriter = isWriter ?? false
        this.#read(document)
      })
    }
    // Until then as before: an editor that is locked for a moment loses the caret.
    return this.#isWriter === 'asking' ? this.#isReadOnly.peek() : !this.#isWriter
  }

  #change(facts: Partial<SaveFacts>): void {
    const before = this.#facts
    const next = { ...before, ...facts }
    // An edit waits for the server from the moment that there is one to wait for.
    if (before.status !== 'synced' && next.status === 'synced' && next.unsavedCount > 0)
      next.waitingSince = performance.now()
    this.#facts = next
    this.#isKept.value = isAllKept(next)
    this.#show()
  }

  #show(): void {
    clearTimeout(this.#tick)
    const now = performance.now()
    const shown = saveState(this.#facts, now)
    this.#save.value = shown
    const { status, unsavedCount, isOnlyCopy } = this.#facts
    if (status === 'synced' && unsavedCount === 0) this.#mark.set(false)
    // Not at every letter: most are acknowledged before anybody asks.
    else if (!isOnlyCopy && shown.state !== 'pending' && shown.state !== 'reading') this.#mark.set(true)
    // One more millisecond: timers may fire a little early.
    if (shown.changesAt !== null) this.#tick = setTimeout(() => this.#show(), shown.changesAt - now + 1)
  }
}

/** Goes on after "Can’t save: ". */
function fullText(limitBytes: number): string {
  return `the document is at its size limit (${sizeText(limitBytes)}); deleting makes room`
}
