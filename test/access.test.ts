import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect as connectSocket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connect, RefusedError, type TokenSource, UnsavedError } from '@weft/client'
import {
  encodeAnnounce,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeStateless,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
} from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { NO_UPDATE, NOTHING, RawClient } from './support/RawClient.ts'
import { encodeToken, RawProvider } from './support/RawProvider.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { documentOf, listStored, readStored } from './support/storedDocument.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, SECRET, sign, tokenFor, tokenThatEnds } from './support/tokens.ts'
import { textOf, typist } from './support/typist.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token with a header of its own, signed with the secret all the same. */
function forge(header: object, claims: object, isSigned = true): string {
  const data = `${encode(header)}.${encode(claims)}`
  return `${data}.${isSigned ? createHmac('sha256', SECRET).update(data).digest('base64url') : ''}`
}

/** What must not open anything: what it is, the token, what is said. */
async function badTokens(): Promise<[what: string, token: string, code: number, reason: RegExp][]> {
  const claims = { sub: 'ann', exp: nowInSeconds() + 60, docs: [{ prefix: '', role: 'editor' }] }
  return [
    ['none', '', 4401, /^unauthorized: no token was given$/],
    ['malformed', 'hello', 4401, /^unauthorized: this is no token$/],
    ['another key', await sign(claims, 'another secret that has its length'), 4401, /signed with another secret$/],
    ['alg none', forge({ alg: 'none' }, claims, false), 4401, /^unauthorized: /],
    ['alg none, signed', forge({ alg: 'none' }, claims), 4401, /^unauthorized: /],
    ['RS256 with the secret as its key', forge({ alg: 'RS256' }, claims), 4401, /not signed with HS256$/],
    ['expired', await sign({ ...claims, exp: nowInSeconds() - 60 }), 4401, /the token has expired$/],
    ['for two days', await sign({ ...claims, exp: nowInSeconds() + 172_800 }), 4401, /more than 24 hours ahead$/],
    [
      'a malformed claim',
      await sign({ docs: [{ document: 'a', role: 'king' }] }),
      4401,
      /docs\[0\]\.role is none of viewer, commenter, editor, owner$/,
    ],
    ['no right', await sign({ docs: [{ document: 'b', role: 'owner' }] }), 4403, /^forbidden: /],
    ['no rights at all', await sign({}), 4403, /^forbidden: /],
    ['over 8 KiB', await sign({ ...claims, pad: 'x'.repeat(8000) }), 4401, /at most 8192 bytes$/],
  ]
}

/** Joins as y-websocket's clients do, with a token in the query. */
async function joinWith(server: ServerProcess, document: string, token: string): Promise<RawClient> {
  return RawClient.join(`${server.socketUrl}/${document}?token=${token}`)
}

async function provide(server: ServerProcess, document: string, token: string): Promise<RawProvider> {
  const provider = await RawProvider.connect(server, document)
  provider.send(encodeToken(token))
  provider.send(encodeSyncStep1(NOTHING))
  provider.send(encodeSyncStep2(NO_UPDATE))
  await provider.hears('step 2')
  return provider
}

const storedText = async (server: ServerProcess, name: string): Promise<string> =>
  documentOf(await readStored(server.folder, name))
    .getText('text')
    .toString()

/** Changes that a provider was paid, once somebody else's later edit has come: none is on its way any more. */
async function statusesInAll(server: ServerProcess, provider: RawProvider): Promise<number> {
  const updates = provider.count('update')
  const other = await joinWith(server, 'a', await tokenFor('editor', { sub: 'zoe' }))
  await other.commit(typist(99).type('.'))
  await provider.hears('update', updates + 1)
  return provider.count('status 1')
}

describe('without a secret', () => {
  it('nobody is asked, and a token is not looked at', async () => {
    const server = await testServer()
    const client = await joinWith(server, 'a', 'hello')
    await client.commit(typist(1).type('x'))
    const provider = await provide(server, 'a', 'hello')
    expect(provider.texts).toEqual(['read-write'])
  })
})

