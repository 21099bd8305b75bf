import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { WeftDocument } from '@weft/client'
import { append, textOf } from '@weft/client/text'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { isDrawable } from '../web/src/editor/isDrawable.ts'
import { putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { person, seen, startMcp, stored } from './support/mcpClient.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, tokenFor } from './support/tokens.ts'
import { BIN, runCommand } from './support/weftCommand.ts'

const shared = sharedServer()

describe('what people see', () => {
  const caretText = (document: WeftDocument, name: string) => {
    const state = seen(document, name)
    if (!isDrawable(state)) return null
    const position = Y.createRelativePositionFromJSON(Reflect.get(Object(state?.cursor), 'head'))
    const place = Y.createAbsolutePositionFromRelativePosition(position, document.ydoc)
    if (!(place?.type instanceof Y.XmlText)) return null
    const text: { insert: string }[] = place.type.toDelta()
    return text
      .map(({ insert }) => insert)
      .join('')
      .slice(0, place.index)
  }

  it('is its name, colour and caret while it edits, and nothing a while after', async () => {
    const { client, done } = await startMcp(shared().url, {
      args: ['--linger', '2', '--color', '#7c3aed'],
      name: 'claude-like',
    })
    await putMarkdown(shared(), 'p/1', 'One.\n\nTwo.')
    const ann = await person(shared(), 'p/1', 'Ann')
    // The document stays open for that; the agent is not shown for it.
    await client.subscribeResource({ uri: 'weft://documents/p/1' })
    await done('replace_text', { document: 'p/1', old: 'One', new: 'One and a half' })
    await eventually('its caret', () => caretText(ann, 'claude-like') === 'One and a half')
    expect(seen(ann, 'claude-like')?.user).toEqual({ name: 'claude-like', color: '#7c3aed' })
    await done('append_text', { document: 'p/1', markdown: '- an *item*' })
    await eventually('its caret', () => caretText(ann, 'claude-like') === 'an item')
    await eventually('its leaving', () => seen(ann, 'claude-like') === undefined)
    expect([...ann.awareness.getStates().keys()]).toEqual([ann.awareness.clientID])
    // It comes back.
    await done('append_text', { document: 'p/1', markdown: 'Back.' })
    await eventually('its name', () => seen(ann, 'claude-like'))
  })

  it('is the name that the command gives; gone with the process', async () => {
    const { client, done } = await startMcp(shared().url, { args: ['--name', 'Research agent'] })
    await putMarkdown(shared(), 'p/2', 'x')
    const ann = await person(shared(), 'p/2', 'Ann')
    await done('append_text', { document: 'p/2', markdown: 'y' })
    await eventually('its name', () => seen(ann, 'Research agent'))
    await client.close()
    await eventually('its leaving', () => seen(ann, 'Research agent') === undefined)
  })
})

describe('resources', () => {
  it('are documents: listed, read, and followed', async () => {
    const server = await testServer()
    const { client } = await startMcp(server.url)
    for (const name of ['a', 'team/two words', '50% ü?#']) await putMarkdown(server, name, `# ${name.length}`)
    const { resources } = await client.listResources()
    expect(resources.map(({ name, uri }) => [name, uri])).toEqual([
      ['50% ü?#', 'weft://documents/50%25%20%C3%BC%3F%23'],
      ['a', 'weft://documents/a'],
      ['team/two words', 'weft://documents/team/two%20words'],
    ])
    for (const { uri, name } of resources) {
      expect((await client.readResource({ uri })).contents).toEqual([
        { uri, mimeType: 'text/markdown', text: `# ${name.length}\n` },
      ])
    }
    const { resourceTemplates } = await client.listResourceTemplates()
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual(['weft://documents/{+name}'])
    for (const uri of ['weft://documents/never', 'weft://documents/', 'file:///etc/passwd']) {
      await expect(client.readResource({ uri })).rejects.toThrow()
    }
  })

  it('tell of their changes whoever has subscribed, who is not seen for that', async () => {
    const { client } = await startMcp(shared().url)
    const uri = 'weft://documents/followed'
    const ann = await person(shared(), 'followed', 'Ann')
    const updated: string[] = []
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
      updated.push(params.uri)
    })
    await client.subscribeResource({ uri })
    append(ann, 'One.')
    await eventually('the change', () => updated.length === 1)
    expect(ann.awareness.getStates().size).toBe(1)
    await client.unsubscribeResource({ uri })
    append(ann, 'Two.')
    await ann.saved()
    await client.subscribeResource({ uri: 'weft://documents/another' })
    expect(updated).toEqual([uri])
    await expect(client.subscribeResource({ uri: 'file:///etc/passwd' })).rejects.toThrow()
  })
})

