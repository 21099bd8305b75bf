import { generateKeyPairSync } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@weft/client'
import { SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ApiAnswer, api, apiPath, callApi } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, tokenFor } from './support/tokens.ts'
import { typist } from './support/typist.ts'
import { runCommand } from './support/weftCommand.ts'

const json = ({ text }: ApiAnswer) => JSON.parse(text)
const outcome = ({ status, code }: ApiAnswer) => [status, code]

async function makeLink(server: ServerProcess, body: object): Promise<{ id: string; secret: string; url: string }> {
  const made = await callApi(server, 'POST', '/links', body, await tokenFor('owner'))
  expect(made.status).toBe(201)
  return json(made)
}

const exchange = (server: ServerProcess, body: object) => callApi(server, 'POST', '/links/exchange', body)

/** Joins as y-websocket's clients do, with a token in the query. */
const joinWith = (server: ServerProcess, document: string, token: string) =>
  RawClient.join(`${server.socketUrl}/${document}?token=${token}`)

describe('a share link', () => {
  const server = sharedServer(asksForTokens)

  it('[threat P4] is a secret of 128 bits in the fragment of a URL, of which only the hash is kept', async () => {
    const link = await makeLink(server(), { document: 'team/notes', role: 'editor' })
    expect(Buffer.from(link.secret, 'base64url')).toHaveLength(16)
    expect(link.url).toBe(`${server().url}/s#${link.secret}`)
    const list = await callApi(server(), 'GET', '/links?document=team/notes', undefined, await tokenFor('owner'))
    expect(json(list).links).toMatchObject([{ id: link.id, role: 'editor', creator: 'ann', uses: 0, lastUsedAt: null }])
    expect(list.text).not.toContain(link.secret)
    expect(server().output).not.toContain(link.secret)
  })

  it('[threat P4] is exchanged for a token of 15 minutes that gives its role in its document, and in no other', async () => {
    const { secret } = await makeLink(server(), { document: 'shared', role: 'editor' })
    const answer = await exchange(server(), { secret, name: 'Bo' })
    const { token, expiresAt, document, role, user } = json(answer)
    expect([answer.status, document, role]).toEqual([200, 'shared', 'editor'])
    const lifeS = (Date.parse(expiresAt) - Date.now()) / 1000
    expect(lifeS).toBeLessThanOrEqual(900)
    expect(lifeS).toBeGreaterThan(800)
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
    expect(claims).toMatchObject({ sub: user, name: 'Bo', docs: [{ document: 'shared', role: 'editor' }] })
    const client = await joinWith(server(), 'shared', token)
    await client.commit(typist(1).type('by a link'))
    const other = await RawClient.connect(`${server().socketUrl}/other?token=${token}`)
    other.ask()
    expect(await other.closed).toMatchObject({ code: 4403 })
  })

  it('is made by an owner alone, and gives no more than they have', async () => {
    const body = { document: 'a', role: 'viewer' }
    for (const role of ['viewer', 'commenter', 'editor']) {
      expect(outcome(await callApi(server(), 'POST', '/links', body, await tokenFor(role)))).toEqual([403, 'forbidden'])
    }
    expect(outcome(await callApi(server(), 'POST', '/links', body))).toEqual([401, 'unauthorized'])
    const other = await tokenFor('owner', { docs: [{ document: 'b', role: 'owner' }] })
    expect(outcome(await callApi(server(), 'POST', '/links', body, other))).toEqual([403, 'forbidden'])
    expect(outcome(await callApi(server(), 'GET', '/links', undefined, other))).toEqual([403, 'forbidden'])
  })

  it('[threat P4] counts each person once, however often they go on, and lets in no more than it may', async () => {
    const { id, secret } = await makeLink(server(), { document: 'few', role: 'viewer', maxUses: 1 })
    const first = json(await exchange(server(), { secret, name: 'Cy' }))
    expect(outcome(await exchange(server(), { secret }))).toEqual([410, 'link-over'])
    const next = json(await exchange(server(), { renewal: first.renewal }))
    expect([next.user, next.document]).toEqual([first.user, 'few'])
    expect(JSON.parse(Buffer.from(next.token.split('.')[1], 'base64url').toString()).name).toBe('Cy')
    expect(json(await exchange(server(), { renewal: next.renewal })).user).toBe(first.user)
    const { links } = json(await callApi(server(), 'GET', '/links?document=few', undefined, await tokenFor('owner')))
    expect(links).toMatchObject([{ id, uses: 1, lastUsedAt: expect.any(String) }])
    // A token is no renewal, and a renewal no token.
    expect(outcome(await exchange(server(), { renewal: next.token }))).toEqual([404, 'not-found'])
    expect(outcome(await api(server(), 'GET', apiPath('few'), { token: next.renewal }))).toEqual([401, 'unauthorized'])
  })

  it('ends at its time, and its tokens with it', async () => {
    const endsAt = new Date(Date.now() + 1500).toISOString()
    const { secret } = await makeLink(server(), { document: 'short', role: 'viewer', expiresAt: endsAt })
    const { renewal, expiresAt } = json(await exchange(server(), { secret }))
    expect(Date.parse(expiresAt)).toBeLessThanOrEqual(Date.parse(endsAt))
    await eventually('the end of the link', async () => (await exchange(server(), { renewal })).status === 410)
  })

  it('[threat P2] that is revoked ends the sessions of all who came by it, and no others, with 4401', async () => {
    const { id, secret } = await makeLink(server(), { document: 'revoked', role: 'editor' })
    const { token, renewal } = json(await exchange(server(), { secret }))
    const guest = await joinWith(server(), 'revoked', token)
    const owner = await joinWith(server(), 'revoked', await tokenFor('owner'))
    expect((await callApi(server(), 'DELETE', `/links/${id}`, undefined, await tokenFor('owner'))).status).toBe(200)
    expect(await guest.closed).toMatchObject({ code: 4401, reason: 'unauthorized: the token was revoked' })
    await owner.commit(typist(2).type('still here'))
    expect(outcome(await exchange(server(), { secret }))).toEqual([404, 'not-found'])
    expect(outcome(await exchange(server(), { renewal }))).toEqual([404, 'not-found'])
    const again = await RawClient.connect(`${server().socketUrl}/revoked?token=${token}`)
    again.ask()
    expect(await again.closed).toMatchObject({ code: 4401 })
  })

  it('[threat P2] whose role shrinks makes the sessions of its guests read-only, in place', async () => {
    const { id, secret } = await makeLink(server(), { document: 'shrinking', role: 'editor' })
    const { token } = json(await exchange(server(), { secret }))
    const doc = await connect(`${server().socketUrl}/shrinking`, { token })
    onTestFinished(() => doc.close({ saved: false }))
    expect(doc.access).toBe('read-write')
    const changed = await callApi(server(), 'PATCH', `/links/${id}`, { role: 'viewer' }, await tokenFor('owner'))
    expect(json(changed)).toMatchObject({ id, role: 'viewer' })
    await eventually('to be read-only', () => doc.access === 'read-only')
    expect(doc.status).toBe('synced')
  })

  it('[threat P2] gives a guest whose right was taken back in part no more of it by a renewal, nor by the one after', async () => {
    const { secret } = await makeLink(server(), { document: 'less', role: 'editor' })
    const first = json(await exchange(server(), { secret }))
    const revocation = { user: first.user, document: 'less', role: 'viewer' }
    expect((await callApi(server(), 'POST', '/revocations', revocation, await tokenFor('owner'))).status).toBe(201)
    const revokedAt = Date.now()
    // A token says only to the second when it was made.
    await eventually('another second', () => Math.floor(Date.now() / 1000) > Math.floor(revokedAt / 1000))
    const second = json(await exchange(server(), { renewal: first.renewal }))
    const third = json(await exchange(server(), { renewal: second.renewal }))
    expect([second.role, third.role]).toEqual(['viewer', 'viewer'])
    const put = { headers: { 'Content-Type': 'text/markdown' }, body: 'x', token: third.token }
    expect(outcome(await api(server(), 'PUT', apiPath('less'), put))).toEqual([403, 'forbidden'])
  })

  it('refuses what it does not know, and says what', async () => {
    const token = await tokenFor('owner')
    const make = (body: object) => callApi(server(), 'POST', '/links', body, token)
    const strange = await make({ document: 'a', rôle: 'viewer' })
    expect([strange.status, json(strange).error.message]).toEqual([400, 'the body has what is not known here: "rôle"'])
    for (const body of [
      {},
      { document: 'a//b' },
      { document: 'a', role: 'king' },
      { document: 'a', maxUses: 0 },
      { document: 'a', expiresAt: '2020-01-01T00:00:00Z' },
      { document: 'a', expiresAt: 'tomorrow' },
      { document: 'a', expiresAt: '2999-01-01T00:00:00Z' },
    ]) {
      expect(outcome(await make(body))).toEqual([400, 'bad-request'])
    }
    expect(outcome(await exchange(server(), {}))).toEqual([400, 'bad-request'])
    expect(outcome(await exchange(server(), { secret: 'a', renewal: 'b' }))).toEqual([400, 'bad-request'])
    const text = { headers: { 'Content-Type': 'text/plain', 'X-Requested-With': 'test' }, body: '{}', token }
    expect(outcome(await api(server(), 'POST', '/api/v1/links', text))).toEqual([415, 'bad-type'])
    expect(outcome(await callApi(server(), 'DELETE', '/links/nothing', undefined, token))).toEqual([404, 'not-found'])
  })
})

