import type { KeyObject } from 'node:crypto'
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify, type ProtectedHeaderParameters } from 'jose'
import type { Clock } from '../clock.ts'
import { BadTokenError } from './BadTokenError.ts'
import { DocumentRights } from './DocumentRights.ts'
import type { KeySource } from './KeySource.ts'
import type { TokenIdentity } from './TokenIdentity.ts'

/** Longest token, in characters: a header of a request has no room for more, and nobody unknown makes us parse more. */
export const MAX_TOKEN_LENGTH = 8 * 1024
/** Longest `sub`, which everybody in a document is sent (OpenID Connect Core 1.0, section 2: 255 ASCII characters). */
const MAX_SUB_BYTES = 255
/** The issuer's clock and ours may differ by so much, in s. */
export const SKEW_S = 5
/** Furthest end of a token, in s from now, and from when it was made. */
export const MAX_LIFE_S = 24 * 60 * 60
/** What a token says whose signature is right. */
export interface VerifiedToken extends TokenIdentity {
  /** `name`: how the person is called. */
  readonly name: string | null
  /** `docs` */
  readonly rights: DocumentRights
  /** `exp` and the skew, monotonic ms. */
  readonly expiresAt: number
  /** `exp`: seconds since 1970. */
  readonly exp: number
}

/** What a token must say beside its signature; null: it isn't looked at. */
export interface ExpectedClaims {
  readonly issuer: string | null
  readonly audience: string | null
}

/** RFC 7515, section 7.1, to the letter: `jose` passes over blanks, and a token ends up in a header. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/u

const ANY: ExpectedClaims = { issuer: null, audience: null }

/**
 * Verifies a token (JWT, RFC 7519) and reads its claims: `sub` and `exp` are required, `name` and `docs` are not; `nbf` is
 * heeded; `iss` and `aud` where they are expected; others are passed over.
 * @param sources whose keys it may be signed with; no algorithm counts but theirs
 * @throws {BadTokenError} it is none, is signed otherwise, has expired or isn't valid yet, or a claim isn't as it must be
 * @throws {KeysUnavailableError} its key may be one that can't be had now
 */
export async function verifyToken(
  token: string,
  sources: readonly KeySource[],
  clock: Clock,
  expected: ExpectedClaims = ANY,
): Promise<VerifiedToken> {
  if (token.length > MAX_TOKEN_LENGTH) throw new BadTokenError(`a token is at most ${MAX_TOKEN_LENGTH} bytes`)
  if (!COMPACT.test(token)) throw new BadTokenError('this is no token')
  const wallTime = clock.wallTime()
  const claims = await verifySignature(token, sources, wallTime, expected)
  const { sub, name, exp, jti, iat } = claims
  if (typeof sub !== 'string' || sub === '') throw new BadTokenError('sub is missing, or no text')
  if (Buffer.byteLength(sub) > MAX_SUB_BYTES) throw new BadTokenError(`sub is over ${MAX_SUB_BYTES} bytes`)
  if (name !== undefined && typeof name !== 'string') throw new BadTokenError('name is no text')
  if (typeof exp !== 'number') throw new BadTokenError('exp is missing')
  const leftMs = (exp + SKEW_S) * 1000 - wallTime
  if (leftMs > (MAX_LIFE_S + 2 * SKEW_S) * 1000) throw new BadTokenError('exp is more than 24 hours ahead')
  if (iat !== undefined && typeof iat !== 'number') throw new BadTokenError('iat is no number')
  // Revocations are forgotten when no token can be older than they are.
  if (iat !== undefined && exp - iat > MAX_LIFE_S + 2 * SKEW_S) throw new BadTokenError('it is for more than 24 hours')
  return {
    userId: sub,
    name: name ?? null,
    tokenId: typeof jti === 'string' ? jti : null,
    linkId: null,
    makers: [],
    issuedAt: (iat ?? exp - MAX_LIFE_S) * 1000,
    rights: new DocumentRights(claims.docs),
    // From here on no step of the wall clock matters.
    expiresAt: clock.now() + leftMs,
    exp,
  }
}

async function verifySignature(
  token: string,
  sources: readonly KeySource[],
  wallTime: number,
  { issuer, audience }: ExpectedClaims,
): Promise<JWTPayload> {
  const { alg = '', kid = null } = readHeader(token)
  // Named by the keys, never taken from the token: `none` is in no list.
  const algorithms = [...new Set(sources.flatMap(source => source.algorithms))]
  if (!algorithms.includes(alg)) {
    throw new BadTokenError(`the token is not signed with ${algorithms.join(' or ')}`)
  }
  const options = {
    algorithms: [alg],
    clockTolerance: SKEW_S,
    currentDate: new Date(wallTime),
    ...(issuer !== null && { issuer }),
    ...(audience !== null && { audience }),
  }
  const tried = new Set<KeyObject>()
  const tryAll = async (): Promise<JWTPayload | null> => {
    for (const source of sources) {
      for (const key of source.candidates(alg, kid)) {
        if (tried.has(key)) continue
        tried.add(key)
        const payload = await verifyWith(token, key, options)
        if (payload !== null) return payload
      }
    }
    return null
  }
  const payload = await tryAll()
  if (payload !== null) return payload
  // A key that has its name is known: no other one would be right.
  const isKnown = kid !== null && sources.some(source => source.knows(kid))
  if (!isKnown) {
    const renewals = await Promise.all(
      sources.filter(source => source.algorithms.includes(alg)).map(source => source.renew()),
    )
    const renewed = renewals.includes(true) ? await tryAll() : null
    if (renewed !== null) return renewed
  }
  throw new BadTokenError(`the token is signed with another ${alg === 'HS256' ? 'secret' : 'key'}`)
}

function readHeader(token: string): ProtectedHeaderParameters {
  try {
    const header = decodeProtectedHeader(token)
    if (header.kid === undefined || typeof header.kid === 'string') return header
  } catch {
    // Told below.
  }
  throw new BadTokenError('this is no token')
}

/** @returns null: it is signed with another key */
async function verifyWith(
  token: string,
  key: KeyObject,
  options: Parameters<typeof jwtVerify>[2],
): Promise<JWTPayload | null> {
  try {
    return (await jwtVerify(token, key, options)).payload
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return null
    if (!(error instanceof errors.JOSEError)) throw error
    throw new BadTokenError(describe(error), { cause: error })
  }
}

function describe(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `${error.claim} is not as it must be`
  return 'this is no token'
}
