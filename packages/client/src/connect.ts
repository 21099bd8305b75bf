import { type DocumentPart, encodeAnnounce } from '@weft/protocol'
import type * as Y from 'yjs'
import { defaultWebSocket } from '#WebSocket'
import { type DocumentAddress, documentAddress } from './documentAddress.ts'
import { LiveSocket } from './LiveSocket.ts'
import type { LocalStore } from './LocalStore.ts'
import { checkToken, type TokenSource, tokenProtocols } from './TokenSource.ts'
import type { WebSocketClass } from './WebSocketLike.ts'
import { type DocumentSettings, type User, WeftDocument } from './WeftDocument.ts'

/** What a document is opened with, whichever way. */
export interface DocumentOptions {
  /** How the others see this client: short for `awareness: { user }`. */
  user?: User
  /** First awareness state of this client. Default `{}`; `false`: the others don't see it at all. */
  awareness?: Record<string, unknown> | false
  /** Keeps the document on this device too (`@weft/client/indexeddb`, `@weft/client/leveldb`). */
  store?: LocalStore
  /** A replica that exists already. What it holds counts as unsaved until the server has it. `close` leaves it alone. */
  ydoc?: Y.Doc
  /**
   * Of an editor that is bound to a schema, which version that is: where the server's is newer, `access` becomes `read-only` and
   * `isOutdated` is true, for the editor may delete what it doesn't know. Default: no editor is.
   */
  schemaVersion?: number
  /** Stops waiting for the content: `connect` then rejects with the signal's reason and releases everything. */
  signal?: AbortSignal
}

/** What a connection is made with. */
export interface LinkOptions {
  /**
   * Says who this is, where the server wants to know. A function is asked at each connection, before a token that is in use ends
   * (as far as it says when: a JWT), and once more when it has; where it throws, that attempt has failed, and the next one comes.
   */
  token?: TokenSource
  /**
   * Whether edits are shared with other tabs of this browser, at once and offline too. A text: with those that give the same, a
   * user's id where several use one browser. Default: in a page, with all that have this document.
   */
  tabs?: boolean | string
  /** Whether a page with edits that are nowhere safe asks before it is left. Default `true`. */
  asksBeforeLeaving?: boolean
  /** Default: the browser's own; `ws` in Node. */
  WebSocket?: WebSocketClass
  /** Numbers in [0, 1) for the pauses between attempts. Default `Math.random`. */
  random?: () => number
}

export interface ConnectOptions extends DocumentOptions, LinkOptions {
  /** Opens a part of the document: its comments, in which who may comment may write. */
  part?: DocumentPart
  /** The document's name, where the server is not at the root of its host: `url` is the server's then, `wss://example.org/weft`. */
  documentId?: string
}

/**
 * Opens a document.
 * @param url server and document: `ws://127.0.0.1:9091/team/notes` (or `wss:`, `http:`, `https:`).
 * @returns resolves when the content is here: from the server, from a store that isn't empty, or from another tab. Without a
 * server it waits and tries again; `signal` ends that.
 * @throws {RefusedError} the server refuses the document for good. {TypeError} `url` is not an address, or `token` can't be one.
 * {BadDocumentIdError} its path (or `documentId`) names no document.
 * @example
 * ```js
 * const doc = await connect(url, { user: { name: 'Shopping bot', color: '#0f766e' } })
 * append(doc, '- bought **milk**')
 * await doc.saved()
 * console.log(doc.status, toMarkdown(doc).trim()) // → synced - bought **milk**
 * await doc.close()
 * ```
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<WeftDocument> {
  options.signal?.throwIfAborted()
  const socketClass = options.WebSocket ?? defaultWebSocket
  const address = documentAddress(url, options.documentId, options.part)
  const document = new WeftDocument({
    ...settingsOf(address, options, options),
    openSocket: (url, token) => new LiveSocket(new socketClass(url, tokenProtocols(token)), encodeAnnounce()),
  })
  return opened(document, options.signal)
}

/** @internal The settings of a document, with every default. */
export function settingsOf(
  address: DocumentAddress,
  { awareness, user, store, ydoc, schemaVersion }: Omit<DocumentOptions, 'store'> & { store?: LocalStore | undefined },
  link: LinkOptions,
): Omit<DocumentSettings, 'openSocket'> {
  return {
    address,
    token: typeof link.token === 'function' ? link.token : checkToken(link.token ?? ''),
    ydoc,
    awareness: awareness === false ? null : { ...awareness, ...(user && { user }) },
    store,
    schemaVersion,
    tabs: link.tabs ?? typeof window !== 'undefined',
    asksBeforeLeaving: link.asksBeforeLeaving ?? true,
    random: link.random ?? Math.random,
  }
}

/** @internal Waits for a document's content. */
export async function opened(document: WeftDocument, signal: AbortSignal | undefined): Promise<WeftDocument> {
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort)
    // While an earlier one of this document let go of its store, maybe.
    if (signal?.aborted) abort()
  })
  try {
    await Promise.race([document.open(), aborted])
    return document
  } catch (error) {
    await document.close({ saved: false })
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}
