import { createHmac, createSecretKey, generateKeyPairSync, sign } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { BadTokenError } from './BadTokenError.ts'
import { SecretKey } from './KeySource.ts'
import { MAX_TOKEN_LENGTH, verifyToken } from './verifyToken.ts'

// Tokens are made by hand here: nothing that verifies them has a part in it.

const SECRET = 'a secret of thirty-two bytes, yes'
const NOW_S = 1_800_000_000

/** A clock that stands at `NOW_S`; its monotonic time is another. */
const clock = {
  now: () => 5000,
  wallTime: () => NOW_S * 1000,
  setTimer: () => null,
  clearTimer: () => {},
  soon: () => {},
}

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const hmac = (data: string, secret = SECRET) => createHmac('sha256', secret).update(data).digest('base64url')

function tokenOf(claims: unknown, header: object = { alg: 'HS256' }, secret = SECRET): string {
  const data = `${encode(header)}.${encode(claims)}`
  return `${data}.${hmac(data, secret)}`
}

const good = { sub: 'ann', exp: NOW_S + 60, docs: [{ document: 'a', role: 'editor' }] }
const verify = (token: string) => verifyToken(token, [new SecretKey(createSecretKey(Buffer.from(SECRET)))], clock)

describe('a token', () => {
  it('says who it is, what they may do, and until when', async () => {
    const verified = await verify(tokenOf({ ...good, name: 'Ann' }))
    expect(verified).toMatchObject({ userId: 'ann', name: 'Ann', expiresAt: 5000 + 65_000 })
    expect(verified.rights.roleIn('a' as DocumentId)).toBe('editor')
  })

  it('needs no name and no docs, and may have more', async () => {
    const verified = await verify(tokenOf({ sub: 'ann', exp: NOW_S + 60, iat: NOW_S, iss: 'us', theme: 'dark' }))
    expect(verified.name).toBeNull()
    expect(verified.rights.roleIn('a' as DocumentId)).toBeNull()
  })

  it.each([
    ['4 s ago', NOW_S - 4, null],
    ['5 s ago', NOW_S - 5, 'the token has expired'],
    ['long ago', 1, 'the token has expired'],
    ['in 24 hours, by a clock that is 5 s ahead', NOW_S + 86_405, null],
    ['later', NOW_S + 86_406, 'exp is more than 24 hours ahead'],
    ['never', 1e300, 'exp is more than 24 hours ahead'],
  ])('that ends %s', async (_when, exp, message) => {
    const verified = verify(tokenOf({ ...good, exp }))
    if (message === null) expect((await verified).expiresAt).toBe(5000 + (exp + 5 - NOW_S) * 1000)
    else await expect(verified).rejects.toThrow(new BadTokenError(message))
  })

  it.each([
    ['and is for 24 hours, by clocks that differ', { iat: NOW_S - 10, exp: NOW_S + 86_400 }, (NOW_S - 10) * 1000],
    ['and is for longer', { iat: NOW_S - 11, exp: NOW_S + 86_400 }, 'it is for more than 24 hours'],
    ['by a text', { iat: 'yesterday' }, 'this is no token'],
    // It can't be older: a revocation counts for it that long.
    ['not at all', { iat: undefined, exp: NOW_S + 60 }, (NOW_S + 60 - 86_400) * 1000],
  ])('that says %s when it was made', async (_what, claims, expected) => {
    const verified = verify(tokenOf({ ...good, ...claims }))
    if (typeof expected === 'number') expect((await verified).issuedAt).toBe(expected)
    else await expect(verified).rejects.toThrow(BadTokenError)
  })

  it('that begins in 5 s is taken, one that begins in 6 s is not', async () => {
    await verify(tokenOf({ ...good, nbf: NOW_S + 5 }))
    await expect(verify(tokenOf({ ...good, nbf: NOW_S + 6 }))).rejects.toThrow('nbf is not as it must be')
  })

  it.each([
    ['no sub', { ...good, sub: undefined }, 'sub is missing, or no text'],
    ['an empty sub', { ...good, sub: '' }, 'sub is missing, or no text'],
    ['a sub that is no text', { ...good, sub: 7 }, 'sub is missing, or no text'],
    ['a name that is no text', { ...good, name: {} }, 'name is no text'],
    ['no exp', { ...good, exp: undefined }, 'exp is missing'],
    ['an exp that is text', { ...good, exp: '1800000060' }, 'exp is not as it must be'],
    ['docs that are none', { ...good, docs: 'all' }, 'docs is no list'],
    ['claims that are no object', [1], 'this is no token'],
    ['claims that are no JSON', '{', 'this is no token'],
  ])('with %s is refused', async (_what, claims, message) => {
    await expect(verify(tokenOf(claims))).rejects.toThrow(new BadTokenError(message))
  })

  it('signed with another secret is refused, and so is one that was changed', async () => {
    const message = 'the token is signed with another secret'
    await expect(verify(tokenOf(good, { alg: 'HS256' }, 'another secret of thirty-two bytes'))).rejects.toThrow(message)
    const [header, , signature] = tokenOf(good).split('.')
    await expect(verify(`${header}.${encode({ ...good, sub: 'bo' })}.${signature}`)).rejects.toThrow(message)
  })

  it('is signed with HS256, whatever it says of itself', async () => {
    const message = 'the token is not signed with HS256'
    const claims = encode(good)
    const unsigned = encode({ alg: 'none' })
    for (const signature of ['', hmac(`${unsigned}.${claims}`)]) {
      await expect(verify(`${unsigned}.${claims}.${signature}`)).rejects.toThrow(BadTokenError)
    }
    for (const alg of ['RS256', 'HS384', 'HS512', 'ES256', 'hs256', 'NONE']) {
      await expect(verify(tokenOf(good, { alg }))).rejects.toThrow(message)
    }
    // Another algorithm for real.
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const data = `${encode({ alg: 'RS256' })}.${claims}`
    await expect(
      verify(`${data}.${sign('sha256', Buffer.from(data), privateKey).toString('base64url')}`),
    ).rejects.toThrow(message)
  })

  it('with a header that asks for what we don’t know is refused', async () => {
    await expect(verify(tokenOf(good, { alg: 'HS256', crit: ['exp2'], exp2: 1 }))).rejects.toThrow(BadTokenError)
    await expect(verify(tokenOf(good, { alg: 'HS256', b64: false, crit: ['b64'] }))).rejects.toThrow(BadTokenError)
  })

  it.each(['', '.', '..', 'a.b.c', 'hello', `${tokenOf(good)}.x`, tokenOf(good).slice(0, -1), '\u0000.\u0000.\u0000'])(
    'is not %j',
    async text => {
      await expect(verify(text)).rejects.toThrow(BadTokenError)
    },
  )

  it(`has at most ${MAX_TOKEN_LENGTH} characters`, async () => {
    const long = tokenOf({ ...good, pad: 'x'.repeat(MAX_TOKEN_LENGTH) })
    await expect(verify(long)).rejects.toThrow(`a token is at most ${MAX_TOKEN_LENGTH} bytes`)
  })

  it('is never told in the reason', async () => {
    const token = tokenOf({ ...good, sub: 7, name: 'confidential' })
    const error = await verify(token).catch((caught: unknown) => caught)
    expect(String(error)).not.toContain('confidential')
    expect(String(error)).not.toContain(token.slice(-10))
  })
})
