import { type KeyObject, randomBytes } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose'
import type { Clock } from '../clock.ts'
import { type KeySource, SecretKey } from './KeySource.ts'
import type { Role } from './Role.ts'
import { SKEW_S, type VerifiedToken, verifyToken } from './verifyToken.ts'

/** What the header of a token of ours says (`kid`): our own key is looked at for it, and for no other. */
const OWN_KEY_ID = 'weft'
const ALGORITHM = 'HS256'
const RENEWAL_TYPE = 'weft-renewal+jwt'

/** Somebody whom a token is made for. */
export interface TokenClaims {
  readonly userId: string
  readonly name: string | null
  readonly docs: readonly (
    | { readonly document: string; readonly role: Role }
    | { readonly prefix: string; readonly role: Role }
  )[]
  /** The share link by which they came; null: none. */
  readonly linkId: string | null
  /** As `TokenIdentity` says. Default: none. */
  readonly makers?: readonly string[]
  /** Its end, ms since the epoch. */
  readonly endsAt: number
}

/** Who may have another token for a share link. */
export interface Renewal {
  readonly userId: string
  readonly name: string | null
  readonly linkId: string
  /** When they came, ms since the epoch: each renewal says so of the first, for what was revoked since concerns them. */
  readonly issuedAt: number
}

/** Makes the server's own tokens: those for share links, and those that an owner asks for. */
export class TokenSigner {
  readonly #key: KeyObject
  readonly #source: KeySource
  readonly #clock: Clock

  constructor(key: KeyObject, clock: Clock) {
    this.#key = key
    this.#source = new SecretKey(key)
    this.#clock = clock
  }

  /** @returns a token and its `jti` */
  async sign({
    userId,
    name,
    docs,
    linkId,
    makers = [],
    endsAt,
  }: TokenClaims): Promise<{ token: string; tokenId: string }> {
    // All tokens of a guest have one id: whoever revokes one means that guest, who could ask for the next.
    const tokenId = linkId === null ? randomBytes(16).toString('base64url') : userId
    const claims = {
      docs,
      ...(name !== null && { name }),
      ...(linkId !== null && { link: linkId }),
      ...(makers.length > 0 && { by: makers }),
    }
    const token = await this.#begin(claims, 'JWT', userId)
      .setExpirationTime(Math.floor(endsAt / 1000))
      .setJti(tokenId)
      .sign(this.#key)
    return { token, tokenId }
  }

  /** What the bearer may exchange for another token, as long as there is the link. It is none itself: it has no `exp`. */
  signRenewal({ userId, name, linkId, issuedAt }: Renewal): Promise<string> {
    const claims = { link: linkId, ...(name !== null && { name }) }
    return this.#begin(claims, RENEWAL_TYPE, userId)
      .setIssuedAt(Math.floor(issuedAt / 1000))
      .sign(this.#key)
  }

  /** @throws {BadTokenError} */
  async verify(token: string): Promise<VerifiedToken> {
    const verified = await verifyToken(token, [this.#source], this.#clock)
    // The signature is right: what it says of a link, and of who made it, we said.
    const [, payload = ''] = token.split('.')
    const { link, by } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    return { ...verified, linkId: typeof link === 'string' ? link : null, makers: Array.isArray(by) ? by : [] }
  }

  /** @returns null: it is none of ours */
  async verifyRenewal(renewal: string): Promise<Renewal | null> {
    try {
      const { payload } = await jwtVerify(renewal, this.#key, {
        algorithms: [ALGORITHM],
        typ: RENEWAL_TYPE,
        clockTolerance: SKEW_S,
        currentDate: new Date(this.#clock.wallTime()),
      })
      const { sub, link, name, iat } = payload
      if (sub === undefined || typeof link !== 'string' || iat === undefined) return null
      return { userId: sub, name: typeof name === 'string' ? name : null, linkId: link, issuedAt: iat * 1000 }
    } catch (error) {
      if (error instanceof errors.JOSEError) return null
      throw error
    }
  }

  #begin(claims: Record<string, unknown>, type: string, userId: string): SignJWT {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid: OWN_KEY_ID, typ: type })
      .setSubject(userId)
      .setIssuedAt(Math.floor(this.#clock.wallTime() / 1000))
  }
}

/** Whether a token says that this server made it: our own key decides whether it did. */
export function isOwnToken(token: string): boolean {
  try {
    return decodeProtectedHeader(token).kid === OWN_KEY_ID
  } catch (error) {
    // `verifyToken` says that it is none.
    if (error instanceof TypeError) return false
    throw error
  }
}