it('[threat P4] ten tries within a minute that fail, and the address waits', async () => {
  const server = await testServer(asksForTokens)
  const { secret } = await makeLink(server, { document: 'a', role: 'viewer' })
  const { renewal } = json(await exchange(server, { secret }))
  for (let i = 0; i < 10; i++) {
    expect(outcome(await exchange(server, { secret: `guess ${i}` }))).toEqual([404, 'not-found'])
    // Whoever has one isn't counted: a thousand people may sit behind one address.
    if (i < 9) expect((await exchange(server, { secret })).status).toBe(200)
  }
  const refused = await exchange(server, { secret })
  expect(outcome(refused)).toEqual([429, 'too-fast'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60)
  expect(outcome(await exchange(server, { renewal: `${renewal}x` }))).toEqual([429, 'too-fast'])
  // Whoever came before goes on, whatever others at the same address try.
  expect((await exchange(server, { renewal })).status).toBe(200)
})

it('[threat P4] what links say survives kill -9: those that are, how often they were used, and those that are no more', async () => {
  const server = await testServer(asksForTokens)
  const kept = await makeLink(server, { document: 'a', role: 'viewer', maxUses: 2 })
  const gone = await makeLink(server, { document: 'a', role: 'viewer' })
  const { token } = json(await exchange(server, { secret: gone.secret }))
  await exchange(server, { secret: kept.secret })
  await callApi(server, 'DELETE', `/links/${gone.id}`, undefined, await tokenFor('owner'))
  await server.kill()
  await server.start()
  const { links } = json(await callApi(server, 'GET', '/links?document=a', undefined, await tokenFor('owner')))
  expect(links).toMatchObject([{ id: kept.id, uses: 1 }])
  expect((await exchange(server, { secret: kept.secret })).status).toBe(200)
  expect(outcome(await exchange(server, { secret: kept.secret }))).toEqual([410, 'link-over'])
  expect(outcome(await exchange(server, { secret: gone.secret }))).toEqual([404, 'not-found'])
  expect(outcome(await api(server, 'GET', apiPath('a'), { token }))).toEqual([401, 'unauthorized'])
})

it('many who come at once are no mass deletion: each overwrites what is known of the link', async () => {
  const server = await testServer(asksForTokens)
  const { secret } = await makeLink(server, { document: 'a', role: 'viewer' })
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(server, { secret })))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  }
  expect(server.output).not.toContain('most of the document was deleted')
})

