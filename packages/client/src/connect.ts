import type * as Y from 'yjs'
import { defaultWebSocket } from '#WebSocket'
import { documentAddress } from './documentAddress.ts'
import type { LocalStore } from './LocalStore.ts'
import { checkToken, type TokenSource } from './TokenSource.ts'
import type { WebSocketClass } from './WebSocketLike.ts'
import { type User, WeftDocument } from './WeftDocument.ts'

export interface ConnectOptions {
  /** The document's name, where the server is not at the root of its host: `url` is the server's then, `wss://example.org/weft`. */
  documentId?: string
  /**
   * Says who this is, where the server wants to know. A function is asked at each connection, and once more when a token ends
   * while it is in use; where it throws, that attempt has failed, and the next one comes.
   */
  token?: TokenSource
  /** How the others see this client: short for `awareness: { user }`. */
  user?: User
  /** First awareness state of this client. Default `{}`; `false`: the others don't see it at all. */
  awareness?: Record<string, unknown> | false
  /** Keeps the document on this device too (`@weft/client/indexeddb`, `@weft/client/leveldb`). */
  store?: LocalStore
  /** A replica that exists already. What it holds counts as unsaved until the server has it. `close` leaves it alone. */
  ydoc?: Y.Doc
  /** Stops waiting for the content: `connect` then rejects with the signal's reason and releases everything. */
  signal?: AbortSignal
  /** Default: the browser's own; `ws` in Node. */
  WebSocket?: WebSocketClass
  /** Numbers in [0, 1) for the pauses between attempts. Default `Math.random`. */
  random?: () => number
}

/**
 * Opens a document.
 * @param url server and document: `ws://127.0.0.1:9091/team/notes` (or `wss:`, `http:`, `https:`).
 * @returns resolves when the content is here: from the server, or from a store that isn't empty. Without a server it
 * waits and tries again; `signal` ends that.
 * @throws {RefusedError} the server refuses the document for good. {TypeError} `url` is not an address, or `token` can't be one.
 * {BadDocumentIdError} its path (or `documentId`) names no document.
 */
export async function connect(url: string | URL, options: ConnectOptions = {}): Promise<WeftDocument> {
  const { signal, user } = options
  signal?.throwIfAborted()
  const state = options.awareness === false ? null : { ...options.awareness, ...(user && { user }) }
  const document = new WeftDocument({
    address: documentAddress(url, options.documentId),
    token: typeof options.token === 'function' ? options.token : checkToken(options.token ?? ''),
    ydoc: options.ydoc,
    awareness: state,
    store: options.store,
    webSocketClass: options.WebSocket ?? defaultWebSocket,
    random: options.random ?? Math.random,
  })
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal?.reason)
    signal?.addEventListener('abort', abort)
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
