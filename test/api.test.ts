import { connect } from '@weft/client'
import { append, fragmentOf, replaceText, textOf, toMarkdown } from '@weft/client/text'
import { encodeSyncStep1 } from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { recordKind } from '../server/dist/log/levelRecord.js'
import { type ApiAnswer, api, apiPath, putMarkdown, rawStatus } from './support/apiClient.ts'
import { damageRecord } from './support/damageRecord.ts'
import { has, plainClient, program } from './support/editing.ts'
import { eventually } from './support/eventually.ts'
import { LinkProxy } from './support/LinkProxy.ts'
import { NOTHING, RawClient } from './support/RawClient.ts'
import { RawProvider } from './support/RawProvider.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { documentOf, listStored, readStored, withStore } from './support/storedDocument.ts'
import { eagerCompaction, sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, sign } from './support/tokens.ts'
import { typist } from './support/typist.ts'

const get = (server: ServerProcess, name: string, query = '', headers: Record<string, string> = {}) =>
  api(server, 'GET', apiPath(name, query), { headers })

const remove = (server: ServerProcess, name: string, token?: string) =>
  api(server, 'DELETE', apiPath(name), {
    headers: { 'X-Requested-With': 'test' },
    ...(token !== undefined && { token }),
  })

const list = async (server: ServerProcess, query = '') => {
  const { text } = await api(server, 'GET', `/api/v1/documents${query}`)
  const { documents, next } = JSON.parse(text)
  return { names: documents.map(({ name }: { name: string }) => name), next }
}

const outcome = ({ status, code }: ApiAnswer) => [status, code]

const NAMES = ['notes', 'team/notes', 'Größe/数 🌊', 'a b/50%/c?d#e', '__proto__']

describe('content out', () => {
  const server = sharedServer()
  const MARKDOWN = '# Title\n\nSome **bold** text.\n'

  it('is Markdown, HTML, JSON or a Yjs update, as `Accept` or `format` asks', async () => {
    await putMarkdown(server(), 'forms', MARKDOWN)
    const forms = [
      ['markdown', 'text/markdown', 'text/markdown; charset=utf-8'],
      ['html', 'text/html', 'text/html; charset=utf-8'],
      ['json', 'application/json', 'application/json; charset=utf-8'],
      ['yjs', 'application/octet-stream', 'application/octet-stream'],
    ] as const
    for (const [format, accept, type] of forms) {
      const byQuery = await get(server(), 'forms', `?format=${format}`)
      const byHeader = await get(server(), 'forms', '', { Accept: accept })
      expect([format, byQuery.status, byQuery.headers.get('content-type')]).toEqual([format, 200, type])
      expect(byHeader.text).toBe(byQuery.text)
    }
    expect((await get(server(), 'forms')).text).toBe(MARKDOWN)
    expect((await get(server(), 'forms', '?format=html')).text).toBe(
      '<h1>Title</h1><p>Some <strong>bold</strong> text.</p>',
    )
    const json = JSON.parse((await get(server(), 'forms', '?format=json')).text)
    expect(json.content[0].content).toEqual([{ type: 'text', text: 'Title' }])
    const response = await fetch(server().url + apiPath('forms', '?format=yjs'))
    const ydoc = new Y.Doc()
    Y.applyUpdate(ydoc, new Uint8Array(await response.arrayBuffer()))
    expect(toMarkdown({ ydoc })).toBe(MARKDOWN)
  })

  it('is refused in other forms', async () => {
    await putMarkdown(server(), 'other-forms', 'x')
    expect(outcome(await get(server(), 'other-forms', '?format=pdf'))).toEqual([400, 'bad-request'])
    expect(outcome(await get(server(), 'other-forms', '?format=html&format=html'))).toEqual([400, 'bad-request'])
    expect(outcome(await get(server(), 'other-forms', '', { Accept: 'image/png' }))).toEqual([406, 'not-acceptable'])
  })

  it('can be asked for only if it has changed', async () => {
    await putMarkdown(server(), 'tagged', 'x')
    const etag = (await get(server(), 'tagged')).headers.get('etag') ?? ''
    // `fetch` would ask for a fresh answer.
    expect(await rawStatus(server(), apiPath('tagged'), { 'If-None-Match': etag })).toBe(304)
    expect((await get(server(), 'tagged', '?format=html', { 'If-None-Match': etag })).status).toBe(200)
    await putMarkdown(server(), 'tagged', 'y')
    expect((await get(server(), 'tagged', '', { 'If-None-Match': etag })).text).toBe('y\n')
  })

  it('is 404 where nobody ever wrote, and asking creates nothing', async () => {
    expect(outcome(await get(server(), 'nowhere'))).toEqual([404, 'not-found'])
    expect((await list(server())).names).not.toContain('nowhere')
  })

  it('of a document without text is never an empty text: 409, and the update has all', async () => {
    const client = await RawClient.join(`${server().socketUrl}/drawing`)
    await client.commit(typist(1).type('shapes'))
    expect(outcome(await get(server(), 'drawing'))).toEqual([409, 'not-text'])
    expect((await get(server(), 'drawing', '?format=yjs')).status).toBe(200)
  })

  it('[threat D4] says how much it leaves out, and never takes it from the document', async () => {
    const client = await plainClient(server(), 'newer')
    const strange = new Y.XmlElement('chart')
    client.fragment.insert(0, [strange])
    await putMarkdownUntil(server(), 'newer')
    const { headers } = await get(server(), 'newer')
    expect(headers.get('weft-left-out')).toBe('1')
    expect(outcome(await putMarkdown(server(), 'newer', 'x'))).toEqual([409, 'unknown-content'])
    expect(client.fragment.length).toBe(1)
  })

  it('is given with what keeps a page from running it', async () => {
    await putMarkdown(server(), 'hostile', '<script>alert(1)</script> [x](javascript:alert(1))')
    const { headers, text } = await get(server(), 'hostile', '?format=html')
    expect(text).not.toContain('<script')
    expect(headers.get('content-security-policy')?.split('; ')).toEqual([
      "default-src 'none'",
      'sandbox',
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
    ])
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })
})