it('[threat P4] links work where only public keys are known, and their tokens after a restart, too', async () => {
  const folder = await testFolder()
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const keys = join(folder, 'keys.pem')
  await writeFile(keys, publicKey.export({ type: 'spki', format: 'pem' }))
  const env = { WEFT_AUTH_KEYS_FILE: keys, WEFT_AUTH_ISSUER: 'https://example.org', WEFT_AUTH_AUDIENCE: 'weft' }
  const server = await testServer(env, join(folder, 'data'))
  const ownerOf = (scope: { document: string } | { prefix: string }) =>
    new SignJWT({ docs: [{ ...scope, role: 'owner' }] })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setSubject('ann')
      .setIssuer('https://example.org')
      .setAudience('weft')
      .setExpirationTime('1h')
      .sign(privateKey)
  const owner = await ownerOf({ document: 'a' })
  const { secret } = json(await callApi(server, 'POST', '/links', { document: 'a', role: 'editor' }, owner))
  const { token, renewal } = json(await exchange(server, { secret }))
  const client = await joinWith(server, 'a', token)
  await client.commit(typist(1).type('x'))
  expect((await stat(join(server.folder, 'TOKEN_KEY'))).mode & 0o777).toBe(0o600)
  await server.kill()
  await server.start()
  await (await joinWith(server, 'a', token)).commit(typist(2).type('y'))
  expect((await exchange(server, { renewal })).status).toBe(200)
  // Of a key that the server doesn't have, whatever it calls itself.
  const forged = await new SignJWT({ docs: [{ document: 'a', role: 'owner' }] })
    .setProtectedHeader({ alg: 'HS256', kid: 'weft' })
    .setSubject('eve')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode('another secret that has its length'))
  expect(outcome(await api(server, 'GET', apiPath('a'), { token: forged }))).toEqual([401, 'unauthorized'])

  // A backup has no key: links work after a restore, and a token of one is exchanged anew.
  const file = join(folder, 'b.weft')
  const weft = { WEFT_URL: server.url, WEFT_TOKEN: await ownerOf({ prefix: '' }) }
  expect((await runCommand(['backup', file], weft)).code).toBe(0)
  const key = await readFile(join(server.folder, 'TOKEN_KEY'))
  expect((await readFile(file)).includes(key)).toBe(false)
  expect((await runCommand(['restore', file, '--data', join(folder, 'restored')])).code).toBe(0)
  const restored = await testServer(env, join(folder, 'restored'))
  expect(outcome(await api(restored, 'GET', apiPath('a'), { token }))).toEqual([401, 'unauthorized'])
  const again = json(await exchange(restored, { secret }))
  await (await joinWith(restored, 'a', again.token)).commit(typist(3).type('z'))
})

