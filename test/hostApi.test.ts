import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@weft/client'
import { SignJWT } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ApiAnswer, api, apiPath, callApi, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { RawClient } from './support/RawClient.ts'
import { encodeToken, RawProvider } from './support/RawProvider.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, SECRET, sign, tokenFor } from './support/tokens.ts'
import { typist } from './support/typist.ts'

// What an application's own server asks: rights, who is connected, what happened.

const call = (server: ServerProcess, method: string, path: string, token?: string, body?: object) =>
  callApi(server, method, path, body, token)

const json = ({ text }: ApiAnswer) => JSON.parse(text)
const outcome = ({ status, code }: ApiAnswer) => [status, code]

const joinWith = (server: ServerProcess, document: string, token: string) =>
  RawClient.join(`${server.socketUrl}/${document}?token=${token}`)

/** Made so long ago. Who doesn't say when counts as made 24 hours before the end. */
const ago = (seconds: number) => ({ iat: nowInSeconds() - seconds })

const revoke = async (server: ServerProcess, body: object) => {
  const answer = await call(server, 'POST', '/revocations', await ownerToken(), body)
  expect([answer.status, answer.text]).toEqual([201, answer.text])
  return json(answer)
}

const ownerToken = () => tokenFor('owner', { sub: 'host', jti: 'of the host', ...ago(0) })

const REVOKED = { code: 4401, reason: 'unauthorized: the token was revoked' }

describe('a revocation', () => {
  const server = sharedServer(asksForTokens)

  it.each([
    ['a user', 'by-user', { user: 'eve by-user' }],
    ['a token', 'by-token', { token: 'of eve by-token' }],
    ['a document', 'by-document', { document: 'by-document' }],
    ['a user in a document', 'by-both', { user: 'eve by-both', document: 'by-both' }],
  ])(
    '[threat P2] of %s ends open sessions with 4401, in each dialect, and no others',
    async (_what, document, body) => {
      const claims = { sub: `eve ${document}`, jti: `of eve ${document}`, ...ago(60) }
      const eve = await tokenFor('editor', claims)
      const ann = await tokenFor('editor', { sub: 'ann', jti: 'of ann', ...ago(0) })
      const [evil, good] = [await joinWith(server(), document, eve), await joinWith(server(), document, ann)]
      const provider = await RawProvider.connect(server(), document)
      provider.send(encodeToken(eve))
      await provider.hears('authenticated')
      await revoke(server(), { ...body, notBefore: new Date(Date.now() - 30_000).toISOString() })
      expect(await evil.closed).toEqual(REVOKED)
      await provider.hears('denied')
      await good.commit(typist(1).type('still here'))
      const again = await RawClient.connect(`${server().socketUrl}/${document}?token=${eve}`)
      again.ask()
      expect(await again.closed).toEqual(REVOKED)
      expect(outcome(await api(server(), 'GET', apiPath(document), { token: eve }))).toEqual([401, 'unauthorized'])
    },
  )

  it('[threat P2] of an earlier time leaves tokens that were made later', async () => {
    const old = await tokenFor('editor', { sub: 'bo', ...ago(120) })
    const young = await tokenFor('editor', { sub: 'bo', ...ago(30) })
    await revoke(server(), { user: 'bo', notBefore: new Date(Date.now() - 60_000).toISOString() })
    const status = async (token: string) => (await call(server(), 'GET', '/access', token)).status
    expect([await status(old), await status(young)]).toEqual([401, 200])
  })

  it('[threat P2] of a part of a right shrinks the role in place, and the client is told', async () => {
    const token = await tokenFor('editor', { sub: 'cy', ...ago(60) })
    const doc = await connect(`${server().socketUrl}/shrunk`, { token })
    onTestFinished(() => doc.close({ saved: false }))
    expect(doc.access).toBe('read-write')
    await revoke(server(), { user: 'cy', document: 'shrunk', role: 'viewer' })
    await eventually('to be read-only', () => doc.access === 'read-only')
    expect(doc.status).toBe('synced')
    const { role } = json(await call(server(), 'GET', '/access?document=shrunk', token))
    const elsewhere = json(await call(server(), 'GET', '/access?document=other', token))
    expect([role, elsewhere.role]).toEqual(['viewer', 'editor'])
  })

  it('is for owners: of the document, or of all documents', async () => {
    const owner = await sign({ docs: [{ document: 'mine', role: 'owner' }] })
    for (const body of [{ user: 'x' }, { token: 'x' }, { document: 'other' }]) {
      expect(outcome(await call(server(), 'POST', '/revocations', owner, body))).toEqual([403, 'forbidden'])
    }
    const editor = await tokenFor('editor')
    expect(outcome(await call(server(), 'POST', '/revocations', editor, { document: 'mine' }))).toEqual([
      403,
      'forbidden',
    ])
    const body = { document: 'mine', user: 'x' }
    expect((await call(server(), 'POST', '/revocations', owner, body)).status).toBe(201)
    const { revocations } = json(await call(server(), 'GET', '/revocations?document=mine', owner))
    expect(revocations).toMatchObject([{ ...body, role: null, token: null, link: null, by: 'ann' }])
    expect(outcome(await call(server(), 'GET', '/revocations', owner))).toEqual([403, 'forbidden'])
    expect(outcome(await call(server(), 'POST', '/revocations', await ownerToken(), {}))).toEqual([400, 'bad-request'])
  })
})