describe('the secret', () => {
  it('of under 32 bytes ends the start, and is not printed', async () => {
    const folder = await testFolder()
    const { code, output } = await ServerProcess.run({ folder, env: { WEFT_AUTH_SECRET: 'hunter2' } })
    expect(code).toBe(2)
    expect(output).toBe(
      'weft: WEFT_AUTH_SECRET has 7 bytes: a secret has at least 32; `openssl rand -base64 32` makes one\n',
    )
  })

  it('may be in a file, and is never in the help', async () => {
    const folder = await testFolder()
    const file = join(folder, 'secret')
    await writeFile(file, `${SECRET}\n`)
    const env = { WEFT_AUTH_SECRET_FILE: file }
    const server = await testServer(env, join(folder, 'data'))
    await (await joinWith(server, 'a', await tokenFor('editor'))).commit(typist(1).type('x'))
    for (const secret of [env, asksForTokens]) {
      const { output } = await ServerProcess.run({ folder, env: secret, args: ['--help'] })
      expect(output).toContain('WEFT_AUTH_SECRET_FILE')
      expect(output).not.toContain(SECRET)
    }
  })
})

describe('a token that is not taken', () => {
  it('[threat K10] ends a connection of y-websocket’s dialect with the code that says why, before anything is loaded', async () => {
    const metricsPort = await freePort()
    const server = await testServer({ ...asksForTokens, WEFT_METRICS_PORT: `${metricsPort}` })
    for (const [what, token, code, reason] of await badTokens()) {
      const headers = token === '' ? {} : { Authorization: `Bearer ${token}` }
      const client = await RawClient.connect(`${server.socketUrl}/a`, { headers })
      client.ask()
      client.update(typist(1).type('x'))
      const closed = await client.closed
      expect([what, closed.code, closed.reason]).toEqual([what, code, expect.stringMatching(reason)])
      // Stock clients before 3.1 know no codes, but log this.
      expect([what, client.received]).toEqual([what, [{ type: 'permissionDenied', reason: closed.reason }]])
    }
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    expect(metrics).toMatch(/^weft_rooms 0$/m)
    await server.stop()
    expect(await listStored(server.folder)).toEqual([])
  })

  it('is denied for its own document in Hocuspocus’ dialect, once; the others on the socket go on', async () => {
    const server = await testServer(asksForTokens)
    const good = await tokenFor('editor')
    for (const [what, token, , reason] of await badTokens()) {
      const provider = await RawProvider.connect(server, 'a')
      provider.send(encodeToken(good), 'b')
      provider.send(encodeToken(token))
      provider.send(encodeSyncStep1(NOTHING))
      provider.send(encodeUpdate(typist(1).type('x')))
      provider.send(encodeSyncStep1(NOTHING), 'b')
      const ofB = () => provider.heard.filter(heard => heard.startsWith('elsewhere')).length
      await eventually(`b to go on after ${what}`, () => ofB() >= 3)
      expect([what, provider.heard.filter(heard => !heard.startsWith('elsewhere'))]).toEqual([
        what,
        ['denied', 'closed'],
      ])
      expect([what, provider.texts]).toEqual([what, [expect.stringMatching(reason)]])
      expect(provider.isOpen).toBe(true)
    }
    await server.stop()
    expect(await listStored(server.folder)).toEqual([])
  })

  it('may be followed by a better one, and what was said meanwhile is not lost', async () => {
    const server = await testServer(asksForTokens)
    const provider = await RawProvider.connect(server, 'a')
    const ann = typist(1)
    provider.send(encodeToken('hello'))
    provider.send(encodeSyncStep1(NOTHING))
    provider.send(encodeUpdate(ann.type('x')))
    await provider.hears('closed')
    provider.send(encodeToken(await tokenFor('editor')))
    await provider.hears('step 2')
    expect(provider.heard).toEqual(['denied', 'closed', 'authenticated', 'step 1', 'step 2'])
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    // It had counted a beginning and an edit.
    await provider.hears('status 1', 2)
    await server.kill()
    expect(await storedText(server, 'a')).toBe('x')
  })

  it('is not paid for what the provider had typed before it began to sync, and has forgotten to count', async () => {
    const server = await testServer(asksForTokens)
    const provider = await RawProvider.connect(server, 'a')
    const ann = typist(1)
    const offline = [...'xyz'].map(letter => ann.type(letter))
    provider.send(encodeToken('hello'))
    provider.send(encodeSyncStep1(Y.encodeStateVector(ann.doc)))
    for (const update of offline) provider.send(encodeUpdate(update))
    await provider.hears('closed')
    provider.send(encodeUpdate(ann.type('!')))
    provider.send(encodeToken(await tokenFor('editor')))
    await provider.hears('step 2')
    // Late, out of a queue.
    for (const update of offline) provider.send(encodeUpdate(update))
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    expect(await statusesInAll(server, provider)).toBe(2)
    await server.kill()
    expect(await storedText(server, 'a')).toContain('xyz!')
  })

  it('is missing where a provider begins with its sync step 1', async () => {
    const server = await testServer(asksForTokens)
    const provider = await RawProvider.connect(server, 'a')
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('closed')
    expect(provider.texts).toEqual(['unauthorized: no token was given'])
  })
})

