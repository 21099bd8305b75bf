import { readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type ApiAnswer, api, apiPath, callApi, putMarkdown } from '../support/apiClient.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { asksForTokens, sign, tokenFor } from '../support/tokens.ts'

// Who asks too much over HTTP is told when to come back, and keeps nobody else waiting.

const outcome = ({ status, code }: ApiAnswer) => [status, code]
const json = ({ text }: ApiAnswer) => JSON.parse(text)
const behindProxy = { WEFT_TRUSTED_PROXIES: 'loopback' }
const from = (address: string) => ({ 'X-Forwarded-For': address, 'X-Requested-With': 'test' })

function expectToWait(answer: ApiAnswer): void {
  expect(outcome(answer)).toEqual([429, 'too-fast'])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
}

it('[threat C7] requests are counted by user, without one by address; an application’s own server may ask as often as it likes', async () => {
  const few = { WEFT_REQUESTS_PER_SECOND: '1', WEFT_REQUEST_BURST: '40' }
  const server = await testServer({ ...asksForTokens, ...behindProxy, ...few })
  const list = (token: string, address: string) =>
    api(server, 'GET', '/api/v1/documents', { token, headers: from(address) })
  const [eve, bo, host] = await Promise.all([
    tokenFor('viewer', { sub: 'eve' }),
    tokenFor('viewer', { sub: 'bo' }),
    tokenFor('owner', { sub: 'host' }),
  ])
  const ofEve: ApiAnswer[] = []
  // A list counts as five. From wherever she asks.
  for (let i = 0; i < 30; i++) ofEve.push(await list(eve, `192.0.2.${i}`))
  expect(ofEve.slice(0, 8).map(({ status }) => status)).toEqual(Array(8).fill(200))
  const refused = ofEve.find(({ status }) => status !== 200)
  if (refused === undefined) throw new Error('all were answered')
  expectToWait(refused)
  expect((await list(bo, '192.0.2.1')).status).toBe(200)
  for (let i = 0; i < 30; i++) expect((await list(host, '192.0.2.1')).status).toBe(200)
  // Who shows nothing is known by the address.
  const ask = (address: string) => api(server, 'GET', '/api/v1/documents', { headers: from(address) })
  const answers = await Promise.all(Array.from({ length: 400 }, () => ask('192.0.2.99')))
  // Many people may be there.
  expect(answers.filter(({ code }) => code === 'unauthorized').length).toBeGreaterThanOrEqual(160)
  expectToWait(answers.find(({ code }) => code !== 'unauthorized') ?? (answers[0] as ApiAnswer))
  expect(outcome(await ask('192.0.2.98'))).toEqual([401, 'unauthorized'])
})

it('[threat C7] a viewer who reads a large document again and again has a share of the threads, and others have theirs', async () => {
  const server = await testServer({ ...asksForTokens, WEFT_MAX_WAITING_PER_USER: '2' })
  await putMarkdown(server, 'large', 'Words and more words.\n\n'.repeat(20_000), await tokenFor('owner'))
  await putMarkdown(server, 'small', 'Hello.', await tokenFor('owner'))
  const [eve, bo] = [await tokenFor('viewer', { sub: 'eve' }), await tokenFor('viewer', { sub: 'bo' })]
  const read = (name: string, token: string) => api(server, 'GET', apiPath(name), { token })
  let isOver = false
  const flood = Promise.all(Array.from({ length: 70 }, () => read('large', eve))).finally(() => {
    isOver = true
  })
  // Read while hers wait.
  expect((await read('small', bo)).status).toBe(200)
  expect(isOver).toBe(false)
  const answers = await flood
  const refused = answers.filter(({ status }) => status !== 200)
  expect(refused.length).toBeGreaterThan(0)
  for (const answer of refused) expectToWait(answer)
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(3)
})

it('[threat C7] HEAD of a file that was read reads it no more, unless it changes', async () => {
  const folder = await testFolder()
  const server = await testServer(asksForTokens, folder)
  const token = await tokenFor('editor')
  const headers = { 'Content-Type': 'application/octet-stream' }
  const put = await api(server, 'POST', `${apiPath('a')}/uploads`, { token, headers, body: `%PDF-${'x'.repeat(9000)}` })
  const { path, bytes } = json(put)
  const head = async () => {
    const { status, headers: told } = await fetch(server.url + path, {
      method: 'HEAD',
      headers: { Authorization: `Bearer ${token}` },
    })
    return [status, told.get('content-length')]
  }
  expect(await head()).toEqual([200, String(bytes)])
  expect(await head()).toEqual([200, String(bytes)])
  const uploads = join(folder, 'uploads')
  const [document = ''] = await readdir(uploads)
  const file = join(uploads, document, path.split('/').at(-1))
  const { atime, mtime } = await stat(file)
  await writeFile(file, `%PDF-${'y'.repeat(9000)}`)
  await utimes(file, atime, mtime)
  expect((await head())[0]).toBe(500)
})