it('[threat P2] a revocation survives kill -9', async () => {
  const server = await testServer(asksForTokens)
  const token = await tokenFor('editor', { sub: 'eve', ...ago(60) })
  await revoke(server, { user: 'eve' })
  await server.kill()
  await server.start()
  expect(outcome(await call(server, 'GET', '/access', token))).toEqual([401, 'unauthorized'])
  // Neither revocations nor links are documents.
  expect(json(await call(server, 'GET', '/documents', await ownerToken())).documents).toEqual([])
})

describe('a token that an owner makes', () => {
  const server = sharedServer(asksForTokens)
  const make = async (body: object, token?: string) =>
    call(server(), 'POST', '/tokens', token ?? (await ownerToken()), body)

  it('gives what it says, to whom it says', async () => {
    const made = await make({
      user: 'dee',
      name: 'Dee',
      docs: [
        { document: 'a', role: 'editor' },
        { prefix: 'b/', role: 'viewer' },
      ],
    })
    expect(made.status).toBe(201)
    const { token, user } = json(made)
    expect(user).toBe('dee')
    const a = json(await call(server(), 'GET', '/access?document=a', token))
    expect(a).toMatchObject({ user: 'dee', name: 'Dee', role: 'editor' })
    expect(json(await call(server(), 'GET', '/access?document=b/c', token)).role).toBe('viewer')
    expect(json(await call(server(), 'GET', '/access?document=c', token)).role).toBe(null)
    const client = await joinWith(server(), 'a', token)
    await client.commit(typist(1).type('x'))
  })

  it('gives no more than its maker has, and ends no later', async () => {
    const exp = nowInSeconds() + 120
    const owner = await sign({
      docs: [
        { prefix: 'team/', role: 'owner' },
        { document: 'team/secret', role: 'editor' },
      ],
      exp,
    })
    const docs = [{ document: 'team/a', role: 'owner' }]
    const made = await make({ user: 'x', docs }, owner)
    expect([made.status, Date.parse(json(made).expiresAt)]).toEqual([201, exp * 1000])
    const late = new Date((exp + 60) * 1000).toISOString()
    for (const body of [
      { user: 'x', docs, expiresAt: late },
      { user: 'x', docs: [{ document: 'other', role: 'viewer' }] },
      { user: 'x', docs: [{ document: 'team/secret', role: 'viewer' }] },
      { user: 'x', docs: [{ prefix: 'team/', role: 'viewer' }] },
      { user: 'x', docs: [{ prefix: '', role: 'viewer' }] },
    ]) {
      expect(outcome(await make(body, owner))).toEqual([403, 'forbidden'])
    }
    expect((await make({ user: 'x', docs: [{ prefix: 'team/sub/', role: 'editor' }] }, owner)).status).toBe(201)
    expect(outcome(await make({ user: 'link:x:y', docs }, owner))).toEqual([400, 'bad-request'])
    expect(outcome(await make({ user: 'x', docs: [] }, owner))).toEqual([400, 'bad-request'])
    expect(outcome(await make({ user: 'x', docs }, await tokenFor('editor')))).toEqual([403, 'forbidden'])
  })

  it('is for nobody else, but where its maker owns every document; and ends with its maker’s', async () => {
    const eve = await sign({ sub: 'eve', docs: [{ document: 'hers', role: 'owner' }] })
    const docs = [{ document: 'hers', role: 'owner' }]
    const mask = json(await make({ user: 'ann', name: 'Ann', docs }, eve))
    expect(mask.user).toBe('made:eve:ann')
    expect(json(await call(server(), 'GET', '/access', mask.token)).user).toBe('made:eve:ann')
    expect(json(await make({ user: 'eve', docs }, eve)).user).toBe('eve')
    expect(json(await make({ user: 'ann', docs }, mask.token)).user).toBe('made:made%3Aeve%3Aann:ann')
    expect(outcome(await make({ user: 'x'.repeat(250), docs }, eve))).toEqual([400, 'bad-request'])
    expect((await call(server(), 'POST', '/revocations', await ownerToken(), { user: 'eve' })).status).toBe(201)
    expect(outcome(await call(server(), 'GET', '/access', mask.token))).toEqual([401, 'unauthorized'])
  })

  it('[threat P2] is revoked with its maker, and so are that one’s links, unless that is not wanted', async () => {
    const docs = [{ prefix: '', role: 'owner' }]
    const boss = await tokenFor('owner', { sub: 'boss', ...ago(0) })
    const byBoss = json(await make({ user: 'deputy', docs }, boss)).token
    const byDeputy = json(await make({ user: 'dan', docs: [{ document: 'd', role: 'editor' }] }, byBoss)).token
    const makeLink = async (token: string, role: string) =>
      json(await call(server(), 'POST', '/links', token, { document: 'd', role }))
    const links = [
      await makeLink(boss, 'viewer'),
      await makeLink(byBoss, 'owner'),
      await makeLink(await ownerToken(), 'viewer'),
    ]
    const guest = json(await call(server(), 'POST', '/links/exchange', undefined, { secret: links[1].secret })).token
    const [dan, visitor] = [await joinWith(server(), 'd', byDeputy), await joinWith(server(), 'd', guest)]
    // Only what it says: what the boss made stays.
    expect(await revoke(server(), { user: 'boss', made: false })).toMatchObject({ user: 'boss', made: false })
    expect(outcome(await call(server(), 'GET', '/access', boss))).toEqual([401, 'unauthorized'])
    expect((await call(server(), 'GET', '/access', byBoss)).status).toBe(200)
    const ofBoss = async () => {
      const { links: left } = json(await call(server(), 'GET', '/links?document=d', await ownerToken()))
      return left.filter(({ id }: { id: string }) => links.slice(0, 2).some(link => link.id === id))
    }
    expect(await ofBoss()).toHaveLength(2)
    // Less than a link gives, or nothing.
    expect(await revoke(server(), { user: 'boss', role: 'editor' })).toMatchObject({ made: true })
    expect((await ofBoss()).map(({ role }: { role: string }) => role).sort()).toEqual(['editor', 'viewer'])
    await revoke(server(), { user: 'boss' })
    expect(await dan.closed).toEqual(REVOKED)
    expect(await visitor.closed).toEqual(REVOKED)
    expect(outcome(await call(server(), 'GET', '/access', byBoss))).toEqual([401, 'unauthorized'])
    expect(await ofBoss()).toEqual([])
    // Others' links stay, and who made which is in the audit log.
    expect((await call(server(), 'POST', '/links/exchange', undefined, { secret: links[2].secret })).status).toBe(200)
    const { entries } = json(await call(server(), 'GET', '/audit?action=link-revoked', await ownerToken()))
    expect(entries.map(({ subject }: { subject: string }) => subject)).toEqual(
      expect.arrayContaining(links.slice(0, 2).map(({ id }) => id)),
    )
  })

  it('[threat P2] names eight who made it at most, each with the token of the one before', async () => {
    let token = await ownerToken()
    for (let i = 0; i < 8; i++) {
      const made = await make({ user: `owner ${i}`, docs: [{ prefix: '', role: 'owner' }] }, token)
      expect(made.status).toBe(201)
      token = json(made).token
    }
    const docs = [{ prefix: '', role: 'owner' }]
    expect(outcome(await make({ user: 'one more', docs }, token))).toEqual([403, 'forbidden'])
  })

  it('and no link are made by a guest of a link, even one that is an owner', async () => {
    const link = json(await call(server(), 'POST', '/links', await ownerToken(), { document: 'l', role: 'owner' }))
    const { token } = json(await call(server(), 'POST', '/links/exchange', undefined, { secret: link.secret }))
    expect(json(await call(server(), 'GET', '/access?document=l', token)).role).toBe('owner')
    const docs = [{ document: 'l', role: 'viewer' }]
    expect(outcome(await make({ user: 'x', docs }, token))).toEqual([403, 'forbidden'])
    expect(outcome(await call(server(), 'POST', '/links', token, { document: 'l' }))).toEqual([403, 'forbidden'])
    // Nor made of one that gives less.
    const other = json(await call(server(), 'POST', '/links', await ownerToken(), { document: 'l', role: 'viewer' }))
    const raised = await call(server(), 'PATCH', `/links/${other.id}`, token, { role: 'owner' })
    expect(outcome(raised)).toEqual([403, 'forbidden'])
  })
})

