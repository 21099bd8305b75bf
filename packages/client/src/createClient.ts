import { type DocumentId, type DocumentPart, MULTIPLEX_SUBPROTOCOL } from '@weft/protocol'
import type * as Y from 'yjs'
import { defaultWebSocket } from '#WebSocket'
import { type DocumentOptions, type LinkOptions, opened, settingsOf } from './connect.ts'
import { type DocumentAddress, documentAddress } from './documentAddress.ts'
import type { LocalStore } from './LocalStore.ts'
import { SocketPool } from './SharedSocket.ts'
import { askToken, type TokenSource, tokenProtocols } from './TokenSource.ts'
import { type User, WeftDocument } from './WeftDocument.ts'

/** Subdocuments of one document that are open at the same time. */
const MAX_SUBDOCUMENTS = 1_000

export interface ClientOptions extends LinkOptions, Pick<DocumentOptions, 'user' | 'awareness'> {
  /** Makes the local store of each document. */
  store?: (documentId: string) => LocalStore
  /**
   * The name of a subdocument on the server. Default: below its parent, `parent/guid`, where who may have the parent's folder may
   * have it, too.
   */
  subdocumentId?: (parentId: string, guid: string) => string
}

export interface OpenOptions extends Omit<DocumentOptions, 'store'> {
  /** Opens a part of the document: its comments, in which who may comment may write. */
  part?: DocumentPart
  /** Default: what the client's `store` makes. */
  store?: LocalStore
}

/**
 * A client of one server: any number of documents over one WebSocket (one for each hundred).
 * @param url the server: `ws://127.0.0.1:9091`, `wss://example.org/weft` (or `http:`, `https:`). Nothing is connected before the
 * first document is opened.
 * @throws {TypeError} `url` is no address, or `token` can't be one.
 * @example
 * ```js
 * const weft = createClient(server)
 * const notes = await weft.open('team/notes')
 * const plan = await weft.open('team/plan')
 * append(plan, textOf(notes) || 'nothing yet')
 * await weft.close()
 * ```
 */
export function createClient(url: string | URL, options: ClientOptions = {}): WeftClient {
  const address = documentAddress(url, 'any')
  settingsOf(address, {}, options)
  const socketClass = options.WebSocket ?? defaultWebSocket
  const query = new URLSearchParams(address.params).toString()
  const socketUrl = `${address.serverUrl}/${query && `?${query}`}`
  const pool = new SocketPool(
    token => new socketClass(socketUrl, [MULTIPLEX_SUBPROTOCOL, ...tokenProtocols(token).slice(1)]),
  )
  const token = askOnce(options.token)
  return new WeftClient(String(url), { ...options, ...(token !== undefined && { token }) }, pool, () => pool.end())
}

/** Made by `createClient`, or by another one's `bot`. */
export class WeftClient {
  readonly #url: string
  readonly #options: ClientOptions
  readonly #pool: SocketPool
  readonly #documents = new Map<DocumentId, WeftDocument>()
  /** Documents that let go of their store, before they can be opened again. */
  readonly #closing = new Map<DocumentId, Promise<void>>()
  readonly #bots = new Set<WeftClient>()
  readonly #onClose: () => void
  #isClosed = false

  /** @internal Use `createClient`. */
  constructor(url: string, options: ClientOptions, pool: SocketPool, onClose: () => void) {
    this.#url = url
    this.#options = options
    this.#pool = pool
    this.#onClose = onClose
  }

  /**
   * Opens a document, or joins those who have it open by this client already: it is the same `WeftDocument` then, and closed
   * when each has called its `close`. Subdocuments that are loaded in it (`subdoc.load()`) are opened with it.
   * @param documentId its name, not encoded: `team/notes`
   * @returns resolves when the content is here, as `connect`
   * @throws as `connect`; {TypeError} it is open with another `ydoc`
   * @example
   * ```js
   * const first = await weft.open('team/notes')
   * const second = await weft.open('team/notes')
   * console.log(first === second) // → true
   * await first.close()
   * console.log(second.isClosed) // → false
   * await second.close()
   * ```
   */
  async open(documentId: string, options: OpenOptions = {}): Promise<WeftDocument> {
    options.signal?.throwIfAborted()
    const document = await this.#take(documentId, options)
    return opened(document, options.signal)
  }