describe('a token is taken', () => {
  it('from the header, the subprotocol and the query, in this order: the first counts', async () => {
    const server = await testServer(asksForTokens)
    const good = await tokenFor('editor')
    const url = `${server.socketUrl}/a`
    const ways: [string, string, string[], Record<string, string>][] = [
      ['header', `${url}?token=bad`, ['weft', 'weft.token.bad'], { Authorization: `Bearer ${good}` }],
      ['subprotocol', `${url}?token=bad`, ['weft', `weft.token.${good}`], {}],
      ['query', `${url}?token=${good}`, [], {}],
    ]
    for (const [what, address, protocols, headers] of ways) {
      const client = await RawClient.connect(address, { headers }, protocols)
      client.ask()
      expect([what, (await client.next('syncStep2')).type]).toEqual([what, 'syncStep2'])
      expect(client.socket.protocol).toBe(protocols.length > 0 ? 'weft' : '')
      const provider = await RawProvider.connect(server, 'a', new URL(address).search, { headers }, protocols)
      provider.send(encodeSyncStep1(NOTHING))
      await provider.hears('step 2')
    }
    const bad = await RawClient.connect(`${url}?token=${good}`, { headers: { Authorization: 'Bearer bad' } })
    bad.ask()
    expect((await bad.closed).code).toBe(4401)
  })

  it('in Hocuspocus’ dialect from the auth message before all others; an empty one there is none', async () => {
    const server = await testServer(asksForTokens)
    const good = await tokenFor('editor')
    const [own, none, bad] = await Promise.all(
      ['bad', good, good].map(token => RawProvider.connect(server, 'a', `/?token=${token}`)),
    )
    own?.send(encodeToken(good))
    await own?.hears('authenticated')
    none?.send(encodeToken(''))
    await none?.hears('authenticated')
    bad?.send(encodeToken('bad'))
    await bad?.hears('denied')
  })

  it('for names of any kind, and the most specific entry counts', async () => {
    const server = await testServer(asksForTokens)
    const names = ['Grüße 日本語 👩‍👩‍👧', '日本/語/a', 'team/notes', 'team/closed/a', 'team/closed/but this']
    const token = await sign({
      docs: [
        { document: names[0], role: 'editor' },
        { prefix: '日本/', role: 'editor' },
        { prefix: 'team/closed/', role: 'viewer' },
        { prefix: 'team/', role: 'owner' },
        { document: names[4], role: 'editor' },
      ],
    })
    const scopes = new Map<string, string>()
    for (const name of names) {
      const client = await RawClient.connect(`${server.socketUrl}/${encodeURIComponent(name)}?token=${token}`)
      client.ask()
      client.send(encodeAnnounce())
      scopes.set(name, (await client.next('access')).access)
      const provider = await RawProvider.connect(server, name)
      provider.send(encodeToken(token))
      await provider.hears('authenticated')
      expect([name, provider.texts]).toEqual([name, [scopes.get(name) === 'read-only' ? 'readonly' : 'read-write']])
    }
    expect([...scopes.values()]).toEqual(['read-write', 'read-write', 'read-write', 'read-only', 'read-write'])
    for (const name of ['team', 'teams/a', '日本', 'Grüße']) {
      const client = await RawClient.connect(`${server.socketUrl}/${encodeURIComponent(name)}?token=${token}`)
      client.ask()
      expect([name, (await client.closed).code]).toEqual([name, 4403])
    }
  })

  it('that an application makes as the README says', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const section = readme.slice(readme.indexOf('## Who may write'))
    const program = `${/```js\n(.*?)```/s.exec(section)?.[1]}\nconsole.log(token)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      env: { ...process.env, ...asksForTokens },
    })
    const server = await testServer(asksForTokens)
    const scopes: string[] = []
    for (const name of ['team/notes', 'team/plan']) {
      const provider = await RawProvider.connect(server, name)
      provider.send(encodeToken(stdout.trim()))
      await provider.hears('authenticated')
      scopes.push(...provider.texts)
    }
    expect(scopes).toEqual(['read-write', 'readonly'])
  })

  it('and health and the page need none', async () => {
    const server = await testServer(asksForTokens)
    for (const path of ['/healthz', '/readyz', '/', '/d/a']) {
      expect([path, (await fetch(`${server.url}${path}`)).status]).toEqual([path, 200])
    }
  })
})

describe('a token', () => {
  it('[threat C9] is in no log, nor is the secret, wherever it came in', async () => {
    const server = await testServer({ ...asksForTokens, WEFT_LOG_LEVEL: 'debug' })
    const good = await tokenFor('editor')
    const bad = await tokenFor('editor', { exp: nowInSeconds() - 60 })
    for (const token of [good, bad]) {
      const ways = [
        RawClient.connect(`${server.socketUrl}/a?x=1&token=${token}`),
        RawClient.connect(`${server.socketUrl}/a`, { headers: { Authorization: `Bearer ${token}` } }),
        RawClient.connect(`${server.socketUrl}/a`, {}, ['weft', `weft.token.${token}`]),
      ]
      for (const client of await Promise.all(ways)) {
        client.ask()
        if (token === good) await client.next('syncStep2')
        else await client.closed
      }
      const provider = await RawProvider.connect(server, 'a')
      provider.send(encodeToken(token))
      await provider.hears(token === good ? 'authenticated' : 'denied')
      await fetch(`${server.url}/a?token=${token}`)
      // Requests that break.
      for (const request of [
        `GET /a?token=${token} HTTP/1.1\r\nbroken header\r\n\r\n`,
        `GET /a?token=${token} HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      ]) {
        const socket = connectSocket(server.port, '127.0.0.1', () => socket.write(request))
        socket.resume()
        await once(socket, 'close')
      }
    }
    await server.stop()
    expect(server.output).toContain('a broken request')
    expect(server.output).toContain('connection opened')
    for (const token of [good, bad]) {
      for (const part of token.split('.').slice(1)) expect(server.output).not.toContain(part)
      // As bytes, in the way that a buffer is logged.
      expect(server.output).not.toContain([...Buffer.from(token.slice(-20))].join(','))
    }
    expect(server.output).not.toContain(SECRET)
  })

  it('that ends while it is in use ends its sessions with 4401; those of others go on', async () => {
    const server = await testServer(asksForTokens)
    const short = await tokenThatEnds('editor')
    const client = await joinWith(server, 'a', short)
    const provider = await provide(server, 'a', short)
    provider.send(encodeToken(await tokenFor('editor')), 'b')
    await client.commit(typist(1).type('x'))
    const closed = await client.closed
    expect(closed).toEqual({ code: 4401, reason: 'unauthorized: the token has expired' })
    expect(client.received.at(-1)).toEqual({ type: 'permissionDenied', reason: closed.reason })
    await provider.hears('closed')
    expect(provider.texts).toEqual(['read-write', 'unauthorized: the token has expired'])
    provider.send(encodeSyncStep1(NOTHING), 'b')
    await eventually('b to go on', () => provider.heard.filter(heard => heard.startsWith('elsewhere')).length > 2)
  })

  it('that ends before its provider was paid is followed by one whose session pays', async () => {
    const server = await testServer(asksForTokens)
    const provider = await RawProvider.connect(server, 'a')
    const ann = typist(1)
    // 2 s of the skew are left at most.
    provider.send(encodeToken(await tokenFor('editor', { exp: nowInSeconds() - 3 })))
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 2')
    // It doesn't answer the server's question: its beginning and this edit stay unpaid.
    provider.send(encodeUpdate(ann.type('x')))
    await provider.hears('closed')
    provider.send(encodeUpdate(ann.type('y')))
    provider.send(encodeToken(await tokenFor('editor')))
    await provider.hears('step 1', 2)
    expect(provider.count('status 1')).toBe(0)
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    expect(await statusesInAll(server, provider)).toBe(3)
    await server.kill()
    expect(await storedText(server, 'a')).toContain('xy')
  })

  it('is renewed over Hocuspocus’ dialect: the same user’s counts in place, with its role and its end', async () => {
    const server = await testServer(asksForTokens)
    const writer = await joinWith(server, 'a', await tokenFor('editor', { sub: 'bo' }))
    const short = await tokenThatEnds('viewer')
    const unrenewed = await joinWith(server, 'b', short)
    const provider = await provide(server, 'a', short)
    const ann = typist(1)
    provider.send(encodeUpdate(ann.type('refused, ')))
    await provider.hears('status 0')
    provider.send(encodeToken(await tokenFor('editor')))
    await provider.hears('authenticated', 2)
    expect(provider.texts).toEqual(['readonly', 'read-write'])
    // It is asked for what was refused; that is paid now, too.
    await provider.hears('step 1', 2)
    const paid = provider.count('status 1')
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    provider.send(encodeUpdate(ann.type('then taken')))
    await provider.hears('status 1', paid + 2)
    await eventually('the writer to see it', () => textOf(...updatesOf(writer)) === 'refused, then taken')
    expect((await unrenewed.closed).code).toBe(4401)
    expect(provider.count('closed')).toBe(0)
    provider.send(encodeToken(await tokenFor('viewer')))
    await provider.hears('authenticated', 3)
    provider.send(encodeUpdate(ann.type('!')))
    await provider.hears('status 0', 2)
  })

  it('of another user, or a bad one, does not renew: its session ends', async () => {
    const server = await testServer(asksForTokens)
    for (const [token, reason] of [
      [await tokenFor('owner', { sub: 'bo' }), 'forbidden: this is the token of another user'],
      [await sign({ docs: [] }), 'forbidden: the token gives no right to this document'],
      ['hello', 'unauthorized: this is no token'],
    ] as const) {
      const provider = await provide(server, 'a', await tokenFor('editor'))
      provider.send(encodeToken(token))
      await provider.hears('closed')
      expect(provider.texts).toEqual(['read-write', reason])
    }
  })

  it('comes 200 times at once over one socket, not for ever', async () => {
    const server = await testServer(asksForTokens)
    const provider = await RawProvider.connect(server, 'a')
    for (let i = 0; i < 300; i++) provider.send(encodeToken('hello'))
    expect((await provider.closed).code).toBe(1008)
  })
})

