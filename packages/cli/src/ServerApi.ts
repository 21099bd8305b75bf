import { setTimeout } from 'node:timers/promises'
import { BadDocumentIdError, type DocumentId, documentPath, parseDocumentId } from '@weft/protocol'
import { CommandError } from './errors.ts'
import { quoteName } from './quoteName.ts'
import type { ServerAddress } from './serverAddress.ts'

/** Forms of a document's content, and how the server names their types. */
export const contentTypes = {
  markdown: 'text/markdown',
  html: 'text/html',
  json: 'application/json',
  yjs: 'application/octet-stream',
} as const

export type ContentForm = keyof typeof contentTypes

export interface ListedDocument {
  readonly name: DocumentId
  /** ISO 8601 */
  readonly createdAt: string
}

export interface ListPage {
  readonly documents: readonly ListedDocument[]
  /** Behind which name to go on (`after`); null: that was all. */
  readonly next: string | null
}

/** A share link, as its owners see it. Times are ISO 8601. */
export interface ListedLink {
  readonly id: string
  readonly document: string
  readonly role: string
  readonly creator: string | null
  readonly expiresAt: string
  readonly lastUsedAt: string | null
  readonly uses: number
  readonly maxUses: number | null
}

export interface MadeLink extends ListedLink {
  /** What to give to people; told this once. */
  readonly url: string
}

/** A document's Markdown, and the tag by which the server knows that it is still the same. */
export interface TaggedText {
  readonly tag: string | null
  readonly text: string
}

export interface Content {
  readonly bytes: Uint8Array
  /** The place in the document's log. */
  readonly version: number
  /** Things in the document that have no form here. */
  readonly leftOut: number
  /** It is what is left of a damaged document. */
  readonly isDamaged: boolean
}

/** The server refused a request; `code` is PROTOCOL.md's. */
export class RefusedRequestError extends CommandError {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** How often a busy server is asked, and the longest pause between, in s. */
const MAX_ATTEMPTS = 12
const MAX_RETRY_AFTER_S = 10
const JSON_BODY = { 'Content-Type': 'application/json' }
/** Only where `If-None-Match` was sent. */
const NOT_MODIFIED = 304

/** What a refusal of one document says of all others: nothing can be done any more. */
const GENERAL = ['unauthorized', 'local-only', 'unavailable', 'busy', 'internal']

/** Whether other documents may fare better. */
export function isOfOneDocument(error: unknown): error is RefusedRequestError {
  return error instanceof RefusedRequestError && !GENERAL.includes(error.code)
}

/** Documents of a server over HTTP: `/api/v1` in PROTOCOL.md. Every method throws {CommandError}. */
export class ServerApi {
  readonly #server: ServerAddress
  readonly #url: string
  readonly #signal: AbortSignal

  /** @param signal ends what is under way, with its reason */
  constructor(server: ServerAddress, signal: AbortSignal) {
    this.#server = server
    this.#url = `${server.url.replace(/^ws/i, 'http')}/api/v1`
    this.#signal = signal
  }

  /** All that the token may read, in the order of their names. */
  async *list(prefix: string, from: string | null = null): AsyncGenerator<ListedDocument> {
    for (let after = from; ; ) {
      const page = await this.listPage(prefix, 1000, after)
      yield* page.documents
      if (page.next === null) return
      after = page.next
    }
  }

