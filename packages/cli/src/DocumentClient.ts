import { type ConnectOptions, connect, RefusedError, UnsavedError, type WeftDocument } from '@weft/client'
import { closeCode, type DocumentId, isFinalClose, messageType, parseCloseReason } from '@weft/protocol'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { CommandError } from './errors.ts'
import type { ServerAddress } from './serverAddress.ts'

/** How long the server may be away in the middle of the work (a restart, say), in ms. */
const OUTAGE_LIMIT_MS = 120_000
/** Connections that may break over one document before it is left aside. */
const BREAK_LIMIT = 3
/** How long all that was sent may wait for its acknowledgement, in s. */
const ANSWER_LIMIT_S = 60
/** How long a close may follow the server's "permission denied", in ms. */
const DENIAL_PAUSE_MS = 500
const MiB = 2 ** 20
const NO_RIGHT = 'refused: there is no right to write it (WEFT_TOKEN)'

/** Close codes after which the same document would be refused again. */
const refusals: ReadonlySet<number> = new Set(
  [closeCode.malformed, closeCode.policy, closeCode.tooBig, closeCode.internal].map(({ code }) => code),
)

/** The server doesn't take this document; it may take others. */
export class RefusedDocumentError extends CommandError {}

/** Documents of a server over its WebSocket, as any client has them; with an end to each wait, for nobody looks on. */
export class DocumentClient {
  readonly #server: ServerAddress
  readonly #signal: AbortSignal
  #wasReached = false
  /** When the server was first found to be away, with no document stored since. Monotonic ms. */
  #awaySince: number | null = null

  /** @param signal ends all that is under way, with its reason */
  constructor(server: ServerAddress, signal: AbortSignal) {
    this.#server = server
    this.#signal = signal
  }

  /**
   * Merges a document into what the server has of it. Resolves when all of it is on the server's disk.
   * @throws {RefusedDocumentError} {CommandError} there is no server, or none that takes anything
   */
  async upload(documentId: DocumentId, ydoc: Y.Doc): Promise<void> {
    await this.#attempt(documentId, { ydoc }, Y.encodeStateAsUpdate(ydoc).length, () => {})
  }

  /**
   * Edits a document. Resolves when that is on the server's disk.
   * @param change is given the document as the server has it
   * @throws as `upload`; what `change` throws
   */
  edit<T>(documentId: DocumentId, change: (document: WeftDocument) => T): Promise<T> {
    return this.#attempt(documentId, {}, 0, change)
  }

