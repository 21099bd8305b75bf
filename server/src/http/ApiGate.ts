import type { IncomingMessage } from 'node:http'
import type { DocumentId } from '@weft/protocol'
import type { Access } from '../access/Access.ts'
import { isLoopbackHost } from '../access/address.ts'
import type { DocumentScope } from '../access/DocumentScope.ts'
import type { Denial, Grant } from '../access/Grant.ts'
import { holderOf } from '../access/holderOf.ts'
import { includesRole, type Role } from '../access/Role.ts'
import { tokenOfCookie } from '../access/sessionCookie.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import { tokenOfRequest } from '../access/tokenOfRequest.ts'
import type { VerifiedToken } from '../access/verifyToken.ts'
import type { Holder } from '../Turnstile.ts'
import { ApiError } from './ApiError.ts'

/** Whose a request is. */
export interface Asker extends Holder {
  /** Null: nobody is known, and the address says who it is. */
  readonly userId: string | null
}

/**
 * Who may ask what of the HTTP API. Behind `HostCheck`, which has refused pages of other origins.
 *
 * [G1] Without keys only programs of this machine are answered: not through a proxy, and under a name of this machine, so
 *      that no page can reach it by a name of its own that points here (DNS rebinding).
 * [G2] With keys, a token in the header `Authorization`, else in the cookie, must give the role. Never one in the URL, which others
 *      see.
 * [G3] What changes something needs a header that a page of another origin can't send unasked (CSRF).
 * [G4] A browser sends a cookie by itself: what changes something by it needs an `Origin`, too (`HostCheck` has refused foreign
 *      ones), and nothing is done by it for a page that the browser calls another site's.
 */
export class ApiGate {
  readonly #access: Access
  readonly #proxies: TrustedProxies
  /** Of each request, verified once. */
  readonly #verified = new WeakMap<IncomingMessage, Promise<VerifiedToken | Denial | null>>()

  constructor(access: Access, proxies: TrustedProxies) {
    this.#access = access
    this.#proxies = proxies
  }

  /** @returns what the token gives @throws {ApiError} `unauthorized`, `forbidden`, `unavailable`, `local-only`, `cross-site` */
  async admit(request: IncomingMessage, documentId: DocumentId, needed: Role): Promise<Grant> {
    this.#check(request)
    return this.#checkRole(this.#access.grant(await this.#verify(request), documentId), needed, '')
  }

  /**
   * For what people do in the editor: answered wherever its socket is, without keys to whoever reaches that.
   * @throws {ApiError} `unauthorized`, `forbidden`, `cross-site`
   */
  async admitPerson(request: IncomingMessage, documentId: DocumentId, needed: Role): Promise<Grant> {
    if (!isRead(request)) this.checkDeliberate(request)
    return this.#checkRole(this.#access.grant(await this.#verify(request), documentId), needed, '')
  }

  /**
   * For what concerns all documents at once: the role is needed in each of them.
   * @throws {ApiError} as `admit`
   */
  async admitEverywhere(request: IncomingMessage, needed: Role): Promise<Grant> {
    this.#check(request)
    return this.#checkRole(this.#access.grantEverywhere(await this.#verify(request)), needed, ' in every document')
  }

  /** Whether a request is of an owner of every document: an application's own server, say. */
  async isHost(request: IncomingMessage): Promise<boolean> {
    const grant = this.#access.grantEverywhere(await this.#verify(request))
    return !('close' in grant) && (!this.#access.isAsking || includesRole(grant.role, 'owner'))
  }

  /**
   * Whose a request is, for what is counted of them. Owners of every document (an application's own server), and programs of this
   * machine that nobody asks who they are, are not held to any share.
   */
  async holderOf(request: IncomingMessage): Promise<Asker> {
    const verified = await this.#verify(request).catch((error): Denial => {
      // Told where it matters.
      if (error instanceof ApiError) return { close: 'forbidden', text: error.message }
      throw error
    })
    const isKnown = verified !== null && !('close' in verified)
    const isFree = isKnown ? await this.isHost(request) : this.#proxies.isFromHere(request)
    const userId = isKnown ? verified.userId : null
    return { id: holderOf(userId, this.#proxies.addressOf(request)), isBound: !isFree, userId }
  }

  /** @throws {ApiError} `cross-site`. [G4] */
  async #verify(request: IncomingMessage): Promise<VerifiedToken | Denial | null> {
    let verifying = this.#verified.get(request)
    if (verifying === undefined) {
      verifying = this.#access.verify(this.tokenOf(request))
      this.#verified.set(request, verifying)
    }
    // It may have been taken back since.
    return this.#access.stillCounts(await verifying)
  }

