import { encodeEphemeral, encodeStateless } from '@weft/protocol'
import { beforeAll, describe, expect, it } from 'vitest'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { dialects, Speaker, type SpokenDialect } from './support/Speaker.ts'
import { sharedServer } from './support/testServer.ts'
import { asksForTokens, nowInSeconds, sign } from './support/tokens.ts'
import { textOf, typist } from './support/typist.ts'

// Who may do what: every bearer of a token by every action, over HTTP and over each dialect. The expected outcome of a cell follows
// from two numbers: what the bearer has, and what the action needs.

const LEVELS = ['viewer', 'commenter', 'editor', 'owner'] as const
type Level = (typeof LEVELS)[number]
/** `stranger`: nobody knows who it is (401, 4401); `outsider`: somebody without a right to this document (403, 4403). */
type Standing = 'stranger' | 'outsider' | Level

const AUDIENCE = 'weft'
const running = sharedServer({ ...asksForTokens, WEFT_AUTH_AUDIENCE: AUDIENCE, WEFT_NEW_DOCUMENTS_PER_MINUTE: '10000' })

const tokenOf = (sub: string, role: string, claims: object = {}, secret?: string) =>
  sign({ sub, aud: AUDIENCE, docs: [{ prefix: '', role }], ...claims }, secret)
const admin = () => tokenOf('admin', 'owner')

/** Who asks, and as what they count. */
const bearers: readonly [who: string, standing: Standing, token: () => Promise<string | null>][] = [
  ['nobody', 'stranger', async () => null],
  ['garbage', 'stranger', async () => 'garbage'],
  ['expired', 'stranger', () => tokenOf('expired', 'owner', { exp: nowInSeconds() - 60 })],
  ['wrong-key', 'stranger', () => tokenOf('wrong-key', 'owner', {}, 'another secret that has its length')],
  ['wrong-audience', 'stranger', () => tokenOf('wrong-audience', 'owner', { aud: 'elsewhere' })],
  ['revoked', 'stranger', () => tokenOf('revoked', 'owner', { iat: nowInSeconds() - 60 })],
  ['elsewhere', 'outsider', () => tokenOf('elsewhere', 'owner', { docs: [{ document: 'elsewhere', role: 'owner' }] })],
  ['rightless', 'outsider', () => tokenOf('rightless', 'owner', { docs: [] })],
  ['viewer', 'viewer', () => tokenOf('viewer', 'viewer')],
  ['reduced', 'viewer', () => tokenOf('reduced', 'owner', { iat: nowInSeconds() - 60 })],
  ['commenter', 'commenter', () => tokenOf('commenter', 'commenter')],
  ['editor', 'editor', () => tokenOf('editor', 'editor')],
  [
    'not-creating',
    'editor',
    () => tokenOf('not-creating', 'editor', { docs: [{ prefix: '', role: 'editor', create: false }] }),
  ],
  ['owner', 'owner', () => tokenOf('owner', 'owner')],
]

const documentOf = (who: string) => `matrix-${who}`
const may = (standing: Standing, needed: Level) =>
  LEVELS.indexOf(standing as Level) >= LEVELS.indexOf(needed) && standing !== 'stranger' && standing !== 'outsider'

