import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type ConnectOptions,
  connect,
  createClient,
  type RefusedError,
  UnsavedError,
  type WeftDocument,
} from '@weft/client'
import { levelStore } from '@weft/client/leveldb'
import { expect, it, onTestFinished } from 'vitest'
import type * as Y from 'yjs'
import { eventually, within } from '../support/eventually.ts'
import { LinkProxy } from '../support/LinkProxy.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { canMount, SmallDisk } from '../support/smallDisk.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor, tokenThatEnds } from '../support/tokens.ts'

export const text = (document: { ydoc: Y.Doc }) => document.ydoc.getText('t')
export const write = (document: { ydoc: Y.Doc }, words: string) => text(document).insert(text(document).length, words)

/** Resolves when a document says something that `check` waits for. */
export async function until(document: WeftDocument, check: () => boolean): Promise<void> {
  while (!check()) {
    await within(
      () => `a document that is ${document.status}, with ${document.unsaved} unsaved`,
      new Promise<void>(resolve => {
        for (const name of ['status', 'unsaved', 'storeError', 'access'] as const) document.once(name, () => resolve())
      }),
    )
  }
}

const becomes = (document: WeftDocument, status: WeftDocument['status']) =>
  until(document, () => document.status === status)

/** How the next connection ends. */
function ended(document: WeftDocument): Promise<{ code: number; retryInMs: number | null }> {
  return within('the end of a connection', new Promise(resolve => document.once('disconnected', resolve)))
}

/** What somebody else finds on the server, after all that was said to be saved. */
export async function onServer(server: ServerProcess, name = 'd'): Promise<string> {
  const other = await connect(`${server.socketUrl}/${name}`, { random: () => 0 })
  const found = text(other).toString()
  await other.close()
  return found
}

/** A link to a server that can fail. */
export async function link(server: ServerProcess): Promise<LinkProxy> {
  const proxy = await LinkProxy.start(server.port)
  onTestFinished(() => proxy.stop())
  return proxy
}

/**
 * The rows of the README's table that any program can meet.
 * @param kind of the socket that the document has
 */
