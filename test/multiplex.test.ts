import { once } from 'node:events'
import {
  type ClientOptions,
  connect,
  createClient,
  type LocalStore,
  RefusedError,
  type WeftClient,
  type WeftDocument,
} from '@weft/client'
import {
  decodeAddressedFrame,
  encodeAddress,
  encodeAnnounce,
  encodeLeave,
  encodePing,
  encodeSyncStep1,
  encodeToken,
  encodeUpdate,
  type Message,
  MULTIPLEX_SUBPROTOCOL,
} from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { eventually } from './support/eventually.ts'
import { LinkProxy } from './support/LinkProxy.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { asksForTokens, sign, tokenFor, tokenThatEnds } from './support/tokens.ts'

const running = sharedServer()

function clientOf(url: string, options: ClientOptions = {}): WeftClient {
  const weft = createClient(url, { random: () => 0, ...options })
  onTestFinished(() => weft.close({ saved: false }))
  return weft
}

async function link(server: ServerProcess): Promise<LinkProxy> {
  const proxy = await LinkProxy.start(server.port)
  onTestFinished(() => proxy.stop())
  return proxy
}

async function plain(url: string): Promise<WeftDocument> {
  const document = await connect(url, { random: () => 0 })
  onTestFinished(() => document.close({ saved: false }))
  return document
}

const text = (document: { ydoc: Y.Doc }) => document.ydoc.getText('t')
const write = (document: { ydoc: Y.Doc }, words: string) => text(document).insert(text(document).length, words)
const reads = (document: { ydoc: Y.Doc }, words: string) =>
  eventually(`${words} to arrive`, () => text(document).toString() === words)