describe('a token', () => {
  const server = sharedServer({ ...asksForTokens, WEFT_AUTH_AUDIENCE: 'weft' })
  const docs = [{ prefix: '', role: 'owner' }]
  const forKey = (aud: string) =>
    new SignJWT({ sub: 'host', docs, aud, exp: nowInSeconds() + 3600 })
      .setProtectedHeader({ alg: 'HS256', kid: 'weft' })
      .sign(new TextEncoder().encode(SECRET))

  it('[threat P1] of the application is held to its audience, also where its key is called as the server calls its own', async () => {
    expect((await call(server(), 'GET', '/access', await forKey('weft'))).status).toBe(200)
    expect(outcome(await call(server(), 'GET', '/access', await forKey('elsewhere')))).toEqual([401, 'unauthorized'])
    const link = json(await call(server(), 'POST', '/links', await forKey('weft'), { document: 'l', role: 'viewer' }))
    const { token } = json(await call(server(), 'POST', '/links/exchange', undefined, { secret: link.secret }))
    expect((await call(server(), 'GET', '/access?document=l', token)).status).toBe(200)
  })

  it('[threat P5] is in one form: what else is in it gets into no cookie', async () => {
    const token = await forKey('weft')
    for (const strange of [`${token}\n`, ` ${token}`, `${token} ; Path=/x`, token.replace('.', ' .')]) {
      const answer = await call(server(), 'POST', '/session', undefined, { token: strange })
      expect([outcome(answer), answer.headers.get('set-cookie')]).toEqual([[401, 'unauthorized'], null])
    }
    expect((await call(server(), 'POST', '/session', undefined, { token })).status).toBe(200)
  })
})

