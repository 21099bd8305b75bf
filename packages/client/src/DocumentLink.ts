import {
  type AccessName,
  closeCode,
  encodeEditor,
  encodeToken,
  isFinalClose,
  type Message,
  type ReceiptOutcome,
  type SavingName,
} from '@weft/protocol'
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { bringUpdate } from './bringUpdate.ts'
import { type Connection, type ConnectionHost, connectionClass } from './Connection.ts'
import type { DocumentEvents, DocumentSize } from './DocumentEvents.ts'
import type { DocumentAddress } from './documentAddress.ts'
import { type DocumentStatus, type LinkEvent, transitions } from './documentStatus.ts'
import { RefusedError } from './errors.ts'
import { PageWatch } from './PageWatch.ts'
import { backOff, type Pauses, retryDelay } from './retryDelay.ts'
import { TokenRenewal } from './TokenRenewal.ts'
import { askToken, type TokenSource } from './TokenSource.ts'
import type { CloseInfo, WebSocketLike } from './WebSocketLike.ts'

/** Largest frame of a sync message that is sent over a socket, in bytes; a server takes 16 MiB unless it is set otherwise. */
const MAX_FRAME_BYTES = 8 << 20
/** What every server takes: a limit below this one is not believed. */
const LEAST_FRAME_BYTES = 64 << 10
/** Between attempts to bring a large edit: each one sends all of it again. */
const UPLOAD: Pauses = { firstMs: 1_000, longestMs: 60_000 }

export interface LinkSettings {
  address: DocumentAddress
  token: TokenSource
  /** Makes a socket to a URL that carries this document's messages; `token` is empty where there is none. */
  openSocket: (url: string, token: string) => WebSocketLike
  /** Of the schema that an editor is bound to; `undefined`: none is. */
  schemaVersion: number | undefined
  /** Numbers in [0, 1) for the pauses between attempts. */
  random: () => number
}

/** What a link needs to know of its document, and tells it. */
export interface LinkHost extends Pick<ConnectionHost, 'edits' | 'answered' | 'acknowledged'> {
  tell<Name extends keyof DocumentEvents>(name: Name, ...args: Parameters<DocumentEvents[Name]>): void
  /** The server has brought everything that it has. */
  synced(): void
  /** A connection is open; `null`: it has ended, or was not made. */
  connectionChanged(connection: Connection | null): void
  refused(error: RefusedError): void
  /** The server let an edit pass by. */
  denied(reason: string): void
  receipt(outcome: ReceiptOutcome | null): void
}

/**
 * A document's way to its server: one connection after the other, and what is known of them. `y-websocket`'s provider speaks the
 * protocol; when the next attempt comes, and whether, is decided here.
 */
export class DocumentLink {
  readonly #settings: LinkSettings
  readonly #ydoc: Y.Doc
  readonly #awareness: Awareness
  readonly #provider: WebsocketProvider
  readonly #host: LinkHost
  readonly #renewal: TokenRenewal | undefined
  #serverSchemaVersion = 0
  readonly #page: PageWatch
  #status: DocumentStatus = 'connecting'
  #connection: Connection | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #refusal: RefusedError | undefined
  #access: AccessName = 'read-write'
  #isAccessTold = false
  #saving: SavingName = 'saving'
  #size: DocumentSize | null = null
  #isDenied = false
  #wasConnected = false
  /** This connection's token was taken. */
  #isAdmitted = false
  #hasEnded = false
  #maxFrameBytes = MAX_FRAME_BYTES
  /** An update that goes over HTTP when this connection has ended. */
  #large: Uint8Array | null = null
  #upload: AbortController | null = null
  #failedUploads = 0
  /** What is too large for a message was refused over HTTP, too, and isn't sent again over this connection. */
  #isUploadRefused = false