/** Waits until the document is stored. */
const putMarkdownUntil = (server: ServerProcess, name: string) =>
  eventually(`${name} in the store`, async () => (await get(server, name)).status !== 404)

describe('content in', () => {
  const server = sharedServer()

  it('makes a document: 201, and 200 after that; what is the same changes nothing', async () => {
    const first = await putMarkdown(server(), 'new', '# A\n')
    expect([first.status, JSON.parse(first.text)]).toEqual([201, { document: 'new', changed: true }])
    const same = await putMarkdown(server(), 'new', '# A\n')
    expect([same.status, JSON.parse(same.text)]).toEqual([200, { document: 'new', changed: false }])
    const next = await putMarkdown(server(), 'new', '# B\n')
    expect([next.status, JSON.parse(next.text)]).toEqual([200, { document: 'new', changed: true }])
  })

  it.each([
    ['text/html; charset=UTF-8', '<h2>Hi</h2><p>a &amp; b<script>x</script></p>', '## Hi\n\na & b\n'],
    [
      'application/json',
      '{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"j"}]}]}',
      'j\n',
    ],
    ['text/markdown', '- [x] done\n', '- [x] done\n'],
  ])('is taken as %s', async (type, body, markdown) => {
    const name = `typed/${type}`
    const answer = await api(server(), 'PUT', apiPath(name), { headers: { 'Content-Type': type }, body })
    expect(answer.status).toBe(201)
    expect((await get(server(), name)).text).toBe(markdown)
  })

  it('that can’t be taken creates nothing', async () => {
    const put = (type: string, body: string | Uint8Array, headers = {}) =>
      api(server(), 'PUT', apiPath('refused'), { headers: { 'Content-Type': type, ...headers }, body })
    expect(outcome(await put('application/json', '{"type":"doc"'))).toEqual([422, 'bad-content'])
    expect(outcome(await put('application/json', '{"type":"paragraph"}'))).toEqual([422, 'bad-content'])
    expect(outcome(await put('application/json', '{"type":"doc","content":[{"type":"chart"}]}'))).toEqual([
      422,
      'bad-content',
    ])
    expect(outcome(await put('text/markdown', Uint8Array.of(0x61, 0xff)))).toEqual([422, 'bad-content'])
    expect(outcome(await put('text/html', '<blockquote>'.repeat(150)))).toEqual([422, 'bad-content'])
    expect(outcome(await put('image/png', 'x'))).toEqual([415, 'bad-type'])
    expect(outcome(await put('text/html; charset=latin1', 'x'))).toEqual([415, 'bad-type'])
    expect(outcome(await put('text/markdown', 'x', { 'Content-Encoding': 'gzip' }))).toEqual([415, 'bad-type'])
    expect(outcome(await put('text/markdown', 'x'.repeat((4 << 20) + 1)))).toEqual([413, 'too-large'])
    expect(outcome(await get(server(), 'refused'))).toEqual([404, 'not-found'])
  })

  it('comes to everybody in the document as the smallest edit, and is on disk before the answer', async () => {
    const own = await testServer()
    const reader = await program(own, 'open', 'One.\n\nTwo.\n\nThree.')
    const kept = fragmentOf(reader).get(0)
    await putMarkdown(own, 'open', 'One.\n\nTwo and a half.\n\nThree.')
    // The answer came: no wait but for the disk.
    await own.kill()
    const stored = documentOf(await readStored(own.folder, 'open'))
    expect(textOf({ ydoc: stored })).toBe('One.\nTwo and a half.\nThree.')
    await own.start()
    await has(reader, 'One.\nTwo and a half.\nThree.')
    expect(fragmentOf(reader).get(0)).toBe(kept)
  })

  it('keeps what others write at the same time', async () => {
    const writer = await program(server(), 'busy', 'First.\n\nSecond.\n\nThird.')
    let typed = 0
    let isOver = false
    const typing = (async () => {
      while (!isOver) {
        append(writer, `Typed ${++typed}.`)
        await writer.saved()
      }
    })()
    for (let round = 1; round <= 10; round++) {
      const { text, headers } = await get(server(), 'busy')
      const body = text.replace(/Second.*\./, `Second, round ${round}.`)
      const path = apiPath('busy', `?base=${headers.get('weft-version')}`)
      const answer = await api(server(), 'PUT', path, { headers: { 'Content-Type': 'text/markdown' }, body })
      expect([answer.status, answer.text]).toEqual([200, '{"document":"busy","changed":true}'])
    }
    isOver = true
    await typing
    const lines = textOf(writer).split('\n')
    expect(lines.slice(0, 3)).toEqual(['First.', 'Second, round 10.', 'Third.'])
    expect(lines.slice(3).sort()).toEqual(Array.from({ length: typed }, (_, i) => `Typed ${i + 1}.`).sort())
    expect((await get(server(), 'busy')).text.trim().split('\n\n')).toEqual(lines)
  })

  it('is compared with the version that it was made of, as long as the log holds that one', async () => {
    const own = await testServer(eagerCompaction)
    await putMarkdown(own, 'based', 'One.\n\nTwo.')
    const put = (base: string, body: string) =>
      api(own, 'PUT', apiPath('based', `?base=${base}`), { headers: { 'Content-Type': 'text/markdown' }, body })
    expect((await put('1', 'One.\n\nTwo, changed.')).status).toBe(200)
    expect((await put('1', 'One, changed.\n\nTwo.')).status).toBe(200)
    expect((await get(own, 'based')).text).toBe('One, changed.\n\nTwo, changed.\n')
    expect(outcome(await put('99', 'x'))).toEqual([412, 'stale'])
    expect(outcome(await put('-1', 'x'))).toEqual([400, 'bad-request'])
    const writer = await program(own, 'based')
    await eventually('a compaction', async () => {
      append(writer, 'More.')
      await writer.saved()
      return (await put('1', 'x')).code === 'stale'
    })
    await remove(own, 'based')
    expect(outcome(await put('1', 'x'))).toEqual([410, 'deleted'])
  })

  it('[threat D5] of several at once fills an empty document once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => putMarkdown(server(), 'seeded', '# Once\n')))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 201])
    expect((await get(server(), 'seeded')).text).toBe('# Once\n')
    const ydoc = new Y.Doc()
    const response = await fetch(server().url + apiPath('seeded', '?format=yjs'))
    Y.applyUpdate(ydoc, new Uint8Array(await response.arrayBuffer()))
    expect(ydoc.store.clients.size).toBe(1)
  })

  it('of several at once is refused where too many wait: 503 with the time to come back', async () => {
    const puts = Array.from({ length: 90 }, (_, i) => putMarkdown(server(), 'crowded', `round ${i}`))
    const answers = await Promise.all(puts)
    const refused = answers.filter(({ status }) => status === 503)
    expect(refused.length).toBeGreaterThan(0)
    for (const answer of refused) {
      expect(answer.code).toBe('busy')
      expect(answer.headers.get('retry-after')).toBe('5')
    }
    expect(answers.filter(({ status }) => status < 300).length).toBeGreaterThanOrEqual(65)
  })
})

