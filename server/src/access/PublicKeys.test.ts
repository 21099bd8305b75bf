import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type KeySource, SecretKey } from './KeySource.ts'
import { KeysFile } from './KeysFile.ts'
import { KeysUrl } from './KeysUrl.ts'
import { BadKeysError, PublicKeys } from './PublicKeys.ts'
import { verifyToken } from './verifyToken.ts'

// Tokens are made by hand here: nothing that verifies them has a part in it.

const NOW_S = 1_800_000_000
const logger = pino({ level: 'silent' })
let now = 5000
const clock = {
  now: () => now,
  wallTime: () => NOW_S * 1000,
  setTimer: () => null,
  clearTimer: () => {},
  soon: () => {},
}

const pairs = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}
type Algorithm = keyof typeof pairs
const algorithms = Object.keys(pairs) as Algorithm[]

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = { sub: 'ann', exp: NOW_S + 60 }

function signed(alg: string, key: KeyObject, header: object = {}, body: object = claims): string {
  const data = `${encode({ alg, ...header })}.${encode(body)}`
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256'
  return `${data}.${sign(digest, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const tokenOf = (alg: Algorithm, header: object = {}) => signed(alg, pairs[alg].privateKey, header)
const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
const jwkOf = (key: KeyObject, more: object = {}) => ({ ...key.export({ format: 'jwk' }), ...more })
const jwks = (...keys: object[]) => JSON.stringify({ keys })

/** A source that holds what a text says. */
function sourceOf(text: string): KeySource {
  const keys = PublicKeys.parse(text)
  return {
    algorithms: algorithms,
    candidates: (algorithm, kid) => keys.candidates(algorithm, kid),
    knows: kid => keys.knows(kid),
    renew: async () => false,
  }
}

const verify = (token: string, ...sources: KeySource[]) => verifyToken(token, sources, clock)

describe('[threat P1] a token signed with a private key', () => {
  const all = algorithms.map(algorithm => pairs[algorithm].publicKey)

  it.each(algorithms)('of %s is taken where its public key is known, as PEM or as JWKS', async algorithm => {
    const token = tokenOf(algorithm)
    for (const text of [all.map(pemOf).join('\n'), jwks(...all.map(key => jwkOf(key)))]) {
      expect(await verify(token, sourceOf(text))).toMatchObject({ userId: 'ann', exp: NOW_S + 60 })
    }
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    await expect(verify(token, sourceOf(pemOf(stranger)))).rejects.toThrow('signed with another key')
  })

  it('counts only with the algorithm of its key, whatever it says', async () => {
    const source = sourceOf(all.map(pemOf).join('\n'))
    for (const algorithm of algorithms) {
      for (const other of algorithms) {
        if (other === algorithm) continue
        await expect(verify(signed(other, pairs[algorithm].privateKey), source)).rejects.toThrow()
      }
      // The public key as if it were a secret.
      const data = `${encode({ alg: 'HS256' })}.${encode(claims)}`
      const mac = createHmac('sha256', pemOf(pairs[algorithm].publicKey)).update(data).digest('base64url')
      await expect(verify(`${data}.${mac}`, source)).rejects.toThrow('not signed with EdDSA or ES256 or RS256')
      const secret = new SecretKey(createSecretKey(Buffer.from('a secret of thirty-two bytes, yes')))
      await expect(verify(`${data}.${mac}`, secret, source)).rejects.toThrow('signed with another secret')
    }
    const unsigned = `${encode({ alg: 'none' })}.${encode(claims)}.`
    await expect(verify(unsigned, source)).rejects.toThrow('not signed with')
  })

  it('may have been signed with the old or the new one while two are published', async () => {
    const next = generateKeyPairSync('ed25519')
    const both = jwks(jwkOf(pairs.EdDSA.publicKey, { kid: 'old' }), jwkOf(next.publicKey, { kid: 'new' }))
    await verify(tokenOf('EdDSA', { kid: 'old' }), sourceOf(both))
    await verify(signed('EdDSA', next.privateKey, { kid: 'new' }), sourceOf(both))
    await expect(verify(tokenOf('EdDSA', { kid: 'new' }), sourceOf(both))).rejects.toThrow('another key')
    // Without key ids each is tried.
    const pem = pemOf(pairs.EdDSA.publicKey) + pemOf(next.publicKey)
    await verify(tokenOf('EdDSA'), sourceOf(pem))
    await verify(signed('EdDSA', next.privateKey), sourceOf(pem))
  })

  it('must name issuer and audience where they are set', async () => {
    const source = sourceOf(pemOf(pairs.EdDSA.publicKey))
    const expected = { issuer: 'https://id.example', audience: 'weft' }
    const of = (more: object) => signed('EdDSA', pairs.EdDSA.privateKey, {}, { ...claims, ...more })
    await verifyToken(of({ iss: expected.issuer, aud: ['other', 'weft'] }), [source], clock, expected)
    for (const [more, message] of [
      [{}, 'iss is not as it must be'],
      [{ iss: 'https://id.example.evil', aud: 'weft' }, 'iss is not as it must be'],
      [{ iss: expected.issuer }, 'aud is not as it must be'],
      [{ iss: expected.issuer, aud: 'wefts' }, 'aud is not as it must be'],
    ] as const) {
      await expect(verifyToken(of(more), [source], clock, expected)).rejects.toThrow(message)
    }
  })
})

describe('[threat P1] public keys', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' })

  it.each([
    ['a private key in PEM', pairs.EdDSA.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'private key'],
    ['a private key in a JWKS', jwks(jwkOf(pairs.EdDSA.privateKey)), 'private key'],
    ['a secret in a JWKS', jwks({ kty: 'oct', k: 'c2VjcmV0' }), 'private key'],
    ['RSA of 1024 bits', pemOf(small.publicKey), 'none of Ed25519, P-256 and RSA'],
    ['another curve', pemOf(otherCurve.publicKey), 'none of Ed25519, P-256 and RSA'],
    ['nothing', 'hello', 'no public key'],
    ['no JSON', '{', 'no JSON'],
    ['no list', '{"keys":{}}', 'no list'],
    ['keys for nothing of ours', jwks(jwkOf(otherCurve.publicKey), jwkOf(small.publicKey)), 'no public key'],
    ['a key for another use', jwks(jwkOf(pairs.RS256.publicKey, { use: 'enc' })), 'no public key'],
    ['a key for another algorithm', jwks(jwkOf(pairs.RS256.publicKey, { alg: 'PS256' })), 'no public key'],
    ['too many', jwks(...Array.from({ length: 33 }, () => jwkOf(pairs.EdDSA.publicKey))), 'over 32'],
  ])('are not %s', (_what, text, message) => {
    expect(() => PublicKeys.parse(text)).toThrow(BadKeysError)
    expect(() => PublicKeys.parse(text)).toThrow(message)
  })

  it('from a file are read anew; a file that can’t be used leaves those before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-keys-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'keys')
    expect(() => new KeysFile(path, logger)).toThrow(/^WEFT_AUTH_KEYS_FILE: .* can't be used: ENOENT$/)
    writeFileSync(path, pemOf(pairs.EdDSA.publicKey))
    const file = new KeysFile(path, logger)
    onTestFinished(() => file.stop())
    await verify(tokenOf('EdDSA'), file)
    writeFileSync(path, 'broken')
    file.reload()
    await verify(tokenOf('EdDSA'), file)
    writeFileSync(path, pemOf(pairs.ES256.publicKey))
    file.reload()
    await verify(tokenOf('ES256'), file)
    await expect(verify(tokenOf('EdDSA'), file)).rejects.toThrow('another key')
  })
})

describe('[threat P1] keys from an address', () => {
  /** Answers with what `answer` holds then, an error otherwise; counts. */
  function newAddress() {
    const address = { answer: null as string | null, count: 0, hold: Promise.resolve() }
    const keys = new KeysUrl('https://id.example/jwks', clock, logger, async () => {
      address.count++
      await address.hold
      if (address.answer === null) throw new Error('unreachable')
      return address.answer
    })
    return { address, keys }
  }

  const first = jwks(jwkOf(pairs.EdDSA.publicKey, { kid: 'first' }))
  const second = jwks(jwkOf(pairs.ES256.publicKey, { kid: 'second' }))

  it('that fails let nobody in, and are said to be missing; once they came, an address that fails leaves them', async () => {
    const { address, keys } = newAddress()
    const token = tokenOf('EdDSA', { kid: 'first' })
    await expect(verify(token, keys)).rejects.toThrow("can't be had now: retry after 30 s")
    address.answer = first
    now += 30_000
    await verify(token, keys)
    address.answer = null
    now += 24 * 3_600_000
    await verify(token, keys)
    await verify(token, keys)
    // Which one a token means is not known now. It isn't taken, and isn't called bad.
    await expect(verify(tokenOf('ES256', { kid: 'second' }), keys)).rejects.toThrow("can't be had now")
  })

  it('are asked for again where a token names an unknown one, once in 30 s for all who wait', async () => {
    const { address, keys } = newAddress()
    address.answer = first
    await verify(tokenOf('EdDSA', { kid: 'first' }), keys)
    address.answer = second
    const count = address.count
    const next = tokenOf('ES256', { kid: 'second' })
    await expect(verify(next, keys)).rejects.toThrow('another key')
    expect(address.count).toBe(count)
    now += 30_000
    let letGo = () => {}
    address.hold = new Promise(resolve => {
      letGo = resolve
    })
    const waiting = Array.from({ length: 150 }, () => verify(next, keys))
    // Who has a key that is known doesn't wait.
    await verify(tokenOf('EdDSA', { kid: 'first' }), keys)
    // And not everybody may.
    const crowd = await Promise.allSettled(
      Array.from({ length: 100 }, () => Promise.race([verify(next, keys), tick()])),
    )
    expect(crowd.filter(({ status }) => status === 'rejected')).toHaveLength(50)
    letGo()
    expect(await Promise.all(waiting)).toHaveLength(150)
    expect(address.count).toBe(count + 1)
    // A key that is published no more counts no more.
    await expect(verify(tokenOf('EdDSA', { kid: 'first' }), keys)).rejects.toThrow('another key')
  })

  it('are asked for again every 10 minutes, beside what goes on', async () => {
    const { address, keys } = newAddress()
    address.answer = first
    const token = tokenOf('EdDSA', { kid: 'first' })
    await verify(token, keys)
    address.answer = second
    now += 10 * 60_000
    await verify(token, keys)
    await tick()
    await expect(verify(token, keys)).rejects.toThrow('another key')
  })
})

const tick = () => new Promise<void>(resolve => setImmediate(resolve))