const updatesOf = (client: RawClient): Uint8Array[] =>
  client.received.flatMap(message =>
    message.type === 'update' || message.type === 'syncStep2' ? [message.update] : [],
  )

describe.each(['viewer', 'commenter'])('a %s', role => {
  it('reads, is seen, and writes nothing, with a client of y-websocket’s', async () => {
    const server = await testServer(asksForTokens)
    const writer = await joinWith(server, 'a', await tokenFor('editor', { sub: 'bo' }))
    const bo = typist(2)
    await writer.commit(bo.type('hello'))
    const reader = await joinWith(server, 'a', await tokenFor(role, { name: 'Vi' }))
    reader.send(encodeAnnounce())
    expect((await reader.next('access')).access).toBe('read-only')
    reader.askAck(1)
    await reader.nextAck(1)
    reader.awareness(1, 1, { user: { name: 'Vi' } })
    await writer.next('awareness', ({ payload }) => Buffer.from(payload).includes('Vi'))

    const vi = typist(1)
    for (const update of updatesOf(reader)) Y.applyUpdate(vi.doc, update)
    for (let i = 0; i < 20; i++) reader.update(vi.type('x'))
    reader.update(vi.erase(0, 3))
    reader.askAck(2)
    expect((await reader.next('permissionDenied')).reason).toMatch(/^forbidden: /)
    await writer.commit(bo.type(' there'), 2)
    await eventually('the reader to see it', () => textOf(...updatesOf(reader)) === 'hello there')
    expect(reader.untaken('permissionDenied')).toEqual([])
    expect(reader.untaken('ack')).toEqual([])
    expect(reader.isOpen).toBe(true)
    reader.cut()

    // It comes back, with what it wrote.
    const again = await RawClient.connect(`${server.socketUrl}/a?token=${await tokenFor(role)}`)
    again.ask(Y.encodeStateVector(vi.doc))
    again.askAck(1)
    again.answer(Y.encodeStateAsUpdate(vi.doc))
    again.askAck(2)
    await again.next('permissionDenied')
    await writer.commit(bo.type('!'), 3)
    await eventually('the reader to see it', () => updatesOf(again).length > 1)
    expect(again.untaken('ack')).toEqual([])
    await server.kill()
    expect(await storedText(server, 'a')).toBe('hello there!')
  })

  it('is told so where it ends a format; that is an edit, although it only deletes marks', async () => {
    const server = await testServer(asksForTokens)
    const writer = await joinWith(server, 'a', await tokenFor('editor', { sub: 'bo' }))
    const bo = typist(2)
    bo.text.insert(0, 'hello', { bold: true })
    await writer.commit(Y.encodeStateAsUpdate(bo.doc))
    const reader = await joinWith(server, 'a', await tokenFor(role))
    const vi = typist(1)
    for (const update of updatesOf(reader)) Y.applyUpdate(vi.doc, update)
    vi.text.format(0, 5, { bold: null })
    const update = vi.updates.at(-1) ?? NO_UPDATE
    expect(Y.decodeUpdate(update).structs).toEqual([])
    reader.update(update)
    reader.askAck(1)
    await reader.next('permissionDenied')
    reader.askAck(2)
    await writer.commit(bo.type('!'), 2)
    await eventually('the reader to see it', () => updatesOf(reader).length > 2)
    expect(reader.untaken('ack')).toEqual([])
    await server.kill()
    const stored = documentOf(await readStored(server.folder, 'a')).getText('text')
    expect(stored.toDelta()).toEqual([{ insert: 'hello!', attributes: { bold: true } }])
  })

  it('reads, is seen, and writes nothing, with a Hocuspocus provider', async () => {
    const server = await testServer(asksForTokens)
    const writer = await provide(server, 'a', await tokenFor('editor', { sub: 'bo' }))
    const bo = typist(2)
    writer.send(encodeUpdate(bo.type('hello')))
    await writer.hears('status 1', 2)
    const reader = await provide(server, 'a', await tokenFor(role))
    expect(reader.texts).toEqual(['readonly'])
    // Its beginning, which brought nothing, is paid.
    await reader.hears('status 1')
    const state = { clientID: 1, clock: 1, json: new TextEncoder().encode('{"user":1}') }
    const before = writer.count('awareness')
    reader.send(encodeAwareness(encodeAwarenessEntries([state])))
    await writer.hears('awareness', before + 1)

    const vi = typist(1)
    for (let i = 0; i < 3; i++) reader.send(encodeUpdate(vi.type('x')))
    reader.send(encodeUpdate(deletionOf(bo.doc)))
    await reader.hears('status 0', 4)
    // What brings nothing new is no edit.
    reader.send(encodeUpdate(bo.updates[0] ?? NO_UPDATE))
    await reader.hears('status 1', 2)
    reader.send(encodeSyncStep1(NOTHING))
    reader.send(encodeSyncStep2(Y.encodeStateAsUpdate(vi.doc)))
    await reader.hears('status 0', 5)
    reader.send(encodeStateless('hello'))
    writer.send(encodeUpdate(bo.type(' there')))
    await writer.hears('status 1', 3)
    await reader.hears('update')
    expect(reader.count('status 1')).toBe(2)
    expect(writer.count('stateless')).toBe(0)
    await server.kill()
    expect(await storedText(server, 'a')).toBe('hello there')
  })
})