describe('a name', () => {
  const server = sharedServer()

  it.each(NAMES)('%s is the same over HTTP and over WebSocket', async name => {
    await putMarkdown(server(), name, `This is ${name.length} long.`)
    const document = await program(server(), name.split('/').map(encodeURIComponent).join('/'))
    expect(document.documentId).toBe(name)
    expect(textOf(document)).toBe(`This is ${name.length} long.`)
    expect((await list(server(), `?prefix=${encodeURIComponent(name)}`)).names).toEqual([name])
  })

  it.each(['a//b', 'a%00b', 'a%5Cb', 'a/', 'u%CC%88', '%FF', 'x'.repeat(256)])('%s is none: 400', async path => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const headers = { 'X-Requested-With': 'test' }
      const answer = await api(server(), method, `/api/v1/documents/${path}`, { headers })
      expect([method, ...outcome(answer)]).toEqual([method, 400, 'bad-name'])
    }
  })

  it('with escaped slashes is that with slashes', async () => {
    await putMarkdown(server(), 'deep/er', 'x')
    expect((await api(server(), 'GET', '/api/v1/documents/deep%2Fer')).text).toBe('x\n')
  })
})

describe('a list', () => {
  it('has all documents in the order of their names, by prefix, in pages, and no deleted ones', async () => {
    const server = await testServer()
    const names = ['a', 'a/1', 'a/2', 'b', 'ü']
    for (const name of [...names, 'a/gone']) await putMarkdown(server, name, 'x')
    await remove(server, 'a/gone')
    expect(await list(server)).toEqual({ names, next: null })
    expect(await list(server, '?prefix=a/')).toEqual({ names: ['a/1', 'a/2'], next: null })
    expect(await list(server, '?prefix=c')).toEqual({ names: [], next: null })
    expect(await list(server, '?limit=2')).toEqual({ names: ['a', 'a/1'], next: 'a/1' })
    expect(await list(server, '?limit=2&after=a/1')).toEqual({ names: ['a/2', 'b'], next: 'b' })
    expect(await list(server, '?limit=2&after=b')).toEqual({ names: ['ü'], next: null })
    for (const query of ['?limit=0', '?limit=1001', '?limit=x', '?limit=1&limit=2', '?page=2']) {
      expect(outcome(await api(server, 'GET', `/api/v1/documents${query}`))).toEqual([400, 'bad-request'])
    }
  })
})

