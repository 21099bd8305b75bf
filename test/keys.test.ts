import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { api } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { RawClient } from './support/RawClient.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { nowInSeconds, SECRET, sign } from './support/tokens.ts'

const pairs = {
  EdDSA: generateKeyPairSync('ed25519'),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}
type Algorithm = keyof typeof pairs

const docs = [{ prefix: '', role: 'editor' }]

function tokenOf(alg: Algorithm, claims: object = {}, kid?: string): Promise<string> {
  return new SignJWT({ docs, sub: 'ann', exp: nowInSeconds() + 60, ...claims })
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .sign(pairs[alg].privateKey)
}

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()
const jwk = (alg: Algorithm, kid: string) => ({ ...pairs[alg].publicKey.export({ format: 'jwk' }), kid })

/** How the server takes a token: 200, or the close code with its reason. */
async function outcome(server: ServerProcess, token: string): Promise<string> {
  const client = await RawClient.connect(`${server.socketUrl}/a`, { headers: { Authorization: `Bearer ${token}` } })
  client.ask()
  const open = client.next('syncStep2').then(() => 'open')
  const socket = await Promise.race([open, client.closed.then(({ code, reason }) => `${code} ${reason}`)])
  client.cut()
  const { status } = await api(server, 'GET', '/api/v1/documents', { token })
  expect([socket, status]).toEqual([socket, socket === 'open' ? 200 : socket.startsWith('1013') ? 503 : 401])
  return socket
}

describe('[threat P1] public keys', () => {
  it('from a file are enough; it is read anew when it changes and on SIGHUP, and a broken one changes nothing', async () => {
    const folder = await testFolder()
    const file = join(folder, 'keys.pem')
    await writeFile(file, pem(pairs.EdDSA.publicKey) + pem(pairs.ES256.publicKey))
    const server = await testServer({ WEFT_AUTH_KEYS_FILE: file }, join(folder, 'data'))
    expect(await outcome(server, await tokenOf('EdDSA'))).toBe('open')
    expect(await outcome(server, await tokenOf('ES256'))).toBe('open')
    expect(await outcome(server, await tokenOf('RS256'))).toMatch(/^4401 .*signed with another key$/)
    expect(await outcome(server, await sign({ docs }))).toMatch(/^4401 .*not signed with EdDSA or ES256 or RS256$/)

    await writeFile(file, 'broken')
    process.kill(server.pid, 'SIGHUP')
    await eventually('the server to say so', () => server.output.includes('the keys before stay'))
    expect(await outcome(server, await tokenOf('EdDSA'))).toBe('open')
    // Put in its place, as a program would.
    await writeFile(`${file}.new`, JSON.stringify({ keys: [jwk('EdDSA', 'old'), jwk('RS256', 'new')] }))
    await rename(`${file}.new`, file)
    const next = await tokenOf('RS256')
    const isTaken = async () => (await api(server, 'GET', '/api/v1/documents', { token: next })).status === 200
    await eventually('the new key to count', isTaken)
    expect(await outcome(server, next)).toBe('open')
    expect(await outcome(server, await tokenOf('EdDSA', {}, 'old'))).toBe('open')
    expect(await outcome(server, await tokenOf('ES256'))).toMatch(/^4401 .*another key$/)
  })

  it('and the secret may both be there; issuer and audience are asked for where they are set', async () => {
    const folder = await testFolder()
    const file = join(folder, 'keys')
    await writeFile(file, pem(pairs.EdDSA.publicKey))
    const env = {
      WEFT_AUTH_SECRET: SECRET,
      WEFT_AUTH_KEYS_FILE: file,
      WEFT_AUTH_ISSUER: 'us',
      WEFT_AUTH_AUDIENCE: 'weft',
    }
    const server = await testServer(env, join(folder, 'data'))
    const right = { docs, iss: 'us', aud: 'weft' }
    expect(await outcome(server, await tokenOf('EdDSA', right))).toBe('open')
    expect(await outcome(server, await sign(right))).toBe('open')
    expect(await outcome(server, await tokenOf('EdDSA', { ...right, iss: 'them' }))).toMatch(/^4401 .*iss is not/)
    expect(await outcome(server, await sign({ ...right, aud: 'other' }))).toMatch(/^4401 .*aud is not/)
    expect(await outcome(server, await sign({ docs, iss: 'us' }))).toMatch(/^4401 .*aud is not/)
  })

  it('from an address are held while it fails; without any, nobody is let in, and may come back', async () => {
    let answer: string | null = null
    let count = 0
    const address = createServer((_request, response) => {
      count++
      response.statusCode = answer === null ? 500 : 200
      response.end(answer ?? 'no')
    })
    await once(address.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void address.close())
    const env = { WEFT_AUTH_JWKS_URL: `http://127.0.0.1:${(address.address() as AddressInfo).port}/jwks` }
    const without = await testServer(env)
    expect(await outcome(without, await tokenOf('EdDSA', {}, 'a'))).toMatch(/^1013 overload: .*retry after 30 s$/)
    expect(count).toBe(1)
    answer = JSON.stringify({ keys: [jwk('EdDSA', 'a')] })
    const server = await testServer(env)
    expect(await outcome(server, await tokenOf('EdDSA', {}, 'a'))).toBe('open')
    answer = null
    for (let i = 0; i < 20; i++) expect(await outcome(server, await tokenOf('RS256', {}, `b${i}`))).toMatch(/^4401 /)
    expect(await outcome(server, await tokenOf('EdDSA', {}, 'a'))).toBe('open')
    expect(count).toBe(2)
  })
})

describe('[threat P7] keys that are none', () => {
  it.each([
    ['a secret that is a public key', { WEFT_AUTH_SECRET: pem(pairs.EdDSA.publicKey) }, 'is a public key'],
    ['a secret of examples', { WEFT_AUTH_SECRET: 'a-string-secret-at-least-256-bits-long' }, 'stands in examples'],
    ['another one', { WEFT_AUTH_SECRET: 'change-me-change-me-change-me-change-me' }, 'stands in examples'],
    ['one that can be guessed', { WEFT_AUTH_SECRET: 'x'.repeat(64) }, 'fewer than 8 different characters'],
    ['a file that isn’t there', { WEFT_AUTH_KEYS_FILE: '/no/such/file' }, 'ENOENT'],
    ['an address that others can answer for', { WEFT_AUTH_JWKS_URL: 'http://id.example/jwks' }, 'https'],
    ['an issuer of no token', { WEFT_AUTH_ISSUER: 'us' }, 'no key that a token could be signed with'],
  ])('end the start: %s', async (_what, env, message) => {
    const { code, output } = await ServerProcess.run({ folder: await testFolder(), env })
    expect([code, output]).toEqual([2, expect.stringContaining(message)])
    expect(output.trim().split('\n')).toHaveLength(1)
    for (const value of Object.values(env)) if (value.length > 30) expect(output).not.toContain(value)
  })
})