describe('a client of many documents', () => {
  it('has them over one socket, and each is the same document as anybody’s', async () => {
    const proxy = await link(running())
    const weft = clientOf(proxy.socketUrl)
    const names = Array.from({ length: 40 }, (_, i) => `many/ü ${i}`)
    const documents = await Promise.all(names.map(name => weft.open(name)))
    for (const document of documents) write(document, document.documentId)
    await Promise.all(documents.map(document => document.saved()))
    expect(proxy.connectionCount).toBe(1)
    const other = await plain(`${running().socketUrl}/many/${encodeURIComponent('ü 7')}`)
    expect(text(other).toString()).toBe('many/ü 7')
    write(other, '!')
    await reads(documents[7] as WeftDocument, 'many/ü 7!')
    expect(documents[8]?.ydoc.getText('t').toString()).toBe('many/ü 8')
  })

  it('takes another socket for each hundred', async () => {
    const proxy = await link(running())
    const weft = clientOf(proxy.socketUrl)
    const documents = await Promise.all(Array.from({ length: 101 }, (_, i) => weft.open(`hundred/${i}`)))
    for (const document of documents) write(document, 'x')
    await Promise.all(documents.map(document => document.saved()))
    expect(proxy.connectionCount).toBe(2)
  })

  it('waits where documents are opened and closed faster than the server likes, and loses none', async () => {
    const weft = clientOf(running().socketUrl)
    let disconnections = 0
    for (let i = 0; i < 230; i++) {
      const document = await weft.open(`quick/${i % 3}`)
      document.on('disconnected', ({ code }) => {
        if (code !== 1000) disconnections++
      })
      write(document, 'x')
      await document.close()
    }
    expect(disconnections).toBe(0)
    const counts = await Promise.all([0, 1, 2].map(async i => text(await weft.open(`quick/${i}`)).length))
    expect(counts).toEqual([77, 77, 76])
  })

  it('is one document for all who open it, until each has closed it', async () => {
    const weft = clientOf(running().socketUrl)
    const [first, second] = await Promise.all([weft.open('counted'), weft.open('counted')])
    expect(second).toBe(first)
    await first.close()
    expect(second.isClosed).toBe(false)
    write(second, 'still here')
    await second.close()
    expect(second.isClosed).toBe(true)
    const third = await weft.open('counted')
    expect(third).not.toBe(first)
    expect(text(third).toString()).toBe('still here')
    await expect(weft.open('counted', { ydoc: new Y.Doc() })).rejects.toThrow(TypeError)
  })

  it('lets one who opens it give up, and the others go on waiting', async () => {
    const server = await testServer()
    const { port } = server
    await server.kill()
    const weft = clientOf(`ws://127.0.0.1:${port}`)
    const controller = new AbortController()
    const first = weft.open('d', { signal: controller.signal })
    const second = weft.open('d')
    controller.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    const restarted = await ServerProcess.start({ folder: server.folder, port })
    onTestFinished(() => restarted.kill())
    expect((await second).status).toBe('synced')
  })

  it('opens no document while it is being closed, and is open again where it could not be', async () => {
    const weft = clientOf(running().socketUrl)
    const document = await weft.open('closing')
    document.disconnect()
    write(document, 'x')
    const closing = weft.close({ timeoutMs: 1 })
    await expect(weft.open('too late')).rejects.toThrow('closed')
    await expect(closing).rejects.toThrow(AggregateError)
    expect(await weft.open('in time')).toMatchObject({ status: 'synced' })
    document.reconnect()
    await weft.close()
    expect(document.unsaved).toBe(0)
  })

  it('lets one give up who waits for the local store that a former one lets go of', async () => {
    let letGo = () => {}
    const isFree = new Promise<void>(resolve => (letGo = resolve))
    const store: LocalStore = {
      open: async () => ({ updates: [], damage: null }),
      append: async () => {},
      replace: async () => {},
      close: () => isFree,
    }
    const weft = clientOf(running().socketUrl, { store: () => store })
    const former = await weft.open('given up')
    void former.close()
    await new Promise<void>(resolve => former.once('closed', resolve))
    const controller = new AbortController()
    const next = weft.open('given up', { signal: controller.signal })
    controller.abort(new Error('enough'))
    letGo()
    await expect(next).rejects.toThrow('enough')
  })

  it('brings a bot beside itself, over the same socket', async () => {
    const proxy = await link(running())
    const weft = clientOf(proxy.socketUrl, { user: { name: 'Ann', color: '#aa0000' } })
    const ann = await weft.open('with a bot')
    const bot = await weft.bot({ name: 'Scribe', color: '#0f766e' }).open('with a bot')
    expect(bot).not.toBe(ann)
    write(bot, 'hello')
    await reads(ann, 'hello')
    const state = await eventually('the bot to be seen', () => ann.awareness.getStates().get(bot.ydoc.clientID))
    expect(state).toEqual({ bot: true, user: { name: 'Scribe', color: '#0f766e' } })
    expect(proxy.connectionCount).toBe(1)
    await bot.close()
    await eventually('the bot to be gone', () => !ann.awareness.getStates().has(bot.ydoc.clientID))
    expect(ann.status).toBe('synced')
  })

  it('opens subdocuments that are loaded, and closes them with their parent', async () => {
    const weft = clientOf(running().socketUrl)
    const parent = await weft.open('book')
    const chapter = new Y.Doc()
    chapter.getText('t').insert(0, 'once upon a time')
    parent.ydoc.getMap('chapters').set('1', chapter)
    const opened = await weft.open(`book/${chapter.guid}`)
    expect(opened.ydoc).toBe(chapter)
    await Promise.all([opened.saved(), parent.saved()])
    await opened.close()

    const reader = clientOf(running().socketUrl)
    const copy = await reader.open('book')
    const found = copy.ydoc.getMap('chapters').get('1') as Y.Doc
    expect(found.guid).toBe(chapter.guid)
    expect(found.isLoaded).toBe(false)
    found.load()
    await found.whenLoaded
    expect(found.getText('t').toString()).toBe('once upon a time')
    const same = await reader.open(`book/${found.guid}`)
    await same.close()
    expect(same.isClosed).toBe(false)
    await copy.close()
    await eventually('the chapter to be closed with its book', () => same.isClosed)
  })

  it('saves what is written in subdocuments before it closes them with their parent', async () => {
    const weft = clientOf(running().socketUrl)
    const parent = await weft.open('saga')
    const chapter = new Y.Doc()
    parent.ydoc.getMap('chapters').set('1', chapter)
    await parent.saved()
    const part = await weft.open(`saga/${chapter.guid}`)
    await part.close()
    part.disconnect()
    write(part, 'written offline')
    await expect(parent.close({ timeoutMs: 1 })).rejects.toThrow('1 edit of saga not saved')
    expect([parent.isClosed, part.isClosed, part.unsaved]).toEqual([false, false, 1])
    part.reconnect()
    await parent.close()
    expect([parent.isClosed, part.isClosed, part.unsaved]).toEqual([true, true, 0])
    expect(text(await plain(`${running().socketUrl}/saga/${chapter.guid}`)).toString()).toBe('written offline')
  })

  it('leaves its socket when the server has ended the last document on it', async () => {
    const sockets: WebSocket[] = []
    class Watched extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols)
        sockets.push(this)
      }
    }
    const weft = clientOf(running().socketUrl, { WebSocket: Watched as NonNullable<ClientOptions['WebSocket']> })
    const document = await weft.open('to leave')
    write(document, 'x')
    await document.saved()
    const url = `${running().url}/api/v1/documents/to%20leave`
    await fetch(url, { method: 'DELETE', headers: { 'X-Requested-With': 'test' } })
    const [socket] = sockets
    if (socket === undefined) throw new Error('no socket was made')
    await once(socket, 'close')
    expect(sockets).toHaveLength(1)
  })

  it('makes one attempt for all documents, and not one for each, where there is no server', async () => {
    const attempts: number[] = []
    class Watched extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(url, protocols)
        attempts.push(performance.now())
      }
    }
    const server = await testServer()
    const { socketUrl } = server
    await server.kill()
    let dice = 0
    const weft = clientOf(socketUrl, {
      WebSocket: Watched as NonNullable<ClientOptions['WebSocket']>,
      random: () => (dice++ % 20) / 20,
    })
    const opening = Array.from({ length: 20 }, (_, i) => weft.open(`nowhere/${i}`).catch(() => {}))
    await eventually('three attempts', () => attempts.length >= 3)
    await weft.close({ saved: false })
    await Promise.all(opening)
    const pauses = attempts.slice(1).map((at, i) => at - (attempts[i] ?? 0))
    expect(Math.min(...pauses)).toBeGreaterThan(400)
  })

  it('asks again where the token function gives nothing, and nothing breaks', async () => {
    const tokens: unknown[] = ['one', undefined, 'two']
    const weft = clientOf(running().socketUrl, { token: () => tokens.shift() as string })
    const first = await weft.open('token/1')
    const second = await weft.open('token/2')
    expect([first.status, second.status, tokens.length]).toEqual(['synced', 'synced', 0])
  })

  it('comes back with every document after the server was killed, with what was edited meanwhile', async () => {
    const folder = await testFolder()
    const server = await testServer({}, folder)
    const weft = clientOf(server.socketUrl)
    const documents = await Promise.all(['a', 'b', 'c'].map(name => weft.open(name)))
    for (const document of documents) write(document, 'before ')
    await Promise.all(documents.map(document => document.saved()))
    await server.kill()
    await Promise.all(
      documents.map(document => eventually('the loss to be noticed', () => document.status === 'offline')),
    )
    for (const document of documents) write(document, 'offline')
    expect(documents.map(({ unsaved }) => unsaved)).toEqual([1, 1, 1])
    const again = await ServerProcess.start({ folder, port: server.port })
    onTestFinished(() => again.kill())
    await Promise.all(documents.map(document => document.saved()))
    for (const name of ['a', 'b', 'c']) {
      expect(text(await plain(`${again.socketUrl}/${name}`)).toString()).toBe('before offline')
    }
  })

  it('loses one document without the others, where that is deleted', async () => {
    const proxy = await link(running())
    const weft = clientOf(proxy.socketUrl)
    const [gone, kept] = await Promise.all([weft.open('to delete'), weft.open('to keep')])
    write(gone, 'x')
    await gone.saved()
    const refused = new Promise<RefusedError>(resolve => gone.once('refused', resolve))
    const url = `${running().url}/api/v1/documents/to%20delete`
    expect((await fetch(url, { method: 'DELETE', headers: { 'X-Requested-With': 'test' } })).ok).toBe(true)
    expect(await refused).toMatchObject({ code: 4404, word: 'deleted' })
    write(kept, 'still')
    await kept.saved()
    expect(proxy.connectionCount).toBe(1)
    await expect(weft.open('to delete')).rejects.toThrow(RefusedError)
    // What it is refused as stays so for who opens it anew, too.
    await gone.close({ saved: false })
    await expect(weft.open('to delete')).rejects.toMatchObject({ code: 4404 })
    await expect(weft.open('a\\b')).rejects.toThrow()
  })

  it('refuses what is no server', () => {
    for (const url of ['', 'team/notes', 'ftp://127.0.0.1', 'ws://']) {
      expect(() => createClient(url)).toThrow(TypeError)
    }
    expect(() => createClient('ws://127.0.0.1:1', { token: 'a b' })).toThrow(TypeError)
  })
})

