import { join } from 'node:path'
import { connect, createClient } from '@weft/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { hocuspocusSocket, providerVersions } from './support/hocuspocusClient.ts'
import { RawClient } from './support/RawClient.ts'
import { dialects, Speaker, type SpokenDialect } from './support/Speaker.ts'
import { stockClient, stockVersions } from './support/stockClient.ts'
import { listStored } from './support/storedDocument.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor } from './support/tokens.ts'
import { textOf, typist } from './support/typist.ts'
import { runCommand } from './support/weftCommand.ts'

const running = sharedServer(asksForTokens)
const joinAs = (dialect: SpokenDialect, name: string, token: string) => Speaker.join(running(), dialect, name, token)

/** Opens the comments of a document, as each dialect does. */
function joinComments(dialect: SpokenDialect, name: string, token: string): Promise<Speaker> {
  return Speaker.join(running(), dialect, `${name}\u001fcomments`, token, {
    path: `${encodeURI(name)}?part=comments`,
  })
}

describe.each(dialects)('the comments of a document, in the dialect %s', dialect => {
  const begin = async (name: string) => {
    await putMarkdown(running(), name, 'Text.', await tokenFor('editor', { sub: 'bo' }))
    return name
  }

  it('[threat P3] are written by a commenter, there and only there; a viewer reads both', async () => {
    const name = await begin(`${dialect}/roles`)
    const comments = await joinComments(dialect, name, await tokenFor('commenter', { sub: 'co' }))
    await eventually('access', () => comments.accesses[0] === 'read-write')
    comments.edit(typist(1).type('well said'))
    const document = await joinAs(dialect, name, await tokenFor('commenter', { sub: 'co' }))
    await eventually('access', () => document.accesses[0] === 'read-only')
    document.edit(typist(2).type('refused'))
    await eventually('a refusal', () => document.refusals === 1)

    const viewer = await tokenFor('viewer', { sub: 'vi' })
    const reader = await joinComments(dialect, name, viewer)
    await eventually('the comment', () => textOf(...reader.updates) === 'well said')
    expect(reader.accesses).toEqual(['read-only'])
    reader.edit(typist(3).type('refused'))
    await eventually('a refusal', () => reader.refusals === 1)
    const both = await joinAs(dialect, name, viewer)
    expect(both.updates.length).toBeGreaterThan(0)
    for (const role of ['editor', 'owner']) {
      const writer = await joinComments(dialect, name, await tokenFor(role))
      await eventually('access', () => writer.accesses[0] === 'read-write')
    }
    expect(textOf(...both.updates)).not.toContain('refused')
    expect(textOf(...reader.updates)).toBe('well said')
  })

  it('have the rights of their document, also when these change', async () => {
    const name = await begin(`${dialect}/rights`)
    const other = await sign({ docs: [{ document: 'elsewhere', role: 'owner' }] })
    expect((await joinComments(dialect, name, other)).ended).toMatch(/^forbidden: /)
    const comments = await joinComments(dialect, name, await sign({ docs: [{ document: name, role: 'viewer' }] }))
    await eventually('access', () => comments.accesses[0] === 'read-only')
    comments.giveToken(await sign({ docs: [{ document: name, role: 'commenter' }] }))
    await eventually('more', () => comments.accesses.at(-1) === 'read-write')
  })

  it('are begun with their document: by a commenter, once it is there', async () => {
    const name = `${dialect}/unbegun`
    const comments = await joinComments(dialect, name, await tokenFor('commenter'))
    await eventually('access', () => comments.accesses[0] === 'read-only')
    comments.edit(typist(1).type('first!'))
    await eventually('a refusal', () => comments.refusals === 1)
    await begin(name)
    await eventually('access', () => comments.accesses.at(-1) === 'read-write')
  })

  it('are deleted with it, and end with it', async () => {
    const name = await begin(`${dialect}/deleted`)
    const token = await tokenFor('owner')
    const comments = await joinComments(dialect, name, token)
    comments.edit(typist(1).type('well said'))
    const reader = await joinComments(dialect, name, token)
    await eventually('the comment', () => textOf(...reader.updates) === 'well said')
    expect((await api(running(), 'DELETE', apiPath(name), { token })).status).toBe(200)
    await eventually('the end', () => comments.ended === 'deleted: the document was deleted')
    expect((await joinComments(dialect, name, token)).ended).toMatch(/^deleted: /)
    const anew = { token, headers: { 'Content-Type': 'text/markdown' }, body: 'New.' }
    expect((await api(running(), 'PUT', apiPath(name, '?anew=true'), anew)).status).toBe(201)
    const empty = await joinComments(dialect, name, token)
    expect(textOf(...empty.updates)).toBe('')
    await eventually('access', () => empty.accesses[0] === 'read-write')
  })
})

