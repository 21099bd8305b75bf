import type { DocumentId } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { BadTokenError } from './BadTokenError.ts'
import type { DocumentScope } from './DocumentScope.ts'
import { type Denial, type Grant, UNASKED } from './Grant.ts'
import { type KeySource, KeysUnavailableError } from './KeySource.ts'
import { type ExpectedClaims, type VerifiedToken, verifyToken } from './verifyToken.ts'

/** Who may do what in which document, told by signed tokens. */
export class Access {
  readonly #keys: readonly KeySource[]
  readonly #clock: Clock
  readonly #expected: ExpectedClaims

  /** @param keys that tokens are signed with; none: nobody is asked, and tokens are not looked at */
  constructor(keys: readonly KeySource[], clock: Clock, expected: ExpectedClaims = { issuer: null, audience: null }) {
    this.#keys = keys
    this.#clock = clock
    this.#expected = expected
  }

  /** Whether tokens are asked for. */
  get isAsking(): boolean {
    return this.#keys.length > 0
  }

  /** @param token null or empty: none was given. @returns what its bearer may do in a document, or why nothing. */
  async admit(token: string | null, documentId: DocumentId): Promise<Grant | Denial> {
    return this.grant(await this.verify(token), documentId)
  }

  /** @param token null or empty: none was given. @returns which documents its bearer may read, as `DocumentRights.scopes`, or why none. */
  async readable(token: string | null): Promise<readonly DocumentScope[] | Denial> {
    const verified = await this.verify(token)
    if (verified === null) return [{ prefix: '' }]
    return 'close' in verified ? verified : verified.rights.scopes
  }

  /** @param token null or empty: none was given. @returns what its bearer may do in every document, or why not so. */
  async admitEverywhere(token: string | null): Promise<Grant | Denial> {
    const verified = await this.verify(token)
    if (verified === null) return UNASKED
    if ('close' in verified) return verified
    const { userId, name: userName, rights, expiresAt } = verified
    const role = rights.roleEverywhere
    if (role === null) return { close: 'forbidden', text: 'the token gives no right to all documents' }
    return { userId, userName, role, expiresAt }
  }

  /** Verifies a token, for whichever document. @returns what it says, or why it isn't taken; null: nobody is asked */
  async verify(token: string | null): Promise<VerifiedToken | Denial | null> {
    if (!this.isAsking) return null
    if (token === null || token === '') return { close: 'unauthorized', text: 'no token was given' }
    try {
      return await verifyToken(token, this.#keys, this.#clock, this.#expected)
    } catch (error) {
      if (error instanceof BadTokenError) return { close: 'unauthorized', text: error.message }
      if (error instanceof KeysUnavailableError) return { close: 'overload', text: error.message }
      throw error
    }
  }

  /** @param verified what `verify` returned, a while ago maybe. @returns what that gives in a document, or why nothing. */
  grant(verified: VerifiedToken | Denial | null, documentId: DocumentId): Grant | Denial {
    if (verified === null) return UNASKED
    if ('close' in verified) return verified
    const { userId, name: userName, rights, expiresAt } = verified
    if (expiresAt <= this.#clock.now()) return { close: 'unauthorized', text: 'the token has expired' }
    const role = rights.roleIn(documentId)
    if (role === null) return { close: 'forbidden', text: 'the token gives no right to this document' }
    return { userId, userName, role, expiresAt }
  }
}