describe('a deleted document', () => {
  it('[threat K10] ends the sessions of everybody in it with 4404, of either dialect, and is gone', async () => {
    const server = await testServer()
    const person = await program(server, 'doomed', 'Text.')
    const raw = await RawClient.join(`${server.socketUrl}/doomed`)
    const provider = await RawProvider.connect(server, 'doomed')
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 2')
    const other = await program(server, 'other', 'Stays.')
    const refused = new Promise<number>(resolve => person.on('refused', ({ code }) => resolve(code)))
    const answer = await remove(server, 'doomed')
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, { document: 'doomed', deleted: true }])
    expect(await refused).toBe(4404)
    expect(await raw.closed).toEqual({ code: 4404, reason: 'deleted: the document was deleted' })
    await provider.hears('closed')
    expect(provider.texts.at(-1)).toContain('deleted')
    expect(outcome(await get(server, 'doomed'))).toEqual([410, 'deleted'])
    expect(outcome(await remove(server, 'doomed'))).toEqual([410, 'deleted'])
    expect(outcome(await remove(server, 'never'))).toEqual([404, 'not-found'])
    await expect(connect(`${server.socketUrl}/doomed`)).rejects.toMatchObject({ code: 4404 })
    append(other, 'And goes on.')
    await other.saved()
  })

  it('is not brought back by a replica that was offline, nor by content, nor by a restart', async () => {
    const server = await testServer()
    const proxy = await LinkProxy.start(server.port)
    onTestFinished(() => proxy.stop())
    const away = await connect(`ws://127.0.0.1:${proxy.port}/doomed`)
    onTestFinished(() => away.close({ saved: false }))
    append(away, 'Written before.')
    await away.saved()
    away.disconnect()
    append(away, 'Written offline.')
    expect((await remove(server, 'doomed')).status).toBe(200)
    const refused = new Promise<number>(resolve => away.on('refused', ({ code }) => resolve(code)))
    away.reconnect()
    expect(await refused).toBe(4404)
    // It keeps what it has, and knows that it isn't saved.
    expect([away.unsaved > 0, textOf(away)]).toEqual([true, 'Written before.\nWritten offline.'])
    expect(outcome(await putMarkdown(server, 'doomed', 'x'))).toEqual([410, 'deleted'])
    await server.stop()
    await server.start()
    expect(outcome(await get(server, 'doomed'))).toEqual([410, 'deleted'])
    await expect(connect(`${server.socketUrl}/doomed`)).rejects.toMatchObject({ code: 4404 })
    await server.stop()
    const { entries, deletedAt } = await readStored(server.folder, 'doomed')
    expect([entries.length, deletedAt]).toEqual([1, expect.any(Number)])
  })

  it('begins anew, empty, where that is asked for; content that can’t be taken leaves it deleted', async () => {
    const server = await testServer()
    await putMarkdown(server, 'phoenix', 'Old.')
    await remove(server, 'phoenix')
    const anew = (type: string, body: string) =>
      api(server, 'PUT', apiPath('phoenix', '?anew=true'), { headers: { 'Content-Type': type }, body })
    expect(outcome(await anew('application/json', '{}'))).toEqual([422, 'bad-content'])
    expect(outcome(await get(server, 'phoenix'))).toEqual([410, 'deleted'])
    expect((await anew('text/markdown', 'New.')).status).toBe(201)
    expect((await get(server, 'phoenix')).text).toBe('New.\n')
    const document = await program(server, 'phoenix')
    expect(textOf(document)).toBe('New.')
  })

  it('takes no edit that was on its way while it was deleted, and the server goes on', async () => {
    const server = await testServer()
    for (let round = 0; round < 20; round++) {
      const name = `race-${round}`
      const client = await RawClient.join(`${server.socketUrl}/${name}`)
      const writer = typist(round + 1)
      await client.commit(writer.type('x'))
      const removal = remove(server, name)
      for (let i = 0; i < 20; i++) client.update(writer.type('y'))
      expect((await removal).status).toBe(200)
      expect((await client.closed).code).toBe(4404)
      expect(outcome(await get(server, name))).toEqual([410, 'deleted'])
    }
    await putMarkdown(server, 'alive', 'x')
  })
})

