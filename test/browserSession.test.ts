import { describe, expect, it } from 'vitest'
import { type ApiAnswer, api, apiPath, putMarkdown } from './support/apiClient.ts'
import { RawClient } from './support/RawClient.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, SECRET, sign, tokenFor } from './support/tokens.ts'

const SESSION = '/api/v1/session'
const json = { 'Content-Type': 'application/json' }
/** A proxy that is trusted, which says that its client speaks https. */
const behindTls = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '192.0.2.1' }

const running = sharedServer({ ...asksForTokens, WEFT_TRUSTED_PROXIES: '127.0.0.2' })
const own = () => ({ Origin: running().url })

function begin(token: string, headers: Record<string, string> = {}): Promise<ApiAnswer> {
  return api(running(), 'POST', SESSION, { headers: { ...json, ...headers }, body: JSON.stringify({ token }) })
}

const outcome = ({ status, code }: ApiAnswer) => [status, code]

describe('[threat P5] a session by a cookie', () => {
  it('is begun with a token, tells whose it is, and ends', async () => {
    const exp = nowInSeconds() + 600
    const token = await tokenFor('editor', { sub: 'ann', name: 'Ann', exp })
    const begun = await begin(token)
    const session = { user: { id: 'ann', name: 'Ann' }, expiresAt: new Date(exp * 1000).toISOString() }
    expect([begun.status, JSON.parse(begun.text)]).toEqual([200, session])
    const cookie = begun.headers.get('set-cookie') ?? ''
    const [pair, ...attributes] = cookie.split('; ')
    expect(pair).toBe(`weft=${token}`)
    expect(attributes).toEqual(['Path=/', expect.stringMatching(/^Max-Age=(59\d|600)$/), 'HttpOnly', 'SameSite=Strict'])
    expect(begun.headers.get('cache-control')).toBe('no-store')

    const told = await api(running(), 'GET', SESSION, { headers: { Cookie: `theme=dark; weft=${token}` } })
    expect([told.status, JSON.parse(told.text)]).toEqual([200, session])
    const ended = await api(running(), 'DELETE', SESSION, { headers: { 'X-Requested-With': 'weft', ...own() } })
    expect([ended.status, ended.headers.get('set-cookie')]).toEqual([
      204,
      'weft=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    ])
  })

  it('is none without a token that is taken', async () => {
    expect(outcome(await api(running(), 'GET', SESSION))).toEqual([401, 'unauthorized'])
    const bad = [
      'hello',
      await sign({ exp: nowInSeconds() - 60 }),
      await sign({ sub: 'ann' }, 'another secret that has its length'),
    ]
    for (const token of bad) {
      const answer = await begin(token)
      expect([...outcome(answer), answer.headers.get('set-cookie')]).toEqual([401, 'unauthorized', null])
      expect(outcome(await api(running(), 'GET', SESSION, { headers: { Cookie: `weft=${token}` } }))).toEqual([
        401,
        'unauthorized',
      ])
    }
    const good = await tokenFor('editor')
    // Which of the two it is can't be told.
    const twice = { Cookie: `weft=${good}; weft=${good}` }
    expect(outcome(await api(running(), 'GET', SESSION, { headers: twice }))).toEqual([401, 'unauthorized'])
    const long = await tokenFor('editor', { pad: 'x'.repeat(4000) })
    expect(outcome(await begin(long))).toEqual([400, 'bad-request'])
  })

  it('takes only what is as it must be', async () => {
    const body = JSON.stringify({ token: await tokenFor('editor') })
    for (const [what, headers, content, expected] of [
      ['a form', { 'Content-Type': 'text/plain' }, body, [403, 'cross-site']],
      ['another type', { 'Content-Type': 'text/markdown' }, body, [415, 'bad-type']],
      ['no JSON', json, '{', [400, 'bad-request']],
      ['no token', json, '{"token":7}', [400, 'bad-request']],
      ['null', json, 'null', [400, 'bad-request']],
      ['too much', json, JSON.stringify({ token: 'x'.repeat(20_000) }), [413, 'too-large']],
    ] as const) {
      const answer = await api(running(), 'POST', SESSION, { headers, body: content })
      expect([what, ...outcome(answer)]).toEqual([what, ...expected])
    }
    const put = await api(running(), 'PUT', SESSION, { headers: json, body })
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST, DELETE'])
    expect(outcome(await api(running(), 'GET', `${SESSION}/more`))).toEqual([404, 'not-found'])
    const foreign = await api(running(), 'POST', SESSION, {
      headers: { ...json, Origin: 'https://elsewhere.example' },
      body,
    })
    expect(foreign.status).toBe(403)
  })

  it('is that of the host alone, and encrypted, where a trusted proxy says that it came so', async () => {
    const server = await testServer({ ...asksForTokens, WEFT_TRUSTED_PROXIES: '127.0.0.1' })
    const token = await tokenFor('editor', { sub: 'ann' })
    const headers = { ...json, ...behindTls }
    const begun = await api(server, 'POST', SESSION, { headers, body: JSON.stringify({ token }) })
    expect(begun.headers.get('set-cookie')).toMatch(
      /^__Host-weft=\S+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict; Secure$/,
    )
    // One without the prefix may come from another host of the domain, or have been seen on its way.
    const tell = (name: string) =>
      api(server, 'GET', SESSION, { headers: { ...behindTls, Cookie: `${name}=${token}` } })
    expect((await tell('__Host-weft')).status).toBe(200)
    expect((await tell('weft')).status).toBe(401)
    // A proxy that isn't trusted says nothing.
    const untrusted = await api(running(), 'POST', SESSION, { headers, body: JSON.stringify({ token }) })
    expect(untrusted.headers.get('set-cookie')).toMatch(/^weft=/)
  })

  it('opens documents for a page of this server, and for no other one', async () => {
    const Cookie = `weft=${await tokenFor('editor')}`
    const open = async (headers: Record<string, string>, name = 'by-cookie') => {
      const client = await RawClient.connect(`${running().socketUrl}/${name}`, { headers })
      client.ask()
      return Promise.race([client.next('syncStep2').then(() => 'open'), client.closed.then(({ code }) => code)])
    }
    expect(await open({ Cookie, ...own() })).toBe('open')
    // Browsers always tell an origin: who tells none is a program, and programs have headers.
    expect(await open({ Cookie })).toBe(4401)
    await expect(open({ Cookie, Origin: 'https://elsewhere.example' })).rejects.toThrow('403')
    // What is given on purpose counts before what a browser adds.
    expect(await open({ Cookie, ...own(), Authorization: 'Bearer hello' })).toBe(4401)
    const reader = `weft=${await sign({ docs: [{ document: 'by-cookie', role: 'viewer' }] })}`
    expect(await open({ Cookie: reader, ...own() }, 'other')).toBe(4403)
  })

  it('may read by HTTP, and change what a page of this server means to change', async () => {
    const server = running()
    await putMarkdown(server, 'page', 'Text.', await tokenFor('editor'))
    const Cookie = `weft=${await tokenFor('editor')}`
    const read = (headers: Record<string, string>) => api(server, 'GET', apiPath('page'), { headers })
    expect((await read({ Cookie })).text).toBe('Text.\n')
    expect((await read({ Cookie, 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200)
    for (const site of ['cross-site', 'same-site']) {
      expect(outcome(await read({ Cookie, 'Sec-Fetch-Site': site }))).toEqual([403, 'cross-site'])
    }
    const type = { 'Content-Type': 'text/markdown' }
    const write = (headers: Record<string, string>) => api(server, 'PUT', apiPath('page'), { headers, body: 'New.' })
    expect(outcome(await write({ ...type, Cookie }))).toEqual([403, 'cross-site'])
    expect(outcome(await write({ 'Content-Type': 'text/plain', Cookie, ...own() }))).toEqual([403, 'cross-site'])
    expect(outcome(await write({ ...type, Cookie, ...own(), 'Sec-Fetch-Site': 'cross-site' }))).toEqual([
      403,
      'cross-site',
    ])
    expect((await write({ ...type, Cookie, Origin: 'https://elsewhere.example' })).status).toBe(403)
    expect((await read({ Cookie })).text).toBe('Text.\n')
    expect((await write({ ...type, Cookie, ...own() })).status).toBe(200)
    // In the URL it is none.
    expect((await api(server, 'GET', apiPath('page', `?token=${await tokenFor('editor')}`))).status).toBe(401)
  })

  it('is in no log', async () => {
    const server = await testServer({ ...asksForTokens, WEFT_LOG_LEVEL: 'debug' })
    const token = await tokenFor('editor')
    await api(server, 'POST', SESSION, { headers: json, body: JSON.stringify({ token }) })
    const headers = { Cookie: `weft=${token}`, Origin: server.url }
    const client = await RawClient.connect(`${server.socketUrl}/a`, { headers })
    client.ask()
    await client.next('syncStep2')
    await server.stop()
    expect(server.output).toContain('connection opened')
    expect(server.output).not.toContain(token.split('.').at(-1))
    expect(server.output).not.toContain(SECRET)
  })
})

it('where nobody is asked, there is no session to begin', async () => {
  const server = await testServer()
  expect((await api(server, 'GET', SESSION)).status).toBe(401)
  const answer = await api(server, 'POST', SESSION, { headers: json, body: '{"token":"x"}' })
  expect([answer.status, answer.headers.get('set-cookie')]).toEqual([401, null])
})