  async #attempt<T>(
    documentId: DocumentId,
    options: ConnectOptions,
    byteLength: number,
    change: (document: WeftDocument) => T,
  ): Promise<T> {
    this.#signal.throwIfAborted()
    const attempt = new Attempt(this, byteLength)
    // Not `AbortSignal.any`: Node 20 keeps what it makes as long as the oldest of its signals lives.
    const stop = () => attempt.fail(this.#signal.reason)
    this.#signal.addEventListener('abort', stop)
    let document: WeftDocument | undefined
    try {
      document = await this.#connect(documentId, options, attempt)
      const result = change(document)
      await Promise.race([document.saved(), rejectOnAbort(attempt.signal)])
      this.#awaySince = null
      return result
    } catch (error) {
      throw explain(error)
    } finally {
      attempt.end()
      this.#signal.removeEventListener('abort', stop)
      await document?.close({ saved: false })
    }
  }

  /**
   * Opens a document for as long as its caller likes: where the connection breaks after that, it comes back by itself.
   * Nobody sees it, until it sets an awareness state.
   * @throws as `upload`
   */
  async open(documentId: DocumentId): Promise<WeftDocument> {
    this.#signal.throwIfAborted()
    const attempt = new Attempt(this, 0)
    const stop = () => attempt.fail(this.#signal.reason)
    this.#signal.addEventListener('abort', stop)
    try {
      return await this.#connect(documentId, {}, attempt)
    } catch (error) {
      throw explain(error)
    } finally {
      attempt.end()
      this.#signal.removeEventListener('abort', stop)
    }
  }

  #connect(documentId: DocumentId, options: ConnectOptions, attempt: Attempt): Promise<WeftDocument> {
    return connect(this.#server.url, {
      ...options,
      documentId,
      awareness: false,
      signal: attempt.signal,
      WebSocket: attempt.socketClass,
      ...(this.#server.token !== undefined && { token: this.#server.token }),
    })
  }

  /** A connection is open. */
  reached(): void {
    this.#wasReached = true
  }

  /** A connection could not be made, or ended in a way that another may mend. @returns why to give up, or null */
  away(why: string): CommandError | null {
    if (!this.#wasReached) return new CommandError(`no Weft server at ${this.#server.url}: ${why}`)
    const now = performance.now()
    this.#awaySince ??= now
    if (now - this.#awaySince < OUTAGE_LIMIT_MS) return null
    return new CommandError(`the server at ${this.#server.url} is away for ${OUTAGE_LIMIT_MS / 1000} s: ${why}`)
  }

  /** It is connected, and does not acknowledge. */
  silent(): CommandError {
    return new CommandError(
      `${this.#server.url} acknowledges nothing for ${ANSWER_LIMIT_S} s: is it a Weft server, and can it write to its disk?`,
    )
  }
}

/** What the command says of it. */
function explain(error: unknown): unknown {
  if (error instanceof UnsavedError) return new RefusedDocumentError(NO_RIGHT)
  if (!(error instanceof RefusedError)) return error
  // Whoever is unknown to the server is so for every document.
  if (error.code === closeCode.unauthorized.code) {
    return new CommandError(`the server asks for another token (WEFT_TOKEN): ${error.reason}`)
  }
  return new RefusedDocumentError(`refused: ${error.reason === '' ? error.word : error.reason} (${error.code})`)
}

/** The connections that one document takes, and when to give it up. */
class Attempt {
  readonly socketClass: new (
    url: string,
    protocols?: string | string[],
  ) => WebSocket
  readonly #client: DocumentClient
  readonly #byteLength: number
  readonly #giveUp = new AbortController()
  #socket: WebSocket | null = null
  #breakCount = 0
  #silentSeconds = 0
  #isOver = false
  #denial: NodeJS.Timeout | undefined
  readonly #watch: NodeJS.Timeout

  /** @param byteLength of the document as one update */
  constructor(client: DocumentClient, byteLength: number) {
    this.#client = client
    this.#byteLength = byteLength
    this.socketClass = watchedSocketClass(this)
    this.#watch = setInterval(() => this.#second(), 1000)
  }

  get signal(): AbortSignal {
    return this.#giveUp.signal
  }

  /** From here on this side closes. */
  end(): void {
    this.#isOver = true
    clearInterval(this.#watch)
    clearTimeout(this.#denial)
  }

  began(socket: WebSocket): void {
    let failure = 'the connection broke'
    let isOpen = false
    socket.on('open', () => {
      isOpen = true
      this.#socket = socket
      this.#client.reached()
    })
    socket.on('message', (data: ArrayBuffer) => {
      // y-protocols' "permission denied": what was sent is not taken. A close may follow, which says more.
      if (new Uint8Array(data)[0] !== messageType.auth) return
      this.#denial ??= setTimeout(() => {
        this.fail(new RefusedDocumentError(NO_RIGHT))
      }, DENIAL_PAUSE_MS)
    })
    socket.on('error', (error: Error & { code?: string }) => {
      failure = error.message || error.code || 'no connection'
    })
    socket.on('close', (code: number, reason: Buffer) => {
      this.#socket = null
      if (!this.#isOver) this.#closed(code, reason.toString(), isOpen, failure)
    })
  }

  #closed(code: number, reason: string, wasOpen: boolean, failure: string): void {
    if (refusals.has(code)) {
      const why =
        parseCloseReason(reason).text || reason || (code === closeCode.tooBig.code ? 'too large' : 'no reason given')
      this.fail(new RefusedDocumentError(`refused: ${why} (${code})${this.#sizeHint(code)}`))
    } else if (wasOpen && code === 1006 && ++this.#breakCount === BREAK_LIMIT) {
      this.fail(new RefusedDocumentError(`the connection broke ${BREAK_LIMIT} times over it${this.#sizeHint(code)}`))
    } else if (!isFinalClose(code)) {
      this.fail(this.#client.away(code === 1006 ? failure : reason))
    }
  }

  /** A document travels in one message: see "Limits worth knowing" in the README. */
  #sizeHint(code: number): string {
    if (code !== closeCode.tooBig.code && this.#byteLength < 15 * MiB) return ''
    const enough = Math.ceil(this.#byteLength / MiB + 1) * MiB
    return (
      `: it has ${this.#byteLength} bytes, in one message. Start the server with WEFT_MAX_MESSAGE_BYTES=${enough} and ` +
      `WEFT_BYTE_BURST=${Math.max(2 * enough, 32 * MiB)} for the import`
    )
  }

  #second(): void {
    const isWaiting = this.#socket !== null && this.#socket.bufferedAmount === 0
    this.#silentSeconds = isWaiting ? this.#silentSeconds + 1 : 0
    if (this.#silentSeconds === ANSWER_LIMIT_S) this.fail(this.#client.silent())
  }

  /** Ends it, with what went wrong; null: it goes on. */
  fail(error: Error | null): void {
    if (error !== null) this.#giveUp.abort(error)
  }
}

/** The client tells of a close only when it has a document; here every one counts. */
function watchedSocketClass(attempt: Attempt): Attempt['socketClass'] {
  return class extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols, { perMessageDeflate: false, handshakeTimeout: 10_000 })
      attempt.began(this)
    }
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