describe('what can go wrong around it', () => {
  it('no server: a clear error, and it goes on when there is one', async () => {
    const port = await freePort()
    const { fails } = await startMcp(`http://127.0.0.1:${port}`)
    for (const [tool, args] of [
      ['list_documents', {}],
      ['read_document', { document: 'a' }],
      ['search_documents', { query: 'a' }],
      ['append_text', { document: 'a', markdown: 'x' }],
    ] as const) {
      expect([tool, await fails(tool, args)]).toEqual([tool, expect.stringContaining('no Weft server at http://127')])
    }
  })

  it('the server away in the middle: it says that the edit waits, and brings it along', async () => {
    const server = await testServer()
    const { done } = await startMcp(server.url)
    await putMarkdown(server, 'a', 'One.')
    await done('read_document', { document: 'a' })
    await server.kill()
    const { said } = await done('append_text', { document: 'a', markdown: 'Two.' })
    expect(said).toContain('NOT saved yet: the server cannot be reached now')
    const read = await done('read_document', { document: 'a' })
    expect(read.said).toContain('NOT yet on the server’s disk: 1 of your edits')
    await server.start()
    await eventually('the edit', async () => (await stored(server, 'a')) === 'One.\n\nTwo.\n')
    await eventually(
      'the connection',
      async () => !(await done('read_document', { document: 'a' })).said.includes('NOT'),
    )
  })

  it('a token that gives too little: nothing is changed, and it says so', async () => {
    const server = await testServer(asksForTokens)
    await putMarkdown(server, 'a', 'One.', await tokenFor('owner'))
    const env = { WEFT_TOKEN: await tokenFor('viewer') }
    const reader = await startMcp(server.url, { env, args: ['--allow-delete'] })
    const edits = [
      reader.fails('append_text', { document: 'a', markdown: 'x' }),
      reader.fails('replace_text', { document: 'a', old: 'One', new: 'x' }),
      reader.fails('create_document', { document: 'b', markdown: 'x' }),
    ]
    for (const said of await Promise.all(edits)) expect(said).toContain('can only be read with this token')
    expect((await reader.done('read_document', { document: 'a' })).content).toBe('One.')
    expect(await reader.fails('delete_document', { document: 'a' })).toContain('this needs the role owner')
    const stranger = await startMcp(server.url)
    for (const [tool, args] of [
      ['list_documents', {}],
      ['read_document', { document: 'a' }],
      ['append_text', { document: 'a', markdown: 'x' }],
    ] as const) {
      expect([tool, await stranger.fails(tool, args)]).toEqual([tool, expect.stringMatching(/token/)])
    }
  })

  const line = (id: number, method: string, params: unknown = {}) =>
    `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`
  const told = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
  const initialized = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })
  const opening = `${line(1, 'initialize', told)}${initialized}\n`
  const create = (id: number, document: string) =>
    line(id, 'tools/call', { name: 'create_document', arguments: { document, markdown: 'From a pipe.' } })

  it('the input ends: what was asked for is done, answered and saved; only the protocol is printed', async () => {
    const { code, stdout, stderr } = await runCommand(
      ['mcp'],
      { WEFT_URL: shared().url },
      opening + create(2, 'w/1') + create(3, 'w/2'),
    )
    expect([code, stderr]).toEqual([0, ''])
    const answers = stdout
      .trimEnd()
      .split('\n')
      .map(text => JSON.parse(text))
    expect(answers.map(({ jsonrpc, id }) => [jsonrpc, id]).sort()).toEqual([1, 2, 3].map(id => ['2.0', id]))
    for (const name of ['w/1', 'w/2']) expect(await stored(shared(), name)).toBe('From a pipe.\n')
    expect((await runCommand(['mcp'], { WEFT_URL: shared().url }, '')).code).toBe(0)
  })

  it('lines that are no messages are passed over', async () => {
    const garbage = ['nonsense', '{"jsonrpc":"2.0"', '[]', '"x"', '{"jsonrpc":"1.0","id":9}', '\u0000\u00ff', '']
    const input = opening + garbage.map(text => `${text}\n`).join('') + create(2, 'w/3')
    const { code, stdout } = await runCommand(['mcp'], { WEFT_URL: shared().url }, input)
    expect(code).toBe(0)
    for (const text of stdout.trimEnd().split('\n')) expect(JSON.parse(text).jsonrpc).toBe('2.0')
    expect(await stored(shared(), 'w/3')).toBe('From a pipe.\n')
  })

  it('a message without an end is refused, with what was done before it saved', async () => {
    const input = `${opening + create(2, 'w/4')}{"jsonrpc":"2.0","id":3,"method":"${'x'.repeat(17 * 2 ** 20)}`
    const { stdout } = await runCommand(['mcp'], { WEFT_URL: shared().url }, input)
    for (const text of stdout.trimEnd().split('\n')) expect(JSON.parse(text).jsonrpc).toBe('2.0')
    expect(await stored(shared(), 'w/4')).toBe('From a pipe.\n')
  })

  it('somebody ends it: it leaves, with the exit code of the signal', async () => {
    const child = spawn(BIN, ['mcp'], { env: { ...process.env, WEFT_URL: shared().url }, stdio: 'pipe' })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
    child.stdin.write(opening + create(2, 'w/5'))
    for (let id = 0; id !== 2; ) id = JSON.parse((await answers.next()).value).id
    const ann = await person(shared(), 'w/5', 'Ann')
    await eventually('its name', () => seen(ann, 'raw'))
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    expect(await exit).toEqual([143, null])
    await eventually('its leaving', () => seen(ann, 'raw') === undefined)
    expect(textOf(ann)).toBe('From a pipe.')
  })
})