  constructor(settings: LinkSettings, ydoc: Y.Doc, awareness: Awareness, host: LinkHost) {
    const { address, token, openSocket } = settings
    this.#settings = settings
    this.#ydoc = ydoc
    this.#awareness = awareness
    this.#host = host
    this.#renewal =
      typeof token === 'function' ? new TokenRenewal(token, next => this.send(encodeToken(next))) : undefined
    this.#page = new PageWatch({ moved: () => this.#networkMoved(), shown: () => this.#shown() })
    this.#provider = new WebsocketProvider(address.serverUrl, address.path, ydoc, {
      awareness,
      connect: false,
      // An edit heard from another tab by its BroadcastChannel is never forwarded to the server by this provider.
      disableBc: true,
      // The pause between attempts is this class's (`#disconnected`); the provider's own timer then finds nothing to do.
      maxBackoffTime: 0,
      params: address.params,
      // Of a browser's WebSocket, the provider uses what `Connection` has.
      WebSocketPolyfill: connectionClass(token, openSocket, this.#connectionHost()) as unknown as typeof WebSocket,
    })
    // Whether anybody is there is `LiveSocket`'s to find out: of many documents on one socket, most say nothing for long.
    clearInterval(this.#provider._checkInterval)
    // One listener of the process per document would be a leak to Node; the server withdraws the awareness of the gone.
    if (typeof process !== 'undefined') process.off?.('exit', this.#provider._exitHandler)
    this.#provider.on('sync', isSynced => {
      if (!isSynced) return
      this.#isAdmitted = true
      this.#take('synced')
      this.#host.synced()
    })
    this.#provider.on('connection-close', close => this.#disconnected(close))
    this.#provider.on('closed', close => this.#refused(close))
  }

  /** The origin of transactions that come from the server. */
  get origin(): unknown {
    return this.#provider
  }

  get status(): DocumentStatus {
    return this.#status
  }

  get refusal(): RefusedError | undefined {
    return this.#refusal
  }

  get access(): AccessName {
    return this.#access
  }

  get saving(): SavingName {
    return this.#saving
  }

  /** `null`: the server has said nothing of it, so it is fine. */
  get size(): DocumentSize | null {
    return this.#size
  }

  /** The server's editor knows more than this one, which may therefore only show the document. */
  get isOutdated(): boolean {
    return this.#serverSchemaVersion > (this.#settings.schemaVersion ?? Number.POSITIVE_INFINITY)
  }

  /** The server let an edit pass by over this connection: it acknowledges none any more. */
  get isDenied(): boolean {
    return this.#isDenied
  }

  connect(): void {
    this.#provider.connect()
  }

  /** Leaves the server and stays away until `reconnect`. */
  disconnect(): void {
    this.#stopRetry()
    this.#provider.disconnect()
    this.#take('left')
  }

  /** Connects now, whatever was before. */
  reconnect(): void {
    this.#stopRetry()
    this.#refusal = undefined
    this.#take('resumed')
    this.#provider.connect()
  }

  /** Asks for the next token at once. @throws what `askToken` throws */
  async renewToken(): Promise<void> {
    const { token } = this.#settings
    if (typeof token === 'function') this.send(encodeToken(await askToken(token)))
  }

  /** Leaves for good. */
  end(): void {
    this.#hasEnded = true
    this.#stopRetry()
    this.#page.end()
    this.#renewal?.closed()
    this.#provider.destroy()
    this.#connection = undefined
    this.#take('left')
  }

  /** Whether a page is to ask before it is left. */
  setAsking(isAsking: boolean): void {
    this.#page.setAsking(isAsking)
  }

  /** Sends a frame, if there is a connection. */
  send(frame: Uint8Array): void {
    this.#connection?.send(frame)
  }

  /** Asks whether everything so far is committed: soon. */
  askSoon(): void {
    this.#connection?.askSoon()
  }

  /** Asks at once: somebody waits. */
  askNow(): void {
    this.#connection?.askNow()
  }

  #connectionHost(): ConnectionHost {
    const host = this.#host
    return {
      edits: host.edits,
      maxFrameBytes: () => this.#maxFrameBytes,
      oversized: update => this.#oversized(update),
      opened: connection => this.#opened(connection),
      received: message => this.#received(message),
      answered: () => host.answered(),
      acknowledged: version => host.acknowledged(version),
    }
  }

  #opened(connection: Connection): void {
    this.#connection = connection
    this.#isDenied = false
    const { schemaVersion } = this.#settings
    if (schemaVersion !== undefined) connection.send(encodeEditor(schemaVersion))
    // Where it isn't so, the server says it after the announcement.
    this.#setSaving('saving')
    this.#size = null
    this.#host.connectionChanged(connection)
    this.#renewal?.opened(connection.token)
    if (this.#wasConnected) this.#renewAwareness()
    this.#wasConnected = true
    this.#take('opened')
  }

  #setSaving(saving: SavingName): void {
    if (this.#saving === saving) return
    this.#saving = saving
    this.#host.tell('saving', saving)
  }

  // Whoever lost the connection at the same time (the server restarted) has dropped this client's state, and would not take it
  // again at the clock that it knows: until the next renewal, 15 s later, nobody would see anybody.
  #renewAwareness(): void {
    const state = this.#awareness.getLocalState()
    if (state !== null) this.#awareness.setLocalState(state)
  }

  #received(message: Message): void {
    if (message.type === 'receipt') this.#host.receipt(message.outcome)
    else if (message.type === 'ephemeral') {
      this.#host.tell('message', { from: message.clientIDs[0] ?? null, payload: message.payload })
    } else if (message.type === 'saving') {
      this.#setSaving(message.saving)
    } else if (message.type === 'access') {
      const isFirst = !this.#isAccessTold
      this.#isAccessTold = true
      if (message.access === this.#access) return
      this.#access = message.access
      if (message.access === 'read-write') {
        this.#isDenied = false
        this.#isUploadRefused = false
        // The server asks for what it had let pass by, too, and answers when it has that.
        this.#connection?.askAgain()
      }
      this.#host.tell('access', message.access, isFirst)
    } else if (message.type === 'editor') {
      this.#serverSchemaVersion = message.schemaVersion
    } else if (message.type === 'size') {
      const { state, bytes, limitBytes } = message
      this.#size = { state, bytes, limitBytes }
      this.#host.tell('size', this.#size)
    } else if (message.type === 'permissionDenied') {
      if (this.#access === 'read-only') this.#isDenied = true
      this.#host.denied(message.reason)
    }
  }

  /** A connection has ended. The provider asks `shouldConnect` after this: it shall not, this does. */
  #disconnected(close: CloseInfo | null): void {
    const largest = this.#connection?.largestFrameBytes ?? 0
    // A server, or a proxy, that takes less than others. Of a socket that others share, it may be another one's message.
    if (close?.code === closeCode.tooBig.code && this.#large === null && largest > LEAST_FRAME_BYTES) {
      this.#maxFrameBytes = Math.min(this.#maxFrameBytes, largest - 1)
    }
    const large = this.#large
    this.#large = null
    this.#isUploadRefused = false
    this.#connection = undefined
    this.#isDenied = false
    this.#host.connectionChanged(null)
    this.#renewal?.closed()
    // A close for good: the provider says so after this (`#refused`).
    if (close !== null && isFinalClose(close.code)) return
    let retryInMs: number | null = null
    const isWanted = this.#provider.shouldConnect
    if (isWanted) {
      this.#provider.shouldConnect = false
      this.#stopRetry()
      retryInMs = large === null ? retryDelay(close, this.#provider.wsUnsuccessfulReconnects, this.#settings.random) : 0
      if (large === null) this.#retryIn(retryInMs)
      else void this.#bring(large)
    }
    this.#take('lost')
    // Without a word from the server, this side has closed: it left, or heard nothing for too long.
    const { code, reason } = close ?? { code: isWanted ? 1006 : closeCode.left.code, reason: '' }
    this.#host.tell('disconnected', { code, reason, retryInMs })
  }

  #retryIn(ms: number): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#provider.connect()
    }, ms)
  }

  #oversized(update: Uint8Array): boolean {
    if (this.#isUploadRefused || this.#access === 'read-only') {
      this.#host.denied(`an edit of ${update.length} bytes is too large for a message`)
      return false
    }
    this.#large = update
    return true
  }

  /** Brings over HTTP what no message can hold. The next connection then has nothing more to say of it. */
  async #bring(update: Uint8Array): Promise<void> {
    const upload = new AbortController()
    this.#upload = upload
    const { address, token, random } = this.#settings
    try {
      const all = () => Y.encodeStateAsUpdate(this.#ydoc)
      const refusal = await bringUpdate(address, await askToken(token), update, all, upload.signal)
      if (upload.signal.aborted) return
      this.#failedUploads = 0
      this.#isUploadRefused = refusal !== null
      if (refusal !== null) this.#host.denied(refusal)
      this.#upload = null
      this.#provider.connect()
    } catch (error) {
      if (upload.signal.aborted) return
      this.#upload = null
      const retryInMs = backOff(UPLOAD, ++this.#failedUploads, random)
      this.#retryIn(retryInMs)
      this.#host.tell('disconnected', { code: closeCode.tooBig.code, reason: String(error), retryInMs })
    }
  }

  #refused({ code, reason }: CloseInfo): void {
    // A token that was good has ended: the next one is asked for. Only once: a new one that isn't taken is no use.
    if (code === closeCode.unauthorized.code && this.#renewal !== undefined && this.#isAdmitted) {
      this.#isAdmitted = false
      this.#take('lost')
      this.#host.tell('disconnected', { code, reason, retryInMs: 0 })
      if (!this.#hasEnded) this.#provider.connect()
      return
    }
    const error = new RefusedError(this.#settings.address.documentId, code, reason)
    this.#refusal = error
    this.#take('refused')
    this.#host.tell('disconnected', { code, reason, retryInMs: null })
    this.#host.refused(error)
  }

  /**
   * The browser has lost the network, or found it. A socket notices the end of a network only by silence; a new one tells at
   * once; and where the server is reached all the same (it runs on this machine), nothing is lost but a round trip.
   */
  #networkMoved(): void {
    if (this.#refusal !== undefined || !this.#isWanted) return
    this.#provider.disconnect()
    this.reconnect()
  }

  /** Somebody looks at the page again: the device may have slept. */
  #shown(): void {
    if (this.#connection !== undefined) this.#connection.probe()
    else if (this.#refusal === undefined && this.#isWanted) this.reconnect()
  }

  /** Whether there is a connection, or the next attempt comes by itself. */
  get #isWanted(): boolean {
    return this.#provider.shouldConnect || this.#retry !== undefined || this.#upload !== null
  }

  #take(event: LinkEvent): void {
    const status = transitions[this.#status][event]
    if (this.#status === status) return
    this.#status = status
    this.#host.tell('status', status)
  }

  #stopRetry(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#upload?.abort()
    this.#upload = null
  }
}