export function faultSuite(kind: 'its own' | 'shared with other documents'): void {
  async function open(url: string, options: ConnectOptions = {}): Promise<WeftDocument> {
    const all = { random: () => 0, ...options }
    const document =
      kind === 'its own'
        ? await connect(`${url}/d`, all)
        : await createClient(url, { random: all.random, ...(all.token && { token: all.token }) }).open('d', options)
    onTestFinished(() => document.close({ saved: false }))
    return document
  }

  // ── The network ───────────────────────────────────────────────────────────────────────────────────────────────────

  it('the link breaks', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const document = await open(proxy.socketUrl)
    write(document, 'before ')
    await document.saved()
    const end = ended(document)
    proxy.refuse(true)
    proxy.cut()
    expect(await end).toMatchObject({ code: 1006, retryInMs: expect.any(Number) })
    expect(document.status).toBe('offline')
    write(document, 'offline')
    expect(document.unsaved).toBe(1)
    proxy.refuse(false)
    await document.saved()
    expect(document.unsaved).toBe(0)
    expect(await onServer(server)).toBe('before offline')
  })

  it('the link is dead, and nobody says so', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const document = await open(proxy.socketUrl)
    const end = ended(document)
    proxy.halfOpen()
    write(document, 'into the void')
    // In time of its own: 3 s without a word, and 5 s for an answer to "are you there?".
    expect(await end).toMatchObject({ code: 1006, reason: 'nothing is heard of the server' })
    expect(document.unsaved).toBe(1)
    await document.saved()
    expect(await onServer(server)).toBe('into the void')
  })

  it('the link is slow', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const document = await open(proxy.socketUrl)
    proxy.delay(400, 400)
    for (const word of ['a', 'b', 'c']) write(document, word)
    expect(document.unsaved).toBe(3)
    await document.saved()
    expect([document.status, proxy.connectionCount]).toEqual(['synced', 1])
    expect(await onServer(server)).toBe('abc')
  })

  it('the link breaks in the middle of a message', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const document = await open(proxy.socketUrl)
    proxy.cutAfter('toServer', 5_000)
    write(document, 'x'.repeat(20_000))
    await document.saved()
    proxy.cutAfter('toClient', 1)
    write(document, 'y')
    await document.saved()
    expect(await onServer(server)).toBe(`${'x'.repeat(20_000)}y`)
    expect(proxy.connectionCount).toBeGreaterThan(1)
  })

  it('it comes back before the server knows that it was away', async () => {
    const server = await testServer()
    const proxy = await link(server)
    const document = await open(proxy.socketUrl, { user: { name: 'Ann', color: '#aa0000' } })
    const other = await connect(`${server.socketUrl}/d`, { random: () => 0 })
    onTestFinished(() => other.close({ saved: false }))
    write(document, 'once ')
    // What it says goes nowhere, and the server keeps the connection for a while.
    proxy.stall('toServer')
    write(document, 'twice')
    document.disconnect()
    proxy.release('toServer')
    document.reconnect()
    await document.saved()
    await until(document, () => document.status === 'synced')
    expect(await onServer(server)).toBe('once twice')
    await eventually('one Ann alone', () => {
      const users = [...other.awareness.getStates().values()].filter(state => state.user?.name === 'Ann')
      return users.length === 1
    })
  })

  it('there is no server when it is opened', async () => {
    const server = await testServer()
    const { folder } = server
    await server.kill()
    const stored = levelStore(await testFolder(), 'd')
    const first = await Promise.race([
      open(server.socketUrl, { signal: AbortSignal.timeout(200), store: stored }).catch((error: Error) => error),
    ])
    // Nothing is known of it: not here, and not there.
    expect(first).toMatchObject({ name: 'TimeoutError' })
    const opening = open(server.socketUrl)
    await server.start()
    const document = await opening
    expect([document.status, server.folder]).toEqual(['synced', folder])
  })

  // ── The server ────────────────────────────────────────────────────────────────────────────────────────────────────

  it('the server is killed', async () => {
    const server = await testServer()
    const document = await open(server.socketUrl)
    write(document, 'promised ')
    await document.saved()
    write(document, 'not yet ')
    await server.kill()
    await becomes(document, 'offline')
    write(document, 'offline')
    await server.start()
    await document.saved()
    expect(await onServer(server)).toBe('promised not yet offline')
  })

  it('the server restarts', async () => {
    const server = await testServer()
    const document = await open(server.socketUrl)
    write(document, 'before ')
    const end = ended(document)
    await server.stop()
    expect(await end).toMatchObject({ code: 1012 })
    await server.start()
    write(document, 'after')
    await document.saved()
    expect(await onServer(server)).toBe('before after')
  })

  it('the server’s disk is full', async context => {
    if (!canMount) return context.skip('only root can mount a small file system')
    const disk = await SmallDisk.mount(24)
    const server = await testServer({}, join(disk.folder, 'data'))
    const document = await open(server.socketUrl)
    write(document, 'before ')
    await document.saved()
    await disk.fill()
    write(document, 'x'.repeat(300_000))
    await eventually('the server to say that it can’t write', async () => {
      return (await fetch(`${server.url}/readyz`)).status === 503
    })
    expect([document.unsaved, document.status]).toEqual([1, 'synced'])
    await disk.empty()
    await document.saved()
    await server.kill()
    await server.start()
    expect(await onServer(server)).toHaveLength(300_007)
  })

  it('the server has lost its store', async () => {
    const server = await testServer()
    const document = await open(server.socketUrl)
    write(document, 'all that was written')
    await document.saved()
    await server.kill()
    await rm(server.folder, { recursive: true })
    await becomes(document, 'offline')
    await server.start()
    await becomes(document, 'synced')
    write(document, '!')
    await document.saved()
    expect(await onServer(server)).toBe('all that was written!')
  })

  it('somebody deletes the document', async () => {
    const server = await testServer()
    const document = await open(server.socketUrl)
    write(document, 'kept here')
    await document.saved()
    const refused = new Promise<RefusedError>(resolve => document.once('refused', resolve))
    await fetch(`${server.url}/api/v1/documents/d`, { method: 'DELETE', headers: { 'X-Requested-With': 'test' } })
    expect(await refused).toMatchObject({ code: 4404, word: 'deleted' })
    write(document, ', also this')
    expect([document.status, document.unsaved]).toEqual(['refused', 1])
    await expect(document.saved()).rejects.toMatchObject({ code: 4404 })
    expect(text(document).toString()).toBe('kept here, also this')
  })

  it('its token ends, and there is no other', async () => {
    const server = await testServer(asksForTokens)
    const document = await open(server.socketUrl, { token: await tokenThatEnds('editor') })
    write(document, 'in time')
    await document.saved()
    await becomes(document, 'refused')
    expect(document.refusal).toMatchObject({ code: 4401 })
    write(document, ', too late')
    expect(document.unsaved).toBe(1)
    expect(text(document).toString()).toBe('in time, too late')
  })

  it('its right shrinks to reading', async () => {
    const server = await testServer(asksForTokens)
    const tokens = [await tokenThatEnds('editor'), await tokenFor('viewer')]
    const document = await open(server.socketUrl, { token: async () => tokens.shift() ?? (await tokenFor('viewer')) })
    write(document, 'written ')
    await document.saved()
    await until(document, () => document.access === 'read-only')
    expect(document.status).toBe('synced')
    write(document, 'in vain')
    await expect(document.saved()).rejects.toThrow(UnsavedError)
    expect(document.unsaved).toBe(1)
    expect(text(document).toString()).toBe('written in vain')
    const reader = await connect(`${server.socketUrl}/d`, { token: await tokenFor('viewer'), random: () => 0 })
    expect(text(reader).toString()).toBe('written ')
    await reader.close()
  })

  it('`close` can’t save in time', async () => {
    const server = await testServer()
    const document = await open(server.socketUrl)
    await server.kill()
    write(document, 'x')
    await expect(document.close({ timeoutMs: 100 })).rejects.toMatchObject({ name: 'UnsavedError', unsavedCount: 1 })
    expect(document.isClosed).toBe(false)
    await server.start()
    await document.close()
    expect(await onServer(server)).toBe('x')
  })
}