describe('@weft/client', () => {
  const open = async (server: ServerProcess, token: TokenSource) => {
    const document = await connect(`${server.socketUrl}/team/a`, { token })
    onTestFinished(() => document.close({ saved: false }))
    return document
  }

  it('writes with a token for writing; with one for reading it says so, and `saved` rejects', async () => {
    const server = await testServer(asksForTokens)
    const ann = await open(server, await tokenFor('editor'))
    ann.ydoc.getText('text').insert(0, 'hello')
    await ann.saved()
    const vi = await open(server, await tokenFor('viewer'))
    await eventually('it to know', () => vi.access === 'read-only')
    expect(vi.ydoc.getText('text').toString()).toBe('hello')
    await vi.saved()
    vi.ydoc.getText('text').insert(0, 'mine ')
    await expect(vi.saved()).rejects.toThrow('team/a can only be read here, 1 edit not saved')
    await expect(vi.saved()).rejects.toBeInstanceOf(UnsavedError)
    expect([vi.status, ann.access]).toEqual(['synced', 'read-write'])
    await server.kill()
    expect(await storedText(server, 'team/a')).toBe('hello')
  })

  it('rejects with code, word and reason where it is refused', async () => {
    const server = await testServer(asksForTokens)
    for (const [token, refusal] of [
      ['', { code: 4401, word: 'unauthorized', reason: 'no token was given' }],
      ['hello', { code: 4401, word: 'unauthorized', reason: 'this is no token' }],
      [await sign({}), { code: 4403, word: 'forbidden', reason: 'the token gives no right to this document' }],
    ] as const) {
      const error = await open(server, token).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(RefusedError)
      expect(error).toMatchObject(refusal)
    }
  })

  it('goes on with the next token of its function where there was none before one ended', async () => {
    const server = await testServer(asksForTokens)
    const [first, second] = [await tokenThatEnds('editor'), await tokenFor('editor')]
    const closes: number[] = []
    const ann = await open(server, () => (closes.length === 0 ? first : second))
    ann.on('disconnected', ({ code }) => closes.push(code))
    await eventually('the second token to be in use', () => closes.length > 0 && ann.status === 'synced')
    ann.ydoc.getText('text').insert(0, 'still here')
    await ann.saved()
    expect(closes).toEqual([4401])
  })
})