describe('with a secret', () => {
  const server = sharedServer(asksForTokens)
  const roles = ['viewer', 'commenter', 'editor', 'owner'] as const
  const tokenOf = (role: string, name = 'team/doc') => sign({ docs: [{ document: name, role }] })

  it('each endpoint asks for its role, and a viewer reads, an editor writes, an owner deletes', async () => {
    const owner = await sign({ docs: [{ prefix: '', role: 'owner' }] })
    const tokens: [who: string, token: string | undefined][] = [
      ['nobody', undefined],
      ['nonsense', 'hello'],
      ['expired', await sign({ exp: nowInSeconds() - 60, docs: [{ prefix: '', role: 'owner' }] })],
      ['another secret', await sign({ docs: [{ prefix: '', role: 'owner' }] }, 'another secret that has its length')],
      ['another document', await tokenOf('owner', 'team/doc2')],
      ...(await Promise.all(roles.map(async role => [role, await tokenOf(role)] as [string, string]))),
    ]
    const table: Record<string, (number | string | null)[]> = {}
    for (const [who, token] of tokens) {
      await api(server(), 'PUT', apiPath('team/doc', '?anew=true'), {
        token: owner,
        headers: { 'Content-Type': 'text/markdown' },
        body: 'x',
      })
      const options = token === undefined ? {} : { token }
      const headers = { 'Content-Type': 'text/markdown' }
      const read = await api(server(), 'GET', apiPath('team/doc'), options)
      const write = await api(server(), 'PUT', apiPath('team/doc'), { ...options, headers, body: 'y' })
      const anew = await api(server(), 'PUT', apiPath('team/doc', '?anew=true'), { ...options, headers, body: 'z' })
      const removal = await remove(server(), 'team/doc', token)
      table[who] = [read, write, anew, removal].map(answer => answer.code ?? answer.status)
    }
    const none = (code: string) => [code, code, code, code]
    expect(table).toEqual({
      nobody: none('unauthorized'),
      nonsense: none('unauthorized'),
      expired: none('unauthorized'),
      'another secret': none('unauthorized'),
      'another document': none('forbidden'),
      viewer: [200, 'forbidden', 'forbidden', 'forbidden'],
      commenter: [200, 'forbidden', 'forbidden', 'forbidden'],
      editor: [200, 200, 'forbidden', 'forbidden'],
      owner: [200, 200, 200, 200],
    })
    expect((await api(server(), 'GET', apiPath('team/doc'))).headers.get('www-authenticate')).toBe('Bearer')
  })

  it('nobody learns whether a document is there who may not read it', async () => {
    const token = await tokenOf('owner', 'mine')
    for (const name of ['team/doc', 'never']) {
      expect(outcome(await api(server(), 'GET', apiPath(name), { token }))).toEqual([403, 'forbidden'])
    }
  })

  it('a list has what its reader may read, and pages go on past what they may not', async () => {
    const owner = await sign({ docs: [{ prefix: '', role: 'owner' }] })
    for (const name of ['l/1', 'l/2', 'l/3', 'l/4']) await putMarkdown(server(), name, 'x', owner)
    const docs = [
      { document: 'l/2', role: 'viewer' },
      { document: 'l/4', role: 'editor' },
    ]
    const token = await sign({ docs })
    const ask = async (query: string) => {
      const { text } = await api(server(), 'GET', `/api/v1/documents${query}`, { token })
      const { documents, next } = JSON.parse(text)
      return [documents.map(({ name }: { name: string }) => name), next]
    }
    expect(await ask('?prefix=l/')).toEqual([['l/2', 'l/4'], null])
    expect(await ask('?prefix=l/&limit=1')).toEqual([['l/2'], 'l/2'])
    expect(await ask('?prefix=l/&limit=1&after=l/2')).toEqual([['l/4'], null])
    expect(outcome(await api(server(), 'GET', '/api/v1/documents'))).toEqual([401, 'unauthorized'])
  })

  it('a token in the URL is not one', async () => {
    const token = await tokenOf('owner')
    const answer = await api(server(), 'GET', apiPath('team/doc', `?token=${token}`))
    expect(outcome(answer)).toEqual([401, 'unauthorized'])
  })
})