describe('with tokens', () => {
  const asking = sharedServer(asksForTokens)

  it('asks for one for all documents that connect at once, and each has its own right', async () => {
    let asked = 0
    const docs = [
      { document: 'a', role: 'editor' },
      { document: 'b', role: 'viewer' },
    ]
    const token = async () => {
      asked++
      return sign({ docs })
    }
    const weft = clientOf(asking().socketUrl, { token })
    const [a, b, c] = await Promise.allSettled(['a', 'b', 'c'].map(name => weft.open(name)))
    expect(asked).toBe(1)
    expect(c).toMatchObject({ status: 'rejected', reason: { code: 4403 } })
    if (a?.status !== 'fulfilled' || b?.status !== 'fulfilled') throw new Error('a and b are refused')
    await eventually('the access to be told', () => b.value.access === 'read-only')
    expect(a.value.access).toBe('read-write')
    write(a.value, 'x')
    await a.value.saved()
  })

  it.each(['one document', 'many documents'])(
    'renews it before it ends, on the same connection, with a new role: %s',
    async kind => {
      const proxy = await link(asking())
      const tokens = [await tokenThatEnds('viewer'), await tokenFor('editor')]
      const token = async () => tokens.shift() ?? (await tokenFor('editor'))
      const document =
        kind === 'one document'
          ? await connect(`${proxy.socketUrl}/renewed`, { token, random: () => 0 })
          : await clientOf(proxy.socketUrl, { token }).open('renewed')
      onTestFinished(() => document.close({ saved: false }))
      await eventually('the first role', () => document.access === 'read-only')
      await eventually('the new role', () => document.access === 'read-write')
      write(document, 'x')
      await document.saved()
      expect([document.status, proxy.connectionCount]).toEqual(['synced', 1])
      await document.close()
    },
  )

  it.each(['one document', 'many documents'])(
    'saves by a new token what was written with one for reading, on the same connection: %s',
    async kind => {
      const proxy = await link(asking())
      const tokens = [await tokenThatEnds('viewer')]
      const token = async () => tokens.shift() ?? (await tokenFor('editor'))
      const name = `promoted ${kind}`
      const document =
        kind === 'one document'
          ? await connect(`${proxy.socketUrl}/${encodeURIComponent(name)}`, { token, random: () => 0 })
          : await clientOf(proxy.socketUrl, { token }).open(name)
      onTestFinished(() => document.close({ saved: false }))
      const denied = new Promise<void>(resolve => document.once('denied', () => resolve()))
      write(document, 'too early')
      await denied
      await expect(document.saved()).rejects.toThrow('can only be read')
      await eventually('the new role', () => document.access === 'read-write')
      await document.saved()
      expect([document.unsaved, proxy.connectionCount]).toEqual([0, 1])
    },
  )

  it('ends a session by the token of another user', async () => {
    const proxy = await link(asking())
    const tokens = [await tokenThatEnds('editor'), await tokenFor('editor', { sub: 'eve' })]
    const weft = clientOf(proxy.socketUrl, { token: () => tokens.shift() ?? '' })
    const document = await weft.open('hers')
    const error = await new Promise<RefusedError>(resolve => document.once('refused', resolve))
    expect(error).toMatchObject({ code: 4403, reason: 'this is the token of another user' })
  })
})