beforeAll(async () => {
  const token = await admin()
  for (const [who] of bearers) {
    for (const name of [documentOf(who), `${documentOf(who)}-gone`]) {
      expect((await putMarkdown(running(), name, 'Text.', token)).status).toBe(201)
    }
    const body = typist(9).type('well said')
    const headers = { 'Content-Type': 'application/octet-stream' }
    const path = apiPath(documentOf(who), '?part=comments')
    expect((await api(running(), 'PATCH', path, { token, headers, body })).status).toBe(201)
  }
  const revoke = (body: object) =>
    api(running(), 'POST', '/api/v1/revocations', {
      token,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
  expect((await revoke({ user: 'revoked' })).status).toBe(201)
  expect((await revoke({ user: 'reduced', role: 'viewer' })).status).toBe(201)
})

const json = { 'Content-Type': 'application/json' }
const bytes = { 'Content-Type': 'application/octet-stream' }

/** A request about a document, and the role that it needs there. */
const requests: readonly [
  action: string,
  needed: Level,
  request: (
    name: string,
  ) => [method: string, path: string, headers?: Record<string, string>, body?: string | Uint8Array],
][] = [
  ['read', 'viewer', name => ['GET', apiPath(name)]],
  ['read as an update', 'viewer', name => ['GET', apiPath(name, '?format=yjs')]],
  ['read the comments', 'viewer', name => ['GET', apiPath(name, '?part=comments&format=yjs')]],
  ['read the facts', 'viewer', name => ['GET', `/api/v1/metadata?document=${encodeURIComponent(name)}`]],
  ['comment', 'commenter', name => ['PATCH', apiPath(name, '?part=comments'), bytes, typist(8).type('indeed')]],
  ['write', 'editor', name => ['PUT', apiPath(name), { 'Content-Type': 'text/markdown' }, 'Text!']],
  ['merge', 'editor', name => ['PATCH', apiPath(name), bytes, typist(7).type('x')]],
  ['upload', 'editor', name => ['POST', `${apiPath(name)}/uploads`, bytes, 'a file']],
  ['list links', 'owner', name => ['GET', `/api/v1/links?document=${encodeURIComponent(name)}`]],
  ['make a link', 'owner', name => ['POST', '/api/v1/links', json, JSON.stringify({ document: name })]],
  ['see who is here', 'owner', name => ['GET', `/api/v1/sessions?document=${encodeURIComponent(name)}`]],
  ['see revocations', 'owner', name => ['GET', `/api/v1/revocations?document=${encodeURIComponent(name)}`]],
  ['revoke', 'owner', name => ['POST', '/api/v1/revocations', json, JSON.stringify({ document: name, user: 'zoe' })]],
  [
    'make a token',
    'owner',
    name => [
      'POST',
      '/api/v1/tokens',
      json,
      JSON.stringify({ user: 'zoe', docs: [{ document: name, role: 'viewer' }] }),
    ],
  ],
  ['delete', 'owner', name => ['DELETE', apiPath(`${name}-gone`)]],
  ['read the audit log', 'owner', () => ['GET', '/api/v1/audit?limit=1']],
  ['back up', 'owner', () => ['GET', '/api/v1/backup']],
]

describe.each(bearers)('[threat P3] %s', (who, standing, giveToken) => {
  const name = documentOf(who)

  it.each(requests)('over HTTP: %s', async (_action, needed, request) => {
    const [method, path, headers = {}, body] = request(name)
    const token = await giveToken()
    const answer = await api(running(), method, path, {
      // What a foreign page could not send: it must not fail for that.
      headers: { 'X-Requested-With': 'test', ...headers },
      ...(token !== null && { token }),
      ...(body !== undefined && { body }),
    })
    const outcome = answer.status < 300 ? 'done' : answer.status
    expect(outcome).toBe(may(standing, needed) ? 'done' : standing === 'stranger' ? 401 : 403)
  })

  it('over HTTP: lists what it may read, and nothing else', async () => {
    const token = await giveToken()
    const answer = await api(running(), 'GET', `/api/v1/documents?prefix=${encodeURIComponent(name)}`, {
      ...(token !== null && { token }),
    })
    if (standing === 'stranger') expect(answer.status).toBe(401)
    else expect(JSON.parse(answer.text).documents.length > 0).toBe(may(standing, 'viewer'))
  })

  describe.each(dialects)('in the dialect %s', dialect => {
    const refusal = standing === 'stranger' ? /^unauthorized: / : /^forbidden: /

    it('opens it, reads and is seen; or is told why not', async () => {
      const watcher = await Speaker.join(running(), 'y-websocket', name, await admin())
      const speaker = await Speaker.join(running(), dialect, name, await giveToken())
      if (!may(standing, 'viewer')) {
        expect(speaker.ended).toMatch(refusal)
        expect(speaker.updates).toEqual([])
        return
      }
      expect(speaker.updates.some(update => update.length > 2)).toBe(true)
      const clientID = 100 + dialects.indexOf(dialect)
      speaker.showState(clientID, 1, { user: { id: 'admin', name: 'Admin' } })
      await eventually('it to be seen', () => watcher.states.has(clientID))
      expect(watcher.states.get(clientID)).toEqual({ user: { id: who, name: who } })
    })

    it.each([
      ['the document', 'editor', null],
      ['its comments', 'commenter', 'comments'],
    ] as const)('writes in %s, or is refused', async (_what, needed, part) => {
      const open = (asDialect: SpokenDialect, token: string | null) =>
        Speaker.join(running(), asDialect, part === null ? name : `${name}\u001f${part}`, token, {
          path: encodeURI(name) + (part === null ? '' : `?part=${part}`),
        })
      const watcher = await open('y-websocket', await admin())
      const before = textOf(...watcher.updates)
      const speaker = await open(dialect, await giveToken())
      speaker.edit(typist(200 + dialects.indexOf(dialect)).type(`by ${dialect}`))
      const hears = () => textOf(...watcher.updates).includes(`by ${dialect}`)
      await eventually('an outcome', () => speaker.ended !== null || speaker.refusals > 0 || hears())
      expect(hears()).toBe(may(standing, needed))
      if (!may(standing, 'viewer')) expect(speaker.ended).toMatch(refusal)
      else expect(speaker.ended).toBeNull()
      if (!may(standing, needed)) expect(textOf(...watcher.updates)).toBe(before)
    })

    it('sends messages that aren’t edits, or is not heard', async () => {
      const watcher = await Speaker.join(running(), 'y-websocket', name, await admin())
      const speaker = await Speaker.join(running(), dialect, name, await giveToken())
      const text = `from ${who} in ${dialect}`
      const isPlain = dialect !== 'hocuspocus'
      speaker.say(isPlain ? encodeEphemeral([], text) : encodeStateless(text))
      // One that is heard for sure, after it.
      const last = await Speaker.join(running(), 'y-websocket', name, await admin())
      if (speaker.ended === null) {
        speaker.showState(300 + dialects.indexOf(dialect), 1, {})
        await eventually('what it said after that', () => watcher.states.has(300 + dialects.indexOf(dialect)))
      }
      last.say(encodeEphemeral([], 'the last'))
      await eventually('the last', () => watcher.messages.includes('the last'))
      expect(watcher.messages.includes(text)).toBe(may(standing, 'editor'))
    })
  })
})

describe('[threat P3] a role that shrinks while somebody is connected', () => {
  it.each(dialects)('counts from then on, in the dialect %s', async dialect => {
    const user = `shrinking-${dialect}`
    const name = documentOf('owner')
    const watcher = await Speaker.join(running(), 'y-websocket', name, await admin())
    const token = await tokenOf(user, 'editor', { iat: nowInSeconds() - 60 })
    const speaker = await Speaker.join(running(), dialect, name, token)
    const words = typist(400 + dialects.indexOf(dialect))
    speaker.edit(words.type('before'))
    await eventually('the edit', () => textOf(...watcher.updates).includes('before'))
    const body = JSON.stringify({ user, role: 'commenter' })
    expect(
      (await api(running(), 'POST', '/api/v1/revocations', { token: await admin(), headers: json, body })).status,
    ).toBe(201)
    await eventually('it to be told', () => speaker.accesses.at(-1) === 'read-only')
    speaker.edit(words.type(' after'))
    await eventually('a refusal', () => speaker.refusals > 0)
    expect(speaker.ended).toBeNull()
    expect(textOf(...watcher.updates)).not.toContain('after')
    const end = JSON.stringify({ user })
    await api(running(), 'POST', '/api/v1/revocations', { token: await admin(), headers: json, body: end })
    await eventually('the end', () => speaker.ended?.startsWith('unauthorized: ') === true)
  })
})