describe('who asks', () => {
  it('from another origin, or under another name, is refused before anything else', async () => {
    const server = await testServer()
    await putMarkdown(server, 'a', 'x')
    const headers = { Origin: 'https://elsewhere.example' }
    expect((await get(server, 'a', '', headers)).status).toBe(403)
    expect(await rawStatus(server, apiPath('a'), { Host: 'elsewhere.example' })).toBe(421)
  })

  it('for a change must send what a foreign page can’t: a header of its own, or a type that no form has', async () => {
    const server = await testServer()
    await putMarkdown(server, 'a', 'x')
    expect(outcome(await api(server, 'DELETE', apiPath('a')))).toEqual([403, 'cross-site'])
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded']) {
      const answer = await api(server, 'PUT', apiPath('a'), { headers: { 'Content-Type': type }, body: 'y' })
      expect(outcome(answer)).toEqual([403, 'cross-site'])
    }
    expect((await get(server, 'a')).text).toBe('x\n')
    const headers = { 'X-Requested-With': 'test' }
    const answer = await api(server, 'POST', apiPath('a'), { headers })
    expect([...outcome(answer), answer.headers.get('allow')]).toEqual([
      405,
      'bad-method',
      'GET, HEAD, PUT, PATCH, DELETE',
    ])
  })

  it('without a secret must be a program of this machine: not behind a proxy, not under a name from elsewhere', async () => {
    const server = await testServer({ WEFT_HOST: '0.0.0.0', WEFT_OPEN: '1' })
    const host = `127.0.0.1:${server.port}`
    expect(await rawStatus(server, '/api/v1/documents', { Host: host })).toBe(200)
    expect(await rawStatus(server, '/api/v1/documents', { Host: 'weft.example' })).toBe(403)
    expect(await rawStatus(server, '/api/v1/documents', { Host: host, 'X-Forwarded-For': '192.0.2.1' })).toBe(403)
    const asking = await testServer({ WEFT_HOST: '0.0.0.0', ...asksForTokens })
    const Authorization = `Bearer ${await sign({ docs: [{ prefix: '', role: 'viewer' }] })}`
    expect(await rawStatus(asking, '/api/v1/documents', { Host: 'weft.example', Authorization })).toBe(200)
  })
})

