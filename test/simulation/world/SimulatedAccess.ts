import { createSecretKey } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import { Access, type RightsTakenBack } from '../../../server/src/access/Access.ts'
import { DocumentRights } from '../../../server/src/access/DocumentRights.ts'
import type { Denial, Grant } from '../../../server/src/access/Grant.ts'
import { SecretKey } from '../../../server/src/access/KeySource.ts'
import type { VerifiedToken } from '../../../server/src/access/verifyToken.ts'
import type { Clock } from '../../../server/src/clock.ts'

/** What a token says here, as JSON: a signature is checked on a thread of the system's, whose time nobody can simulate. */
export interface TokenClaims {
  readonly user: string
  readonly role: string
  /** Virtual ms, as the next. */
  readonly issuedAt: number
  readonly expiresAt: number
}

/** What the administrator took back; outlives the server. */
export class TakenBack implements RightsTakenBack {
  /** `Map<user, virtual ms>`: what was issued by then counts no more. */
  readonly #revokedBy = new Map<string, number>()
  readonly #readers = new Set<string>()

  revoke(user: string, now: number): void {
    this.#revokedBy.set(user, now)
  }

  /** From now on this user may only read, whatever the token says. */
  shrink(user: string): void {
    this.#readers.add(user)
  }

  lift(user: string): void {
    this.#readers.delete(user)
  }

  refusal({ userId, issuedAt }: VerifiedToken): string | null {
    return issuedAt <= (this.#revokedBy.get(userId) ?? -1) ? 'the token was revoked' : null
  }

  review(grant: Grant, { userId }: VerifiedToken, _documentId: DocumentId | null): Grant | Denial {
    return this.#readers.has(userId) ? { ...grant, role: 'viewer' } : grant
  }
}

/** The server's own access, but for the signature. */
export class SimulatedAccess extends Access {
  readonly #takenBack: TakenBack

  constructor(isAsking: boolean, clock: Clock, takenBack: TakenBack) {
    super(isAsking ? [new SecretKey(createSecretKey(Buffer.alloc(32)))] : [], clock)
    this.#takenBack = takenBack
    this.revokeBy(takenBack)
  }

  override async verify(token: string | null): Promise<VerifiedToken | Denial | null> {
    if (!this.isAsking) return null
    if (token === null || token === '') return { close: 'unauthorized', text: 'no token was given' }
    let claims: TokenClaims
    try {
      claims = JSON.parse(token) as TokenClaims
    } catch {
      return { close: 'unauthorized', text: 'this is no token' }
    }
    const { user, role, issuedAt, expiresAt } = claims
    const verified: VerifiedToken = {
      userId: user,
      name: user,
      rights: new DocumentRights([{ prefix: '', role }]),
      expiresAt,
      exp: expiresAt / 1000,
      issuedAt,
      tokenId: null,
      linkId: null,
      makers: [],
    }
    const refusal = this.#takenBack.refusal(verified)
    return refusal === null ? verified : { close: 'unauthorized', text: refusal }
  }
}
