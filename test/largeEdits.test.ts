import { type ConnectOptions, connect, createClient, type WeftDocument } from '@weft/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { LinkProxy } from './support/LinkProxy.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, tokenFor } from './support/tokens.ts'
import { typist } from './support/typist.ts'

const SMALL = { WEFT_MAX_MESSAGE_BYTES: '65536' }
/** Letters that no message of such a server can hold. */
const LONG = 'lorem ipsum dolor sit amet '.repeat(10_000)

const running = sharedServer({ ...asksForTokens, ...SMALL })

async function open(url: string, options: ConnectOptions = {}): Promise<WeftDocument> {
  const document = await connect(url, { random: () => 0, ...options })
  onTestFinished(() => document.close({ saved: false }))
  return document
}

const text = ({ ydoc }: { ydoc: Y.Doc }) => ydoc.getText('t')
const write = (document: { ydoc: Y.Doc }, words: string) => text(document).insert(text(document).length, words)
const lengthOf = (document: { ydoc: Y.Doc }) => text(document).length
const has = (document: { ydoc: Y.Doc }, length: number) =>
  eventually(`${length} letters`, () => lengthOf(document) === length)

describe('@weft/client, with an edit that no message can hold', () => {
  it('brings it over HTTP, goes on over its socket, and is told when it is on disk', async () => {
    const token = await tokenFor('editor')
    const ann = await open(`${running().socketUrl}/typed`, { token })
    const bo = await open(`${running().socketUrl}/typed`, { token })
    write(ann, 'before ')
    write(ann, LONG)
    write(ann, ' after')
    await ann.saved()
    await has(bo, LONG.length + 13)
    const closes: number[] = []
    ann.on('disconnected', ({ code }) => closes.push(code))
    write(bo, '!')
    await has(ann, LONG.length + 14)
    write(ann, LONG)
    await ann.saved()
    await has(bo, 2 * LONG.length + 14)
    // It knows the server's limit by now, and doesn't try it again: one close, its own.
    expect(closes).toEqual([1009])
  })

  it('brings what was written offline, and what is written while it does', async () => {
    const token = await tokenFor('editor')
    const url = `${running().socketUrl}/offline`
    const bo = await open(url, { token })
    write(bo, 'bo ')
    await bo.saved()
    const ann = await open(url, { token: () => token })
    ann.disconnect()
    write(ann, LONG)
    ann.reconnect()
    let typed = 0
    const typing = setInterval(() => {
      write(ann, 'a')
      typed++
    }, 1)
    await eventually('some letters and a connection', () => typed > 50 && ann.status === 'synced')
    clearInterval(typing)
    await ann.saved()
    expect(ann.unsaved).toBe(0)
    await has(bo, 3 + LONG.length + typed)
  })

  it('leaves other documents on its socket alone, once it knows the limit', async () => {
    const weft = createClient(running().socketUrl, { token: await tokenFor('editor'), random: () => 0 })
    onTestFinished(() => weft.close({ saved: false }))
    const [large, small] = [await weft.open('shared/large'), await weft.open('shared/small')]
    write(large, LONG)
    await large.saved()
    const closes: number[] = []
    small.on('disconnected', ({ code }) => closes.push(code))
    write(large, LONG)
    write(small, 'still here')
    await Promise.all([large.saved(), small.saved()])
    expect(closes).toEqual([])
    expect(small.status).toBe('synced')
  })

  it('stays a reader where its token is one, and tells that the edit is nowhere safe', async () => {
    const url = `${running().socketUrl}/read`
    const editor = await open(url, { token: await tokenFor('editor') })
    write(editor, 'one')
    await editor.saved()
    const reader = await open(url, { token: await tokenFor('viewer') })
    const denials: string[] = []
    reader.on('denied', reason => denials.push(reason))
    write(reader, LONG)
    await eventually('to be told', () => denials.length > 0)
    write(editor, ' two')
    await eventually('the reader to read on', () => text(reader).toString().includes(' two'))
    expect(reader.unsaved).toBeGreaterThan(0)
    expect(lengthOf(editor)).toBe(7)
  })

  it('brings comments to the comments, and leaves the text alone', async () => {
    const url = `${running().socketUrl}/commented`
    const token = await tokenFor('editor')
    const text = await open(url, { token })
    write(text, 'text')
    await text.saved()
    const comments = await open(url, { token, part: 'comments' })
    write(comments, LONG)
    await comments.saved()
    const reader = await open(url, { token, part: 'comments' })
    expect([lengthOf(reader), lengthOf(text)]).toEqual([LONG.length, 4])
  })

  it('tries again when the server was away meanwhile', async () => {
    const server = await testServer(SMALL)
    const proxy = await LinkProxy.start(server.port)
    onTestFinished(() => proxy.stop())
    const ann = await open(`${proxy.socketUrl}/again`)
    const reasons: string[] = []
    ann.on('disconnected', ({ code, retryInMs }) => {
      reasons.push(`${code} ${retryInMs === 0}`)
      // Its own close, before the upload.
      if (reasons.length === 2) proxy.refuse(true)
      if (reasons.length === 4) proxy.refuse(false)
    })
    write(ann, LONG)
    await ann.saved()
    const fresh = await open(`${server.socketUrl}/again`)
    expect(lengthOf(fresh)).toBe(LONG.length)
    expect(reasons.length).toBeGreaterThan(2)
  })
})