  /** As `admitEverywhere`, for all documents below a prefix. */
  async admitWithin(request: IncomingMessage, prefix: string, needed: Role): Promise<Grant> {
    this.#check(request)
    const verified = await this.#verify(request)
    return this.#checkRole(this.#access.grantEverywhere(verified, prefix), needed, ' in every document there')
  }

  /**
   * @returns what the token says; null: nobody is asked
   * @throws {ApiError} `unauthorized`, `local-only`, `cross-site`
   */
  async verify(request: IncomingMessage): Promise<VerifiedToken | null> {
    this.#check(request)
    const verified = await this.#verify(request)
    if (verified !== null && 'close' in verified) throw denied(verified)
    return verified
  }

  /**
   * @returns which documents may be read, as `DocumentRights.scopes`
   * @throws {ApiError} `unauthorized`, `local-only`, `cross-site`
   */
  async readable(request: IncomingMessage): Promise<readonly DocumentScope[]> {
    const verified = await this.verify(request)
    return verified === null ? [{ prefix: '' }] : verified.rights.scopes
  }

  /**
   * @returns where to look for documents that may be read, and which of those may: what was taken back in one says nothing of it
   * @throws {ApiError} as `readable`
   */
  async reader(
    request: IncomingMessage,
  ): Promise<{ scopes: readonly DocumentScope[]; mayRead(documentId: DocumentId): boolean }> {
    const verified = await this.verify(request)
    const scopes = verified === null ? [{ prefix: '' }] : verified.rights.scopes
    return { scopes, mayRead: documentId => !('close' in this.#access.grant(verified, documentId)) }
  }

  /** For what nobody needs a token for. @throws {ApiError} `local-only`, `cross-site` */
  admitAnybody(request: IncomingMessage): void {
    this.#check(request)
  }

  /** @throws {ApiError} `no-keys`: there is nothing to ask tokens by */
  needTokens(): void {
    if (this.#access.isAsking) return
    throw new ApiError(
      'no-keys',
      'nobody is asked for a token here, so there is nothing to share or to revoke: start the server with WEFT_AUTH_SECRET',
    )
  }

  #checkRole(grant: Grant | Denial, needed: Role, where: string): Grant {
    if ('close' in grant) throw denied(grant)
    // This machine's programs may do all.
    if (!this.#access.isAsking) return { ...grant, role: 'owner' }
    if (includesRole(grant.role, needed)) return grant
    throw new ApiError('forbidden', `this needs the role ${needed}${where}, and the token gives ${grant.role}`)
  }

  #check(request: IncomingMessage): void {
    if (!this.#access.isAsking) this.#checkLocal(request)
    if (!isRead(request)) this.checkDeliberate(request)
  }

  /** @throws {ApiError} `cross-site`: a form of a foreign page could have sent this change. [G3] */
  checkDeliberate(request: IncomingMessage): void {
    if (isDeliberate(request)) return
    throw new ApiError('cross-site', 'a change needs the header Authorization, X-Requested-With or a JSON Content-Type')
  }

  /**
   * The token that a request brings; null: none.
   * @throws {ApiError} `cross-site`. [G4]
   */
  tokenOf(request: IncomingMessage): string | null {
    const { authorization, origin, 'sec-fetch-site': site } = request.headers
    if (authorization !== undefined) return tokenOfRequest({ headers: { authorization } })
    const token = tokenOfCookie(request, this.#proxies.isSecure(request))
    if (token === null) return null
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none'
    if (!isForeign && (origin !== undefined || isRead(request))) return token
    throw new ApiError('cross-site', 'a change by a cookie needs the Origin of a page of this server')
  }

  #checkLocal(request: IncomingMessage): void {
    const host = (this.#proxies.hostOf(request) ?? '').replace(/:\d+$/u, '')
    if (this.#proxies.isFromHere(request) && isLoopbackHost(host)) return
    throw new ApiError('local-only', 'without keys (WEFT_AUTH_SECRET), only programs of this machine are answered here')
  }
}

function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Types that a form of any page can send (https://fetch.spec.whatwg.org/#cors-safelisted-request-header). */
const FORM_TYPES = ['text/plain', 'multipart/form-data', 'application/x-www-form-urlencoded']

function isDeliberate({ headers }: IncomingMessage): boolean {
  if (headers.authorization !== undefined || headers['x-requested-with'] !== undefined) return true
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  return type !== undefined && type !== '' && !FORM_TYPES.includes(type)
}

/** What a denial is in the API. */
export function denied({ close, text }: Denial): ApiError {
  return new ApiError(close === 'overload' ? 'unavailable' : close, text)
}
