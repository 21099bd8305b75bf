import { TextTracker } from '@weft/schema'
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { fragmentOf, type HasYdoc } from './fragmentOf.ts'

/** A client that has written something. */
export interface Author {
  /** Yjs's number of it, as in `awareness`. */
  readonly clientID: number
  /** As it showed itself in awareness when it wrote; null: it didn't, or that has not been heard. */
  readonly user: { readonly name: string; readonly color: string | null } | null
  /** It is this client itself. */
  readonly isLocal: boolean
}

/** One place in a document's text where something was inserted, deleted, or both. */
export interface TextChange {
  /** Where, in `textOf` with all changes before this one applied. UTF-16 units. */
  readonly at: number
  /** What stood there, from `at` on. */
  readonly deleted: string
  /** What stands there instead. */
  readonly inserted: string
  /** Who wrote `inserted`; null where that is empty. */
  readonly insertedBy: Author | null
  /** This client, if it deleted `deleted`. Else null: Yjs tells nobody who deletes. */
  readonly deletedBy: Author | null
}

/** What `changes` needs: what `connect` returns, or a `Y.Doc` with or without an awareness. */
export interface HasChanges extends HasYdoc {
  readonly awareness?: Awareness
  readonly isClosed?: boolean
}

/** Clients whose user is remembered until they are read of. */
const MAX_USERS = 1_000

/**
 * What changes in a document's text from now on, whoever changes it: applied in order to the `textOf` of this moment, the
 * changes give the `textOf` of theirs.
 *
 * Nothing is computed, and nothing but the text as it was last read is kept, until somebody asks for the next change. Who asks
 * late gets what has come meanwhile as one difference, in which nothing is left of what was inserted and deleted again. What
 * was written anew with the same text (a paragraph became a heading, or was moved) is no change, nor is formatting.
 * @param options `signal` ends the iteration at once. It ends too by `break`, and, after the last change, when the document is
 *   closed.
 * @example
 * ```js
 * const watching = (async () => {
 *   for await (const { at, deleted, inserted } of changes(doc)) return [at, deleted, inserted]
 * })()
 * append(doc, 'hello')
 * console.log(await watching) // → [ 0, '', 'hello' ]
 * ```
 */
export function changes(
  document: HasChanges,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncIterableIterator<TextChange> {
  return new Changes(document, signal)
}

class Changes implements AsyncIterableIterator<TextChange> {
  readonly #ydoc: Y.Doc
  readonly #awareness: Awareness | undefined
  readonly #signal: AbortSignal | undefined
  readonly #tracker: TextTracker
  /** Who has written since the last reading: whoever writes and leaves is gone a moment later. */
  readonly #users = new Map<number, Author['user']>()
  /** What has been read and is not yet given out. */
  #read: TextChange[] = []
  #given = 0
  #isStale = false
  /** Since the last reading this client has deleted something; somebody may have. */
  #deletions = { own: false, others: false }
  #isClosed = false
  #isOver = false
  #wake = () => {}
  #turn: Promise<unknown> = Promise.resolve()

  constructor(document: HasChanges, signal: AbortSignal | undefined) {
    this.#ydoc = document.ydoc
    this.#awareness = document.awareness
    this.#signal = signal
    this.#tracker = new TextTracker(fragmentOf(document))
    if (document.isClosed || this.#ydoc.isDestroyed || signal?.aborted) {
      this.#isOver = true
      return
    }
    this.#ydoc.on('afterTransaction', this.#changed)
    this.#ydoc.on('destroy', this.#closed)
    this.#awareness?.on('destroy', this.#closed)
    signal?.addEventListener('abort', this.#end)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Several that are asked for at once come one after the other. */
  next(): Promise<IteratorResult<TextChange, undefined>> {
    // Never at once: somebody may ask in the middle of a transaction.
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.catch(() => {})
    return result
  }

  async return(): Promise<IteratorResult<TextChange, undefined>> {
    this.#end()
    return { done: true, value: undefined }
  }

  async #next(): Promise<IteratorResult<TextChange, undefined>> {
    while (!this.#isOver) {
      const value = this.#read[this.#given]
      if (value !== undefined) {
        this.#given++
        return { done: false, value }
      }
      if (this.#isStale) this.#readChanges()
      else if (this.#isClosed) this.#end()
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      }
    }
    return { done: true, value: undefined }
  }

  #readChanges(): void {
    // Only where nobody else has deleted anything it is certain who has.
    const isOwn = this.#deletions.own && !this.#deletions.others
    const rest = this.#read.slice(this.#given)
    const fresh = this.#tracker.read().map(({ at, deleted, inserted, clientID }) => ({
      at,
      deleted,
      inserted,
      insertedBy: clientID === null ? null : this.#author(clientID),
      deletedBy: deleted !== '' && isOwn ? this.#author(this.#ydoc.clientID) : null,
    }))
    this.#read = [...rest, ...fresh]
    this.#given = 0
    this.#users.clear()
    this.#deletions = { own: false, others: false }
    this.#isStale = false
  }

  #author(clientID: number): Author {
    const user = this.#users.get(clientID) ?? this.#userOf(clientID)
    return { clientID, user, isLocal: clientID === this.#ydoc.clientID }
  }

  #userOf(clientID: number): Author['user'] {
    const { name, color } = this.#awareness?.getStates().get(clientID)?.user ?? {}
    return typeof name === 'string' ? { name, color: typeof color === 'string' ? color : null } : null
  }

  readonly #changed = (transaction: Y.Transaction): void => {
    if (!this.#tracker.note(transaction)) return
    const { local, beforeState, afterState, deleteSet } = transaction
    for (const [clientID, clock] of afterState) {
      if ((beforeState.get(clientID) ?? 0) < clock) this.#remember(clientID)
    }
    // A transaction in which an update of others is applied is not local, whoever began it.
    if (deleteSet.clients.size > 0) this.#deletions[local ? 'own' : 'others'] = true
    this.#isStale = true
    this.#wake()
  }

  #remember(clientID: number): void {
    const user = this.#userOf(clientID)
    if (user === null) return
    this.#users.delete(clientID)
    this.#users.set(clientID, user)
    if (this.#users.size <= MAX_USERS) return
    for (const oldest of this.#users.keys()) {
      this.#users.delete(oldest)
      break
    }
  }

  readonly #closed = (): void => {
    if (this.#isClosed) return
    // Now: what is done to the `Y.Doc` afterwards is not the document's any more.
    if (this.#isStale) this.#readChanges()
    this.#isClosed = true
    this.#leave()
    this.#wake()
  }

  readonly #end = (): void => {
    this.#isOver = true
    this.#read = []
    this.#leave()
    this.#signal?.removeEventListener('abort', this.#end)
    this.#wake()
  }

  #leave(): void {
    this.#ydoc.off('afterTransaction', this.#changed)
    this.#ydoc.off('destroy', this.#closed)
    this.#awareness?.off('destroy', this.#closed)
  }
}