  /**
   * A part of that list.
   * @param limit 1 to 1000; fewer may come
   * @param after the name behind which it begins; null: at the first
   */
  async listPage(prefix: string, limit: number, after: string | null): Promise<ListPage> {
    const query = new URLSearchParams({ prefix, limit: String(limit), ...(after !== null && { after }) })
    const { documents, next } = await this.#readJson(await this.#request('GET', `/documents?${query}`))
    const isPage = Array.isArray(documents) && (next === null || (typeof next === 'string' && next !== after))
    if (!isPage) throw this.#foreign()
    return { documents: documents.map(document => this.#readListed(document)), next }
  }

  /** What a name may be is checked here, too: it becomes a file's. */
  #readListed(document: unknown): ListedDocument {
    const { name, createdAt } = (document ?? {}) as Record<string, unknown>
    if (typeof name !== 'string' || typeof createdAt !== 'string') throw this.#foreign()
    try {
      return { name: parseDocumentId(name), createdAt }
    } catch (error) {
      if (!(error instanceof BadDocumentIdError)) throw error
      throw new CommandError(`${this.#server.url} lists what can't be a document, ${quoteName(name)}: ${error.message}`)
    }
  }

  async read(documentId: DocumentId, form: ContentForm, { isDamaged = false } = {}): Promise<Content> {
    const damaged = isDamaged ? '&damaged=true' : ''
    const response = await this.#request('GET', `/documents/${documentPath(documentId)}?format=${form}${damaged}`)
    const version = response.headers.get('Weft-Version') ?? ''
    if (!/^\d{1,15}$/.test(version)) throw this.#foreign()
    return {
      bytes: await this.#readBytes(response),
      version: Number(version),
      leftOut: Number(response.headers.get('Weft-Left-Out')),
      isDamaged: response.headers.has('Weft-Damaged'),
    }
  }

  /**
   * A document's Markdown, for who may have read it before.
   * @param known what was read then: returned where it is still so
   */
  async readMarkdown(documentId: DocumentId, known: TaggedText | undefined): Promise<TaggedText> {
    const tag = known?.tag ?? null
    const path = `/documents/${documentPath(documentId)}?format=markdown`
    // Without a Cache-Control, fetch adds `no-cache`, and the server sends everything again.
    const condition: Record<string, string> = tag === null ? {} : { 'If-None-Match': tag, 'Cache-Control': 'max-age=0' }
    const response = await this.#request('GET', path, condition)
    if (known !== undefined && response.status === NOT_MODIFIED) return known
    return { tag: response.headers.get('ETag'), text: Buffer.from(await this.#readBytes(response)).toString() }
  }

  /**
   * Makes a document say what `content` says.
   * @param isAnew begins a deleted document again
   * @returns resolves when it is on the server's disk
   */
  async replace(
    documentId: DocumentId,
    form: Exclude<ContentForm, 'yjs'>,
    content: Uint8Array<ArrayBuffer>,
    isAnew: boolean,
  ): Promise<'created' | 'changed' | 'unchanged'> {
    const path = `/documents/${documentPath(documentId)}${isAnew ? '?anew=true' : ''}`
    const response = await this.#request('PUT', path, { 'Content-Type': contentTypes[form] }, content)
    const { changed } = await this.#readJson(response)
    if (typeof changed !== 'boolean') throw this.#foreign()
    if (response.status === 201) return 'created'
    return changed ? 'changed' : 'unchanged'
  }

  /** Puts a file into a document. @returns its name there */
  async upload(documentId: DocumentId, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
    const headers = { 'X-Requested-With': 'weft', 'Content-Type': 'application/octet-stream' }
    const answer = await this.#request('POST', `/documents/${documentPath(documentId)}/uploads`, headers, bytes)
    const { path } = await this.#readJson(answer)
    if (typeof path !== 'string') throw this.#foreign()
    return path.slice(path.lastIndexOf('/') + 1)
  }

  async delete(documentId: DocumentId): Promise<void> {
    const response = await this.#request('DELETE', `/documents/${documentPath(documentId)}`, {
      'X-Requested-With': 'weft',
    })
    const { deleted } = await this.#readJson(response)
    if (deleted !== true) throw this.#foreign()
  }

  /** Takes a document out of the bin. */
  async restore(documentId: DocumentId): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify({ document: documentId }))
    const { restored } = await this.#readJson(await this.#request('POST', '/bin/restore', JSON_BODY, body))
    if (restored !== true) throw this.#foreign()
  }