it('[threat P6] changes of rights have a rate for each user: each has an entry in the audit log', async () => {
  const server = await testServer({ ...asksForTokens, WEFT_RIGHTS_CHANGES_PER_MINUTE: '1' })
  const [eve, host] = [await ownerOf('eve/', 'eve'), await tokenFor('owner', { sub: 'host' })]
  const end = (token: string) => callApi(server, 'DELETE', '/sessions/none', undefined, token)
  const answers = await Promise.all(Array.from({ length: 120 }, () => end(eve)))
  expect(answers.filter(({ status }) => status === 404).length).toBeGreaterThanOrEqual(100)
  const refused = answers.find(({ status }) => status !== 404)
  if (refused === undefined) throw new Error('all were answered')
  expectToWait(refused)
  // Reading goes on; and who owns every document has no such rate.
  expect((await callApi(server, 'GET', '/access', undefined, eve)).status).toBe(200)
  for (const answer of await Promise.all(Array.from({ length: 120 }, () => end(host)))) expect(answer.status).toBe(404)
})

const ownerOf = (prefix: string, sub: string) => sign({ sub, docs: [{ prefix, role: 'owner' }] })

it('[threat P4] those who come by a link have a rate by address and by link; who is in goes on', async () => {
  const server = await testServer({ ...asksForTokens, ...behindProxy, WEFT_LINK_ENTRIES_PER_MINUTE: '1' })
  const owner = await tokenFor('owner')
  const { id, secret } = json(await callApi(server, 'POST', '/links', { document: 'a' }, owner))
  const exchange = (address: string, body: object) =>
    api(server, 'POST', '/api/v1/links/exchange', {
      headers: { ...from(address), 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  const enter = (address: string) => exchange(address, { secret })
  const first = await Promise.all(Array.from({ length: 10 }, () => enter('192.0.2.1')))
  expect(first.map(({ status }) => status)).toEqual(Array(10).fill(200))
  expectToWait(await enter('192.0.2.1'))
  expect((await exchange('192.0.2.1', { renewal: json(first[0] as ApiAnswer).renewal })).status).toBe(200)
  // As many as a link takes, and from one address more.
  for (let network = 2; network <= 10; network++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => enter(`192.0.2.${network}`)))
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
  }
  const later = await Promise.all(Array.from({ length: 10 }, () => enter('192.0.2.11')))
  const refused = later.filter(({ status }) => status !== 200)
  expect(refused.length).toBeGreaterThan(0)
  for (const answer of refused) expectToWait(answer)
  // Who was refused has used nothing.
  const links = json(await callApi(server, 'GET', '/links?document=a', undefined, owner)).links
  expect(links).toMatchObject([{ id, uses: 110 - refused.length }])
})

it('[threat P6] who reads again and again fills no audit log: that is counted, and what others do is written down', async () => {
  const server = await testServer({ ...asksForTokens, WEFT_AUDIT_ENTRIES_PER_MINUTE: '1' })
  const host = await tokenFor('owner', { sub: 'host' })
  await putMarkdown(server, 'a', 'Hello.', host)
  const read = (token: string) => api(server, 'GET', apiPath('a'), { token })
  const [eve, bo] = [await tokenFor('viewer', { sub: 'eve' }), await tokenFor('viewer', { sub: 'bo' })]
  for (let round = 0; round < 13; round++) {
    const answers = await Promise.all(Array.from({ length: 10 }, () => read(eve)))
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
  }
  await read(bo)
  await server.stop()
  await server.start()
  const of = async (user: string) =>
    json(await callApi(server, 'GET', `/audit?action=read&user=${user}`, undefined, host)).entries
  const ofEve = await of('eve')
  const one = ofEve[0].bytes
  const [counted] = ofEve.filter(({ count }: { count: number | null }) => count !== null)
  const sum = (total: number, { count }: { count: number | null }) => total + (count ?? 1)
  expect(ofEve.reduce(sum, 0)).toBe(130)
  // A minute brings one more that is written down.
  expect(ofEve.length).toBeLessThan(115)
  expect(counted).toMatchObject({ user: 'eve', address: '127.0.0.1', bytes: counted.count * one })
  expect(counted.subject).toMatch(/^user:eve since \S+Z$/u)
  expect((await of('bo')).map(({ count }: { count: number | null }) => count)).toEqual([null])
})