/** An update that deletes all text, made by somebody else. */
function deletionOf(doc: Y.Doc): Uint8Array {
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  let last: Uint8Array = NO_UPDATE
  copy.on('update', (update: Uint8Array) => {
    last = update
  })
  copy.getText('text').delete(0, copy.getText('text').length)
  return last
}

describe('a reader', () => {
  it('is told where marks of no use that it deleted, and those that it deletes later, are an edit together', async () => {
    const server = await testServer(asksForTokens)
    const token = await tokenFor('editor')
    // Two make one word bold at once. Ann's marks are her operations 11 and 12, Bo's are his first two.
    const [ann, bo] = [typist(1), typist(2)]
    Y.applyUpdate(bo.doc, ann.type('hello there'))
    for (const { text } of [ann, bo]) text.format(0, 5, { bold: true })
    const writer = await joinWith(server, 'a', token)
    for (const [index, update] of [...ann.updates, ...bo.updates].entries()) await writer.commit(update, index)
    const reader = await joinWith(server, 'a', await tokenFor('viewer'))
    reader.update(Uint8Array.of(0, 1, 2, 1, 0, 2))
    reader.askAck(1)
    await reader.nextAck(1)
    expect(reader.untaken('permissionDenied')).toEqual([])
    reader.update(Uint8Array.of(0, 1, 1, 1, 11, 2))
    reader.askAck(2)
    await reader.next('permissionDenied')
    expect(reader.untaken('ack')).toEqual([])
  })

  it('who deletes without end holds up neither other documents on its socket nor its next token', async () => {
    const server = await testServer(asksForTokens)
    const docs = [
      { document: 'a', role: 'viewer' },
      { document: 'b', role: 'editor' },
    ]
    const writer = await joinWith(server, 'a', await tokenFor('editor'))
    await writer.commit(typist(1).type('hello'))
    const provider = await provide(server, 'a', await sign({ docs }))
    const elsewhere = () => provider.heard.filter(heard => heard.startsWith('elsewhere')).length
    for (let i = 0; i < 300; i++) provider.send(encodeUpdate(Uint8Array.of(0, 1, 1, 1, 1, 1)))
    provider.send(encodeToken(await sign({ docs })), 'b')
    provider.send(encodeSyncStep1(NOTHING), 'b')
    provider.send(encodeToken(await sign({ docs })))
    await provider.hears('authenticated', 2)
    await eventually('the other document', () => elsewhere() >= 3)
    await provider.hears('status 0')
    expect(provider.isOpen).toBe(true)
    await server.kill()
    expect(await storedText(server, 'a')).toBe('hello')
  })
})