it('[threat P2] a document in which a right was taken back is listed no more', async () => {
  const server = await testServer(asksForTokens)
  const owner = await ownerToken()
  const ed = await sign({ sub: 'ed', docs: [{ prefix: 'team/', role: 'editor' }] })
  for (const name of ['team/a', 'team/b', 'team/c']) await putMarkdown(server, name, 'x', owner)
  await call(server, 'POST', '/revocations', owner, { user: 'ed', document: 'team/a' })
  const first = json(await call(server, 'GET', '/documents?limit=1', ed))
  expect(first).toMatchObject({ documents: [{ name: 'team/b' }], next: 'team/b' })
  const rest = json(await call(server, 'GET', '/documents?after=team/b', ed))
  expect(rest).toMatchObject({ documents: [{ name: 'team/c' }], next: null })
})

it('[threat P6] the audit log has what was done in the comments of a document where it is asked about the document', async () => {
  const server = await testServer(asksForTokens)
  const owner = await ownerToken()
  await putMarkdown(server, 'a', 'x', owner)
  const client = await RawClient.join(`${server.socketUrl}/a?part=comments&token=${owner}`)
  client.socket.close(1000)
  await client.closed
  await eventually('both entries', async () => {
    const { entries } = json(await call(server, 'GET', '/audit?document=a', owner))
    const actions = entries.map(({ action }: { action: string }) => action)
    return ['created', 'opened', 'ended'].every(action => actions.includes(action))
  })
})

describe('sessions', () => {
  const server = sharedServer(asksForTokens)

  it('are listed for owners: who, since when, in which role, by which dialect, from where', async () => {
    await joinWith(server(), 'seen', await tokenFor('viewer', { sub: 'vi', name: 'Vi' }))
    const provider = await RawProvider.connect(server(), 'seen')
    provider.send(encodeToken(await tokenFor('editor', { sub: 'ed' })))
    await provider.hears('authenticated')
    const { sessions, count } = json(await call(server(), 'GET', '/sessions?document=seen', await ownerToken()))
    expect(count).toBe(2)
    expect(sessions).toMatchObject([
      { document: 'seen', user: 'vi', name: 'Vi', role: 'viewer', dialect: 'y-websocket', address: '127.0.0.1' },
      { document: 'seen', user: 'ed', name: null, role: 'editor', dialect: 'hocuspocus' },
    ])
    expect(Date.parse(sessions[0].openedAt)).toBeLessThanOrEqual(Date.now())
    const all = json(await call(server(), 'GET', '/sessions?limit=1', await ownerToken()))
    expect([all.sessions.length, all.count >= 2]).toEqual([1, true])
    expect(outcome(await call(server(), 'GET', '/sessions?document=seen', await tokenFor('editor')))).toEqual([
      403,
      'forbidden',
    ])
  })

  it('can be ended by an owner: 4403, and the others go on', async () => {
    const gone = await joinWith(server(), 'ended', await tokenFor('editor', { sub: 'eve' }))
    const stays = await joinWith(server(), 'ended', await tokenFor('editor', { sub: 'ann' }))
    const { sessions } = json(await call(server(), 'GET', '/sessions?document=ended', await ownerToken()))
    const [{ id }] = sessions.filter(({ user }: { user: string }) => user === 'eve')
    expect(outcome(await call(server(), 'DELETE', `/sessions/${id}`, await tokenFor('editor')))).toEqual([
      403,
      'forbidden',
    ])
    expect((await call(server(), 'DELETE', `/sessions/${id}`, await ownerToken())).status).toBe(200)
    expect(await gone.closed).toMatchObject({ code: 4403 })
    await stays.commit(typist(1).type('x'))
    expect(outcome(await call(server(), 'DELETE', `/sessions/${id}`, await ownerToken()))).toEqual([404, 'not-found'])
  })
})

