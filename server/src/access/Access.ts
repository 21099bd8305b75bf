import { type DocumentId, isKept, splitPart } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { BadTokenError } from './BadTokenError.ts'
import { type Denial, type Grant, UNASKED } from './Grant.ts'
import { type KeySource, KeysUnavailableError } from './KeySource.ts'
import { includesRole } from './Role.ts'
import { isOwnToken, type TokenSigner } from './TokenSigner.ts'
import { type ExpectedClaims, type VerifiedToken, verifyToken } from './verifyToken.ts'

/** What takes back what tokens give. Asked again for each use, so it answers from memory. */
export interface RightsTakenBack {
  /** @returns why a token counts for nothing any more; null: it counts */
  refusal(verified: VerifiedToken): string | null
  /**
   * @param documentId null: in every document
   * @returns what is left of a right in one document: all of it, less, or none
   */
  review(grant: Grant, verified: VerifiedToken, documentId: DocumentId | null): Grant | Denial
}

/** Who may do what in which document, told by signed tokens. */
export class Access {
  readonly #keys: readonly KeySource[]
  readonly #clock: Clock
  readonly #expected: ExpectedClaims
  /** Null: nothing is taken back. */
  #takenBack: RightsTakenBack | null = null
  readonly #listeners: (() => void)[] = []
  readonly #signer: TokenSigner | null

  /**
   * @param keys that tokens are signed with; none: nobody is asked, and tokens are not looked at
   * @param signer whose tokens are taken, too; null: the server makes none
   */
  constructor(
    keys: readonly KeySource[],
    clock: Clock,
    expected: ExpectedClaims = { issuer: null, audience: null },
    signer: TokenSigner | null = null,
  ) {
    this.#keys = keys
    this.#clock = clock
    this.#expected = expected
    this.#signer = signer
  }

  /** From now on these take back what tokens give. */
  revokeBy(takenBack: RightsTakenBack): void {
    this.#takenBack = takenBack
    this.recheck()
  }

  /** To be called whenever `revokeBy`'s answers may have changed: open sessions look at their rights at once. */
  recheck(): void {
    for (const listener of this.#listeners) listener()
  }

  /** @param listener called by `recheck` */
  onRecheck(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Whether tokens are asked for. */
  get isAsking(): boolean {
    return this.#keys.length > 0
  }

  /** @param token null or empty: none was given. @returns what its bearer may do in a document, or why nothing. */
  async admit(token: string | null, documentId: DocumentId): Promise<Grant | Denial> {
    return this.grant(await this.verify(token), documentId)
  }

  /**
   * As `grant`, for every document, or for all below a prefix.
   * @param prefix ends with a slash, or is empty
   */
  grantEverywhere(verified: VerifiedToken | Denial | null, prefix = ''): Grant | Denial {
    if (verified === null) return UNASKED
    if ('close' in verified) return verified
    const { userId, name: userName, rights, expiresAt } = verified
    const role = rights.roleWithin(prefix)
    if (role === null) {
      const where = prefix === '' ? 'to all documents' : 'to all documents there'
      return { close: 'forbidden', text: `the token gives no right ${where}` }
    }
    const grant: Grant = { userId, userName, role, mayCreate: false, expiresAt }
    return this.#takenBack?.review(grant, verified, null) ?? grant
  }

  /** Verifies a token, for whichever document. @returns what it says, or why it isn't taken; null: nobody is asked */
  async verify(token: string | null): Promise<VerifiedToken | Denial | null> {
    if (!this.isAsking) return null
    if (token === null || token === '') return { close: 'unauthorized', text: 'no token was given' }
    try {
      const verified = await this.#verifyAny(token)
      const refusal = this.#takenBack?.refusal(verified) ?? null
      return refusal === null ? verified : { close: 'unauthorized', text: refusal }
    } catch (error) {
      if (error instanceof BadTokenError) return { close: 'unauthorized', text: error.message }
      if (error instanceof KeysUnavailableError) return { close: 'overload', text: error.message }
      throw error
    }
  }

  /** @param verified what `verify` returned, a while ago maybe. @returns the same, or why it counts no more */
  stillCounts(verified: VerifiedToken | Denial | null): VerifiedToken | Denial | null {
    if (verified === null || 'close' in verified) return verified
    if (verified.expiresAt <= this.#clock.now()) return { close: 'unauthorized', text: 'the token has expired' }
    const refusal = this.#takenBack?.refusal(verified) ?? null
    return refusal === null ? verified : { close: 'unauthorized', text: refusal }
  }

  async #verifyAny(token: string): Promise<VerifiedToken> {
    const verify = () => verifyToken(token, this.#keys, this.#clock, this.#expected)
    if (this.#signer === null || !isOwnToken(token)) return verify()
    try {
      return await this.#signer.verify(token)
    } catch (error) {
      // An application may call its key as we do ours.
      return verify().catch(() => {
        throw error
      })
    }
  }

  /**
   * @param verified what `verify` returned, a while ago maybe
   * @param documentId a document, or a part of one, in which the role is that of the document
   * @returns what that gives there, or why nothing
   */
  grant(verified: VerifiedToken | Denial | null, documentId: DocumentId): Grant | Denial {
    const counting = this.stillCounts(verified)
    if (counting === null) return UNASKED
    if ('close' in counting) return counting
    const { userId, name: userName, rights, expiresAt } = counting
    const { document, part } = splitPart(documentId)
    const right = rights.in(document)
    if (right === null) return { close: 'forbidden', text: 'the token gives no right to this document' }
    const review = () => this.grant(counting, documentId)
    const grant: Grant = { userId, userName, ...right, expiresAt, review }
    const left = this.#takenBack?.review(grant, counting, document) ?? grant
    if ('close' in left || !isKept(part) || includesRole(left.role, 'editor')) return left
    // What was deleted is for those who may put it back: who may only read may have come later.
    return { close: 'forbidden', text: 'a state that is kept is for those who may write the document' }
  }
}