  async makeLink(wanted: {
    document: DocumentId
    role?: string
    expiresAt?: string
    maxUses?: number
  }): Promise<MadeLink> {
    const body = new TextEncoder().encode(JSON.stringify(wanted))
    const made = await this.#readJson(await this.#request('POST', '/links', JSON_BODY, body))
    const { url } = made
    if (typeof url !== 'string') throw this.#foreign()
    return { ...this.#readLink(made), url }
  }

  /** @param documentId null: of all documents */
  async listLinks(documentId: DocumentId | null): Promise<ListedLink[]> {
    const query = documentId === null ? '' : `?${new URLSearchParams({ document: documentId })}`
    const { links } = await this.#readJson(await this.#request('GET', `/links${query}`))
    if (!Array.isArray(links)) throw this.#foreign()
    return links.map(link => this.#readLink(Object(link)))
  }

  /** @returns what is in the way of this one; null: it is revoked */
  async revokeLink(id: string): Promise<string | null> {
    const headers = { 'X-Requested-With': 'weft' }
    try {
      const { revoked } = await this.#readJson(
        await this.#request('DELETE', `/links/${encodeURIComponent(id)}`, headers),
      )
      if (revoked !== true) throw this.#foreign()
      return null
    } catch (error) {
      if (isOfOneDocument(error)) return error.message
      throw error
    }
  }

  #readLink(link: Record<string, unknown>): ListedLink {
    const { id, document, role, creator, expiresAt, lastUsedAt, uses, maxUses } = link
    const isLink =
      [id, document, role, expiresAt].every(text => typeof text === 'string') &&
      [creator, lastUsedAt].every(text => text === null || typeof text === 'string') &&
      typeof uses === 'number' &&
      (maxUses === null || typeof maxUses === 'number')
    if (!isLink) throw this.#foreign()
    return { id, document, role, creator, expiresAt, lastUsedAt, uses, maxUses } as ListedLink
  }

  /** A backup of all documents, as it comes: to be decoded, and whole only with its end. Where it breaks off, it throws. */
  async *backup(): AsyncGenerator<Uint8Array> {
    const { body } = await this.#request('GET', '/backup')
    if (body === null) return
    try {
      yield* body
    } catch (error) {
      this.#signal.throwIfAborted()
      throw new CommandError(`the server broke off: ${describe(error)}`)
    }
  }

  /** A server that has too much to do says when to come back, and has done nothing: it is asked again. */
  async #request(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body: Uint8Array<ArrayBuffer> | null = null,
  ): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#ask(method, path, headers, body)
      if (response.ok || response.status === NOT_MODIFIED) return response
      const refusal = await this.#refusal(response)
      const isBusy = refusal instanceof RefusedRequestError && ['busy', 'too-fast'].includes(refusal.code)
      if (!isBusy || attempt === MAX_ATTEMPTS) throw refusal
      const seconds = Number(response.headers.get('Retry-After') ?? MAX_RETRY_AFTER_S)
      const pauseMs = Math.min(seconds >= 0 ? seconds : MAX_RETRY_AFTER_S, MAX_RETRY_AFTER_S) * 1000
      await setTimeout(pauseMs, undefined, { signal: this.#signal }).catch(() => this.#signal.throwIfAborted())
    }
  }

  async #ask(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: Uint8Array<ArrayBuffer> | null,
  ): Promise<Response> {
    const { token, url } = this.#server
    try {
      return await fetch(this.#url + path, {
        method,
        headers: { ...headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
        body,
        signal: this.#signal,
        redirect: 'error',
      })
    } catch (error) {
      this.#signal.throwIfAborted()
      throw new CommandError(`no Weft server at ${url}: ${describe(error)}`)
    }
  }

  async #readBytes(response: Response): Promise<Uint8Array> {
    try {
      return new Uint8Array(await response.arrayBuffer())
    } catch (error) {
      this.#signal.throwIfAborted()
      throw new CommandError(`the connection to ${this.#server.url} broke: ${describe(error)}`)
    }
  }

  async #readJson(response: Response): Promise<Record<string, unknown>> {
    const text = Buffer.from(await this.#readBytes(response)).toString()
    try {
      return Object(JSON.parse(text))
    } catch {
      throw this.#foreign()
    }
  }

  /** Many a server has an answer to whatever it is asked: that is not success. */
  #foreign(): CommandError {
    return new CommandError(`${this.#server.url} answers otherwise than a Weft server: is it one?`)
  }

  async #refusal(response: Response): Promise<CommandError> {
    const text = await response.text().catch(() => '')
    let error: { code?: unknown; message?: unknown } | undefined
    try {
      error = JSON.parse(text).error
    } catch {
      // Not the API's: a proxy's, or another server's.
    }
    const { code, message } = error ?? {}
    if (typeof code !== 'string' || typeof message !== 'string') {
      const said = text.split('\n', 1)[0]?.slice(0, 100) ?? ''
      return new CommandError(`${this.#server.url} answers ${response.status} (${said}): is it a Weft server?`)
    }
    return new RefusedRequestError(code, code === 'unauthorized' ? `${message} (WEFT_TOKEN)` : message)
  }
}

function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  // Of several addresses none answered: Node says it in the code alone.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name)
}