// ── The dialect, byte by byte ─────────────────────────────────────────────────────────────────────────────────────────

/** A connection of the multiplexed dialect that says what a test says, and nothing else. */
class RawMultiplex {
  readonly frames: { address: string | null; message: Message | null }[] = []
  readonly socket: WebSocket
  #news: (() => void)[] = []

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', data => {
      this.frames.push(decodeAddressedFrame(new Uint8Array(data as Buffer)))
      for (const tell of this.#news.splice(0)) tell()
    })
  }

  static async open(url: string): Promise<RawMultiplex> {
    const socket = new WebSocket(url, [MULTIPLEX_SUBPROTOCOL])
    const raw = new RawMultiplex(socket)
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
    return raw
  }

  send(address: string, message: Uint8Array): void {
    this.socket.send(Buffer.concat([encodeAddress(address), message]))
  }

  /** The next message of a type at an address. */
  async next(address: string | null, type?: Message['type']): Promise<Message | null> {
    for (;;) {
      const index = this.frames.findIndex(frame => frame.address === address && frame.message?.type === type)
      if (index >= 0) return this.frames.splice(index, 1)[0]?.message ?? null
      await new Promise<void>(resolve => this.#news.push(resolve))
    }
  }

  async closed(): Promise<{ code: number; reason: string }> {
    const [code, reason] = (await once(this.socket, 'close')) as [number, Buffer]
    return { code, reason: reason.toString() }
  }
}

