import { type JWTPayload, SignJWT } from 'jose'

/** What the servers of these tests know tokens by. */
export const SECRET = 'only for tests: a secret of forty-one bytes'

/** Settings of a server that asks for tokens. */
export const asksForTokens = { WEFT_AUTH_SECRET: SECRET }

/** Now, in seconds since the epoch, as claims have it. */
export const nowInSeconds = (): number => Math.floor(Date.now() / 1000)

/** A token for an hour, unless the claims say otherwise, signed as an application would do it. */
export function sign(claims: JWTPayload, secret = SECRET): Promise<string> {
  return new SignJWT({ sub: 'ann', exp: nowInSeconds() + 3600, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret))
}

/** A token with one role in every document. */
export function tokenFor(role: string, claims: JWTPayload = {}): Promise<string> {
  return sign({ docs: [{ prefix: '', role }], ...claims })
}

/**
 * As `tokenFor`, for a token that ends within 8 s, the skew of 5 s included: long enough to come in use on a slow machine, short
 * enough to wait for its end.
 */
export function tokenThatEnds(role: string, claims: JWTPayload = {}): Promise<string> {
  return tokenFor(role, { exp: nowInSeconds() + 3, ...claims })
}