describe('the audit log', () => {
  const entriesOf = async (server: ServerProcess, query = '') =>
    json(await call(server, 'GET', `/audit${query}`, await ownerToken())).entries

  it('[threat P6] says who opened, shared, deleted and was refused what, and holds no name, content or token', async () => {
    const server = await testServer(asksForTokens)
    const token = await tokenFor('editor', { sub: 'ann' })
    await putMarkdown(server, 'hush/hush', 'nobody’s business', token)
    const client = await joinWith(server, 'hush/hush', token)
    client.socket.close(1000)
    await client.closed
    const owner = await ownerToken()
    const link = json(await call(server, 'POST', '/links', owner, { document: 'hush/hush' }))
    await call(server, 'POST', '/links/exchange', undefined, { secret: link.secret })
    await call(server, 'DELETE', `/links/${link.id}`, owner)
    await call(server, 'POST', '/tokens', owner, { user: 'x', docs: [{ document: 'hush/hush', role: 'viewer' }] })
    await revoke(server, { user: 'eve', document: 'hush/hush' })
    await api(server, 'DELETE', apiPath('hush/hush'), { token: owner })
    const entries = await entriesOf(server, '?document=hush/hush')
    expect(entries.map(({ action, user }: Record<string, unknown>) => [action, user])).toEqual([
      ['created', 'ann'],
      ['opened', 'ann'],
      ['ended', 'ann'],
      ['link-made', 'host'],
      ['link-used', expect.stringMatching(/^link:/)],
      ['link-revoked', 'host'],
      ['token-made', 'host'],
      ['revoked', 'host'],
      ['deleted', 'host'],
    ])
    expect(entries[2]).toMatchObject({ code: 1000, address: '127.0.0.1', request: null })
    expect(entries[0]).toMatchObject({ bytes: Buffer.byteLength('nobody’s business'), request: expect.any(String) })
    const page = json(await call(server, 'GET', '/audit?limit=2', owner))
    const rest = json(await call(server, 'GET', `/audit?limit=100&after=${page.next}`, owner))
    expect(page.entries.concat(rest.entries)).toEqual(await entriesOf(server))
    expect(outcome(await call(server, 'GET', '/audit', await tokenFor('editor')))).toEqual([403, 'forbidden'])
    const [file = ''] = await readdir(join(server.folder, 'audit'))
    const text = await readFile(join(server.folder, 'audit', file), 'utf8')
    for (const secret of ['hush', 'business', token, link.secret]) expect(text).not.toContain(secret)
  })

  it('[threat P6] is whole after a stop, and goes on after it', async () => {
    const server = await testServer(asksForTokens)
    await joinWith(server, 'a', await tokenFor('viewer', { sub: 'vi' }))
    await server.stop()
    await server.start()
    await joinWith(server, 'a', await tokenFor('viewer', { sub: 'vi' }))
    const actions = (await entriesOf(server)).map(({ action, code }: Record<string, unknown>) => [action, code])
    expect(actions).toEqual([
      ['opened', null],
      ['ended', 1012],
      ['opened', null],
    ])
  })

  it('is not written where nobody wants it', async () => {
    const server = await testServer({ ...asksForTokens, WEFT_AUDIT_DAYS: '0' })
    await joinWith(server, 'a', await tokenFor('viewer'))
    expect(outcome(await call(server, 'GET', '/audit', await ownerToken()))).toEqual([404, 'not-found'])
    expect(await readdir(server.folder)).not.toContain('audit')
  })
})