describe('the multiplexed dialect', () => {
  it('is agreed to by its subprotocol', async () => {
    const raw = await RawMultiplex.open(running().socketUrl)
    expect(raw.socket.protocol).toBe(MULTIPLEX_SUBPROTOCOL)
  })

  it('returns a ping, and says who may what again when it is asked', async () => {
    const raw = await RawMultiplex.open(running().socketUrl)
    raw.socket.send(encodePing())
    expect(await raw.next(null)).toBe(null)
    raw.send('p', encodeToken(''))
    for (let i = 0; i < 2; i++) {
      raw.send('p', encodeAnnounce())
      expect(await raw.next('p', 'access')).toEqual({ type: 'access', access: 'read-write' })
    }
  })

  it('opens a session by a token message alone, and passes over what else comes without one', async () => {
    const raw = await RawMultiplex.open(running().socketUrl)
    raw.send('q', encodeSyncStep1(Uint8Array.of(0)))
    raw.send('q', encodeLeave())
    raw.socket.send(encodePing())
    await raw.next(null)
    expect(raw.frames).toEqual([])
    raw.send('q', encodeToken(''))
    raw.send('q', encodeSyncStep1(Uint8Array.of(0)))
    await raw.next('q', 'syncStep2')
    raw.send('q', encodeLeave())
    raw.send('q', encodeSyncStep1(Uint8Array.of(0)))
    raw.socket.send(encodePing())
    await raw.next(null)
    expect(raw.frames.filter(({ message }) => message?.type === 'syncStep2')).toEqual([])
  })

  it('keeps sessions of one document apart', async () => {
    const raw = await RawMultiplex.open(running().socketUrl)
    for (const address of ['two', 'two\0other']) {
      raw.send(address, encodeToken(''))
      raw.send(address, encodeSyncStep1(Uint8Array.of(0)))
      await raw.next(address, 'syncStep2')
    }
  })

  it('tells of a name that is none, and of more than a hundred documents, for that address alone', async () => {
    const raw = await RawMultiplex.open(running().socketUrl)
    raw.send('a/../b', encodeToken(''))
    expect(await raw.next('a/../b', 'closed')).toMatchObject({
      code: 4404,
      reason: expect.stringMatching(/^bad-name: /),
    })
    for (let i = 0; i <= 100; i++) raw.send(`full/${i}`, encodeToken(''))
    expect(await raw.next('full/100', 'closed')).toMatchObject({ code: 4403 })
    raw.send('full/3', encodeSyncStep1(Uint8Array.of(0)))
    await raw.next('full/3', 'syncStep2')
  })

  it('ends the session of a document that breaks a rule, the third time for good, and no other', async () => {
    const raw = await RawMultiplex.open(running().socketUrl)
    raw.send('whole', encodeToken(''))
    for (const code of [1007, 1007, 4400]) {
      raw.send('broken', encodeToken(''))
      raw.send('broken', encodeUpdate(Uint8Array.of(1, 2, 3)))
      expect(await raw.next('broken', 'closed')).toMatchObject({ code })
    }
    raw.send('whole', encodeSyncStep1(Uint8Array.of(0)))
    await raw.next('whole', 'syncStep2')
  })

  it.each([
    ['nothing', Uint8Array.of()],
    ['an address that is cut short', Uint8Array.of(5, 97)],
    ['an address that is not UTF-8', Uint8Array.of(1, 0xff, 110, 0)],
    ['an address over its limit', Buffer.concat([encodeAddress('a'.repeat(321)), encodeAnnounce()])],
    ['no message', Uint8Array.of(1, 97)],
  ])('ends at %s', async (_, frame) => {
    // Each on a server's path of its own: three broken messages of one kind are more than bad luck.
    const raw = await RawMultiplex.open(`${running().socketUrl}/${Math.random()}`)
    const closed = raw.closed()
    raw.socket.send(frame)
    expect(await closed).toMatchObject({ code: 1007 })
  })
})