describe('a part of a document', () => {
  it('goes to the bin with it, is not seen there, and comes back with it', async () => {
    const server = running()
    const token = await tokenFor('owner')
    await putMarkdown(server, 'binned', 'Text.', token)
    const body = typist(1).type('well said')
    const headers = { 'Content-Type': 'application/octet-stream' }
    expect((await api(server, 'PATCH', apiPath('binned', '?part=comments'), { token, headers, body })).status).toBe(201)
    expect((await api(server, 'DELETE', apiPath('binned'), { token })).status).toBe(200)
    const bin = await api(server, 'GET', '/api/v1/bin', { token })
    expect(JSON.parse(bin.text).documents.map(({ name }: { name: string }) => name)).toContain('binned')
    expect(bin.text).not.toContain('comments')
    const restored = await api(server, 'POST', '/api/v1/bin/restore', {
      token,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ document: 'binned' }),
    })
    expect(restored.status).toBe(200)
    const comments = await joinComments('multiplex', 'binned', token)
    expect(textOf(...comments.updates)).toBe('well said')
    expect((await api(server, 'DELETE', apiPath('binned', '?purge=true'), { token })).status).toBe(200)
    expect((await joinComments('multiplex', 'binned', token)).ended).toMatch(/^deleted: /)
  })

  it.each(stockVersions)('is opened by an unmodified y-websocket client (version %s) by a parameter', async version => {
    const name = `stock-${version}`
    await putMarkdown(running(), name, 'Text.', await tokenFor('editor'))
    const params = { token: await tokenFor('commenter'), part: 'comments' }
    const [ann, bo] = [0, 1].map(() => stockClient(version, running().socketUrl, name, { params }))
    onTestFinished(() => [ann, bo].forEach(client => void client?.destroy()))
    await Promise.all([ann?.synced(), bo?.synced()])
    ann?.doc.getText('text').insert(0, 'well said')
    await eventually('the comment', () => bo?.doc.getText('text').toString() === 'well said')
  })

  it.each(providerVersions)(
    'is opened by an unmodified Hocuspocus provider (version %s) by its name',
    async version => {
      const name = `provided-${version}`
      await putMarkdown(running(), name, 'Text.', await tokenFor('editor'))
      const token = await tokenFor('commenter')
      const socket = hocuspocusSocket(version, running().socketUrl)
      onTestFinished(() => socket.destroy())
      const ann = socket.open(`${name}\u001fcomments`, { token })
      const other = hocuspocusSocket(version, running().socketUrl)
      onTestFinished(() => other.destroy())
      const reader = other.open(`${name}\u001fcomments`, { token })
      await Promise.all([ann.synced(), reader.synced()])
      ann.doc.getText('text').insert(0, 'well said')
      await eventually('the comment', () => reader.doc.getText('text').toString() === 'well said')
    },
  )

  it('is listed nowhere, and has no name that a URL or a token could give', async () => {
    const server = running()
    const token = await tokenFor('owner')
    await putMarkdown(server, 'listed/a', 'Text.', token)
    const comments = await joinComments('multiplex', 'listed/a', token)
    comments.edit(typist(1).type('well said'))
    const reader = await joinComments('y-websocket', 'listed/a', token)
    await eventually('the comment', () => textOf(...reader.updates) === 'well said')
    const listed = await api(server, 'GET', '/api/v1/documents?prefix=listed/', { token })
    expect(JSON.parse(listed.text).documents.map(({ name }: { name: string }) => name)).toEqual(['listed/a'])
    expect((await api(server, 'GET', '/api/v1/documents/listed/a%1Fcomments', { token })).status).toBe(400)
    const forged = await sign({ docs: [{ document: 'listed/a\u001fcomments', role: 'owner' }] })
    expect((await api(server, 'GET', '/api/v1/documents', { token: forged })).status).toBe(401)
    for (const path of ['listed/a%1Fcomments', 'listed/a?part=other', 'listed/a?part=access', '?part=comments']) {
      const client = await RawClient.connect(`${server.socketUrl}/${path}`, {
        headers: { Authorization: `Bearer ${token}` },
      })
      client.ask()
      expect([path, (await client.closed).code]).toEqual([path, 4404])
    }
    for (const address of ['listed/a\u001faccess', '\u001faccess', '\u001fcomments']) {
      for (const dialect of ['multiplex', 'hocuspocus'] as const)
        expect((await joinAs(dialect, address, token)).ended).toMatch(/^bad-name: /)
    }
  })

  it('is given out as an update, taken in as one, and in the backup', async () => {
    const server = await testServer(asksForTokens)
    const token = await tokenFor('owner')
    const path = apiPath('a', '?part=comments')
    const patch = (body: Uint8Array, role: string) =>
      tokenFor(role).then(of =>
        api(server, 'PATCH', path, { token: of, headers: { 'Content-Type': 'application/octet-stream' }, body }),
      )
    const words = typist(1)
    expect((await patch(words.type('too early'), 'commenter')).status).toBe(403)
    await putMarkdown(server, 'a', 'Text.', token)
    expect((await patch(words.updates[0] ?? new Uint8Array(), 'viewer')).status).toBe(403)
    expect((await patch(words.updates[0] ?? new Uint8Array(), 'commenter')).status).toBe(201)
    const response = await fetch(`${server.url}${path}&format=yjs`, {
      headers: { Authorization: `Bearer ${await tokenFor('viewer')}` },
    })
    expect(textOf(new Uint8Array(await response.arrayBuffer()))).toBe('too early')
    expect((await api(server, 'GET', apiPath('a', '?part=more'), { token })).status).toBe(400)
    const folder = await testFolder()
    const backup = join(folder, 'weft.gz')
    const restored = join(folder, 'restored')
    const env = { WEFT_URL: server.url, WEFT_TOKEN: token }
    expect((await runCommand(['backup', backup], env)).code).toBe(0)
    expect((await runCommand(['verify', backup], {})).code).toBe(0)
    expect((await runCommand(['restore', backup, '--data', restored], {})).code).toBe(0)
    expect(await listStored(restored)).toContain('a\u001fcomments')
  })
})

it('@weft/client opens comments beside their document, over a socket of its own or a shared one', async () => {
  const token = await tokenFor('commenter', { sub: 'co' })
  await putMarkdown(running(), 'client/a', 'Text.', await tokenFor('editor'))
  const weft = createClient(running().socketUrl, { token })
  onTestFinished(() => weft.close({ saved: false }))
  const [document, comments] = [await weft.open('client/a'), await weft.open('client/a', { part: 'comments' })]
  const threads = comments.ydoc.getMap('threads')
  threads.set('1', 'well said')
  await comments.saved()
  expect(document).not.toBe(comments)
  await eventually('access', () => document.access === 'read-only' && comments.access === 'read-write')
  const own = await connect(`${running().socketUrl}/client/a`, { token, part: 'comments' })
  onTestFinished(() => own.close({ saved: false }))
  expect(own.ydoc.getMap('threads').toJSON()).toEqual({ 1: 'well said' })
  expect([own.documentId, document.documentId]).toEqual(['client/a\u001fcomments', 'client/a'])
  expect(Y.encodeStateAsUpdate(own.ydoc)).toEqual(Y.encodeStateAsUpdate(comments.ydoc))
})