it('links are backed up and restored with the documents, and no document of their own is seen', async () => {
  const server = await testServer(asksForTokens)
  const owner = await tokenFor('owner')
  const { id, secret } = await makeLink(server, { document: 'a', role: 'viewer' })
  const folder = await testFolder()
  const env = { WEFT_URL: server.url, WEFT_TOKEN: owner }
  expect((await runCommand(['verify'], env)).code).toBe(0)
  expect((await runCommand(['backup', join(folder, 'b.weft.gz')], env)).code).toBe(0)
  expect((await runCommand(['ls'], env)).stdout).toBe('')
  expect((await runCommand(['restore', join(folder, 'b.weft.gz'), '--data', join(folder, 'data')])).code).toBe(0)
  const restored = await testServer(asksForTokens, join(folder, 'data'))
  const { links } = json(await callApi(restored, 'GET', '/links?document=a', undefined, owner))
  expect(links).toMatchObject([{ id, role: 'viewer' }])
  expect((await exchange(restored, { secret })).status).toBe(200)
})

it('where nobody is asked for a token, there are no links, and that is said', async () => {
  const server = await testServer()
  expect(outcome(await callApi(server, 'POST', '/links', { document: 'a' }))).toEqual([409, 'no-keys'])
  expect(outcome(await exchange(server, { secret: 'x' }))).toEqual([409, 'no-keys'])
})