it('a damaged document is an error, never an empty one, and is not written to', async () => {
  const server = await testServer()
  await putMarkdown(server, 'hurt', 'Text.')
  await putMarkdown(server, 'well', 'Text.')
  await server.stop()
  await damageRecord(server.folder, 'hurt', recordKind.entry, 1)
  await server.start()
  expect(outcome(await get(server, 'hurt'))).toEqual([500, 'damaged'])
  expect((await putMarkdown(server, 'hurt', 'x')).status).toBe(500)
  expect((await get(server, 'well')).text).toBe('Text.\n')
})

it('asking for many names leaves nothing in the store', async () => {
  const server = await testServer()
  for (let i = 0; i < 20; i++) await get(server, `probe-${i}`)
  await server.stop()
  expect(await listStored(server.folder)).toEqual([])
  await withStore(server.folder, async log => expect((await log.stats()).bytes).toBeLessThan(1 << 20))
})

it('replaced text keeps the place of those who write beside it', async () => {
  const server = await testServer()
  const writer = await program(server, 'place', 'Alpha beta gamma.')
  const paragraph = fragmentOf(writer).get(0)
  replaceText(writer, 'gamma', 'delta')
  await writer.saved()
  await putMarkdown(server, 'place', 'Alpha beta epsilon delta.')
  await has(writer, 'Alpha beta epsilon delta.')
  expect(fragmentOf(writer).get(0)).toBe(paragraph)
})