describe('a reader who comes back', () => {
  it('is not blamed for what Yjs tidied in its replica by itself', async () => {
    const server = await testServer(asksForTokens)
    const token = await tokenFor('editor')
    // Two write one key of a map at once, and format one text: what has become of no use there, every replica deletes for itself.
    const [ann, bo] = [typist(1), typist(2)]
    Y.applyUpdate(bo.doc, ann.type('some text'))
    const writers = [await joinWith(server, 'a', token), await joinWith(server, 'a', token)]
    for (const [index, writer] of writers.entries()) {
      const { doc, text } = index === 0 ? ann : bo
      if (index === 0) await writer.commit(Y.encodeStateAsUpdate(doc), 1)
      const before = Y.encodeStateVector(doc)
      doc.getMap('map').set('key', index)
      text.format(0, 5 + index, { bold: true })
      text.format(0, 5 + index, { bold: null })
      writer.update(Y.encodeStateAsUpdate(doc, before))
      writer.askAck(2)
    }
    for (const writer of writers) await writer.nextAck(2)
    const vi = new Y.Doc()
    const reader = await joinWith(server, 'a', await tokenFor('viewer'))
    for (const update of updatesOf(reader)) Y.applyUpdate(vi, update)
    reader.cut()
    // It has deleted more than it was told of.
    const told = updatesOf(reader).map(update => Y.decodeUpdate(update).ds)
    const deletions = (ds: (typeof told)[number]) =>
      [...ds.clients.values()].flat().reduce((sum, { len }) => sum + len, 0)
    const own = deletions(Y.decodeUpdate(Y.encodeStateAsUpdate(vi)).ds)
    expect(own).toBeGreaterThan(told.reduce((sum, ds) => sum + deletions(ds), 0))

    const again = await RawClient.connect(`${server.socketUrl}/a?token=${await tokenFor('viewer')}`)
    again.ask(Y.encodeStateVector(vi))
    again.askAck(1)
    again.answer(Y.encodeStateAsUpdate(vi))
    again.askAck(2)
    await again.nextAck(2)
    expect(again.untaken('permissionDenied')).toEqual([])
  })
})
