import type { KeyObject } from 'node:crypto'
import { errors, type JWTPayload, jwtVerify } from 'jose'
import type { Clock } from '../clock.ts'
import { BadTokenError } from './BadTokenError.ts'
import { DocumentRights } from './DocumentRights.ts'

/** Longest token, in characters: a header of a request has no room for more, and nobody unknown makes us parse more. */
export const MAX_TOKEN_LENGTH = 8 * 1024
/** The issuer's clock and ours may differ by so much, in s. */
const SKEW_S = 5
/** Furthest end of a token, in s from now. */
const MAX_LIFE_S = 24 * 60 * 60
/** The only algorithm (RFC 7518, section 3.2). Named here, never taken from the token: `none` is not in the list. */
const ALGORITHMS = ['HS256']

/** What a token says whose signature is right. */
export interface VerifiedToken {
  /** `sub` */
  readonly userId: string
  /** `name`: how the person is called. */
  readonly name: string | null
  /** `docs` */
  readonly rights: DocumentRights
  /** `exp` and the skew, monotonic ms. */
  readonly expiresAt: number
}

/**
 * Verifies a token (JWT, RFC 7519) and reads its claims: `sub` and `exp` are required, `name` and `docs` are not; `nbf` is
 * heeded; others are passed over.
 * @throws {BadTokenError} it is none, is signed otherwise, has expired or isn't valid yet, or a claim isn't as it must be
 */
export async function verifyToken(token: string, secret: KeyObject, clock: Clock): Promise<VerifiedToken> {
  if (token.length > MAX_TOKEN_LENGTH) throw new BadTokenError(`a token is at most ${MAX_TOKEN_LENGTH} bytes`)
  const wallTime = clock.wallTime()
  const claims = await verifySignature(token, secret, wallTime)
  const { sub, name, exp } = claims
  if (typeof sub !== 'string' || sub === '') throw new BadTokenError('sub is missing, or no text')
  if (name !== undefined && typeof name !== 'string') throw new BadTokenError('name is no text')
  if (typeof exp !== 'number') throw new BadTokenError('exp is missing')
  const leftMs = (exp + SKEW_S) * 1000 - wallTime
  if (leftMs > (MAX_LIFE_S + 2 * SKEW_S) * 1000) throw new BadTokenError('exp is more than 24 hours ahead')
  return {
    userId: sub,
    name: name ?? null,
    rights: new DocumentRights(claims.docs),
    // From here on no step of the wall clock matters.
    expiresAt: clock.now() + leftMs,
  }
}

async function verifySignature(token: string, secret: KeyObject, wallTime: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: ALGORITHMS,
      clockTolerance: SKEW_S,
      currentDate: new Date(wallTime),
    })
    return payload
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error
    throw new BadTokenError(describe(error), { cause: error })
  }
}

function describe(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `${error.claim} is not as it must be`
  if (error instanceof errors.JOSEAlgNotAllowed) return `the token is not signed with ${ALGORITHMS.join()}`
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the token is signed with another secret'
  return 'this is no token'
}