  /** A document for one more: its content may not be here yet. */
  async #take(documentId: string, options: OpenOptions): Promise<WeftDocument> {
    const address = documentAddress(this.#url, documentId, options.part)
    const id = address.documentId
    while (this.#closing.has(id)) await this.#closing.get(id)
    if (this.#isClosed) throw new TypeError('this client is closed')
    const known = this.#documents.get(id)
    if (known === undefined) return this.#begin(address, options)
    if (options.ydoc !== undefined && options.ydoc !== known.ydoc) {
      throw new TypeError(`${id} is open with another Y.Doc`)
    }
    if (known.refusal !== undefined) throw known.refusal
    known.retain()
    return known
  }

  /**
   * Another participant over the same sockets: its documents are replicas of their own, seen in awareness as `user`, with
   * `bot: true`.
   * @example
   * ```js
   * const scribe = weft.bot({ name: 'Scribe', color: '#0f766e' })
   * const notes = await scribe.open('team/notes')
   * console.log(notes.awareness.getLocalState().user.name) // → Scribe
   * await scribe.close()
   * ```
   */
  bot(user: User): WeftClient {
    // A local store is one replica's.
    const { store: _, ...options } = this.#options
    const awareness = { ...options.awareness, bot: true }
    const bot = new WeftClient(this.#url, { ...options, user, awareness }, this.#pool, () => this.#bots.delete(bot))
    this.#bots.add(bot)
    return bot
  }

  /**
   * Closes all documents, of all who have them open, and those of its bots.
   * @param options as `WeftDocument.close`
   * @throws {AggregateError} of those that could not be saved: they are still open
   * @example
   * ```js
   * append(await weft.open('team/notes'), 'the last word')
   * await weft.close() // all of it is on the server's disk
   * ```
   */
  async close(options: Parameters<WeftDocument['close']>[0] = {}): Promise<void> {
    // From here on: who opened another one now would have it left open.
    this.#isClosed = true
    const closing = [...this.#documents.values()].map(document => document.closeForAll(options))
    const ends = await Promise.allSettled([...closing, ...[...this.#bots].map(bot => bot.close(options))])
    const errors = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []))
    if (errors.length > 0) {
      this.#isClosed = false
      throw new AggregateError(errors, `${errors.length} documents could not be saved`)
    }
    // Those that somebody has closed before, too.
    await Promise.all(this.#closing.values())
    this.#onClose()
  }

  #begin(address: DocumentAddress, options: OpenOptions): WeftDocument {
    const id = address.documentId
    const store = options.store ?? this.#options.store?.(id)
    const document = new WeftDocument({
      ...settingsOf(address, { ...this.#options, ...options, store }, this.#options),
      openSocket: (_, token) => this.#pool.open(id, token),
    })
    this.#documents.set(id, document)
    document.once('closed', () => {
      this.#documents.delete(id)
      // Whoever opens it again waits until its store is free.
      const released = Promise.resolve().then(() => document.close({ saved: false }))
      this.#closing.set(
        id,
        released.finally(() => this.#closing.delete(id)),
      )
    })
    this.#watchSubdocuments(document)
    return document
  }

  #watchSubdocuments(parent: WeftDocument): void {
    const open = async (subdocument: Y.Doc) => {
      const id = this.#options.subdocumentId?.(parent.documentId, subdocument.guid)
      const document = await this.#take(id ?? `${parent.documentId}/${subdocument.guid}`, { ydoc: subdocument })
      if (parent.isClosed) await document.close({ saved: false })
      else {
        // What is written in it before its content is here is the parent's to save, too.
        parent.adopt(document)
        await opened(document, undefined)
      }
    }
    let openCount = 0
    const begin = (subdocument: Y.Doc) => {
      // Whoever writes in the parent decides which ones load by themselves (Yjs' `autoLoad`).
      if (openCount === MAX_SUBDOCUMENTS) return
      openCount++
      subdocument.once('destroy', () => openCount--)
      open(subdocument).catch(error => {
        // Only `subdocument.whenLoaded` waits for it, which can't fail.
        if (!parent.isClosed) console.error(`a subdocument of ${parent.documentId} could not be opened`, error)
      })
    }
    const changed = ({ loaded }: { loaded: Set<Y.Doc> }) => {
      for (const subdocument of loaded) begin(subdocument)
    }
    for (const subdocument of parent.ydoc.getSubdocs()) if (subdocument.shouldLoad) begin(subdocument)
    parent.ydoc.on('subdocs', changed)
    parent.once('closed', () => parent.ydoc.off('subdocs', changed))
  }
}

/** Many documents connect at once: what one of them asks for, all get. */
function askOnce(token: TokenSource | undefined): TokenSource | undefined {
  if (typeof token !== 'function') return token
  let asking: Promise<string> | undefined
  return () => {
    asking ??= askToken(token).finally(() => {
      asking = undefined
    })
    return asking
  }
}