describe('a Yjs update over HTTP', () => {
  const patch = async (name: string, body: Uint8Array | string, role = 'editor', type = 'application/octet-stream') =>
    api(running(), 'PATCH', apiPath(name), {
      token: await tokenFor(role),
      headers: { 'Content-Type': type },
      body,
    })
  const outcome = ({ status, code }: { status: number; code: string | null }) => [status, code]

  it('is taken in once, and answered when it is on disk', async () => {
    const { doc } = typist(1)
    doc.getText('t').insert(0, LONG)
    const update = Y.encodeStateAsUpdate(doc)
    const first = await patch('http', update)
    expect([first.status, JSON.parse(first.text)]).toEqual([201, { document: 'http', changed: true }])
    const second = await patch('http', update)
    expect([second.status, JSON.parse(second.text)]).toEqual([200, { document: 'http', changed: false }])
    const watcher = await open(`${running().socketUrl}/http`, { token: await tokenFor('viewer') })
    doc.getText('t').insert(0, 'more ')
    await patch('http', Y.encodeStateAsUpdate(doc))
    await has(watcher, LONG.length + 5)
  })

  it('is refused with the reason, and nothing is stored', async () => {
    const ann = typist(2)
    ann.type('one')
    const later = ann.type('two')
    expect(outcome(await patch('none', later))).toEqual([409, 'incomplete'])
    expect(outcome(await patch('none', 'hello'))).toEqual([422, 'bad-content'])
    expect(outcome(await patch('none', ''))).toEqual([422, 'bad-content'])
    expect(outcome(await patch('none', later, 'editor', 'text/markdown'))).toEqual([415, 'bad-type'])
    for (const role of ['viewer', 'commenter']) {
      expect(outcome(await patch('none', later, role))).toEqual([403, 'forbidden'])
    }
    const { status } = await api(running(), 'GET', apiPath('none'), { token: await tokenFor('viewer') })
    expect(status).toBe(404)
  })

  it('is refused like anybody’s edit where it would make the document too large, and so is content', async () => {
    const limited = await testServer({ WEFT_MAX_DOCUMENT_BYTES: '1048576', WEFT_WARN_DOCUMENT_BYTES: '524288' })
    const { doc } = typist(4)
    doc.getText('t').insert(0, 'x'.repeat(1_100_000))
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Requested-With': 'test' }
    const body = Y.encodeStateAsUpdate(doc)
    expect(outcome(await api(limited, 'PATCH', apiPath('full'), { headers, body }))).toEqual([413, 'too-large'])
    expect(outcome(await putMarkdown(limited, 'full', 'y'.repeat(1_100_000)))).toEqual([413, 'too-large'])
    expect((await api(limited, 'GET', apiPath('full'))).status).toBe(404)
    expect((await putMarkdown(limited, 'full', 'short')).status).toBe(201)
  })

  it('brings no deleted document back', async () => {
    const token = await tokenFor('owner')
    await putMarkdown(running(), 'gone', 'text', token)
    await api(running(), 'DELETE', apiPath('gone'), { token })
    const { doc } = typist(3)
    doc.getText('t').insert(0, 'x')
    expect(outcome(await patch('gone', Y.encodeStateAsUpdate(doc)))).toEqual([410, 'deleted'])
  })
})
