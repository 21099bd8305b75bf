import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import * as Y from 'yjs'
import { ScriptedServer } from '../test/ScriptedServer.ts'
import { type ConnectOptions, connect } from './connect.ts'
import type { DocumentEvents } from './DocumentEvents.ts'
import { RefusedError, StoreError, UnsavedError } from './errors.ts'
import { LiveSocket } from './LiveSocket.ts'
import type { LocalStore } from './LocalStore.ts'
import type { WeftDocument } from './WeftDocument.ts'

let server: ScriptedServer
const open: WeftDocument[] = []

beforeEach(async () => {
  server = await ScriptedServer.start()
})

afterEach(async () => {
  for (const document of open.splice(0)) await document.close({ saved: false })
  await server.stop()
})

async function connected(options: ConnectOptions = {}): Promise<WeftDocument> {
  const document = await connect(server.url(), { random: () => 0, ...options })
  open.push(document)
  return document
}

/** Resolves with the arguments of the next event. */
function event<Name extends keyof DocumentEvents>(
  document: WeftDocument,
  name: Name,
): Promise<Parameters<DocumentEvents[Name]>> {
  return new Promise(resolve => {
    document.once(name, ((...args: Parameters<DocumentEvents[Name]>) => resolve(args)) as DocumentEvents[Name])
  })
}

async function status(document: WeftDocument, wanted: WeftDocument['status']): Promise<void> {
  while (document.status !== wanted) await event(document, 'status')
}

function type(document: { ydoc: Y.Doc }, text: string): void {
  const ytext = document.ydoc.getText('t')
  ytext.insert(ytext.length, text)
}

function textOf(document: { ydoc: Y.Doc }): string {
  return document.ydoc.getText('t').toString()
}

/** Settled or not, without waiting for time: a message to the server and back has passed meanwhile. */
async function isSettled(promise: Promise<unknown>, document: WeftDocument): Promise<boolean> {
  let settled = false
  const settle = () => {
    settled = true
  }
  promise.then(settle, settle)
  await roundTrip(document)
  return settled
}

/** What was under way before in both directions has arrived. */
async function roundTrip(document: WeftDocument): Promise<void> {
  const connection = server.connections.at(-1)
  if (connection === undefined || connection.isClosed) return
  const marker = crypto.randomUUID()
  document.awareness.setLocalStateField('marker', marker)
  await server.when(() =>
    connection.frames.some(frame => frame.type === 'awareness' && frame.states.some(state => state?.marker === marker)),
  )
  const answer = new Promise<void>(resolve => {
    document.ydoc.getMap('ping').observe(function observer(change) {
      if (!change.keysChanged.has(marker)) return
      document.ydoc.getMap('ping').unobserve(observer)
      resolve()
    })
  })
  const before = Y.encodeStateVector(server.ydoc)
  server.ydoc.getMap('ping').set(marker, 1)
  connection.update(Y.encodeStateAsUpdate(server.ydoc, before))
  await answer
}

describe('connect', () => {
  it('resolves when the content is there, and not before', async () => {
    server.manners.answers = false
    server.ydoc.getText('t').insert(0, 'hello')
    const connecting = connect(server.url(), { random: () => 0 })
    const connection = await server.connection(0)
    await connection.frame('step2')
    connection.answer()
    const document = await connecting
    open.push(document)
    expect(textOf(document)).toBe('hello')
    expect(document.status).toBe('synced')
    expect(document.unsaved).toBe(0)
  })

  it('sends the name encoded once, and the token where no log has it', async () => {
    const document = await connect(server.url('team/caf%C3%A9 1'), { token: 'a.b-c_d' })
    open.push(document)
    expect(document.documentId).toBe('team/café 1')
    const connection = await server.connection(0)
    expect([connection.url, connection.protocols]).toEqual(['/team/caf%C3%A9%201', 'weft,weft.token.a.b-c_d'])
  })

  it('offers no subprotocol without a token', async () => {
    await connected()
    await connected({ token: () => '' })
    expect(server.connections.map(({ protocols }) => protocols)).toEqual(['', ''])
  })

  it('rejects what can’t be a token', async () => {
    for (const token of ['a b', 'a,b', 'ü', 'a\n', 7 as unknown as string]) {
      await expect(connect(server.url(), { token })).rejects.toThrow(TypeError)
    }
    expect(server.connections).toHaveLength(0)
  })

  it('reaches a server behind a path, told apart from the name', async () => {
    const document = await connect(`${server.url('weft')}/`, { documentId: 'team/café 1' })
    open.push(document)
    expect(document.documentId).toBe('team/café 1')
    expect((await server.connection(0)).url).toBe('/weft/team/caf%C3%A9%201')
  })

  it('waits for a server that is not there yet', async () => {
    const { port } = server
    await server.stop()
    const connecting = connect(`ws://127.0.0.1:${port}/d`, { random: () => 0 })
    server = await ScriptedServer.start(port)
    server.ydoc.getText('t').insert(0, 'late')
    const document = await connecting
    open.push(document)
    expect(textOf(document)).toBe('late')
  })

  it('has patience with its socket until the server’s answer, which may be large, has come', async () => {
    const patience = vi.spyOn(LiveSocket.prototype, 'expect')
    onTestFinished(() => patience.mockRestore())
    server.manners.answers = false
    const opening = connected()
    const connection = await server.connection(0)
    await connection.frame('step2')
    expect(patience.mock.calls).toEqual([[true]])
    connection.answer()
    await opening
    expect(patience.mock.calls).toEqual([[true], [false]])
  })

  it('rejects when the server refuses, with code, word and reason', async () => {
    server.manners.answers = false
    const connecting = connect(server.url())
    const connection = await server.connection(0)
    connection.close(4403, 'no-right: you may not read this')
    const error = await connecting.catch((error: unknown) => error)
    expect(error).toBeInstanceOf(RefusedError)
    expect(error).toMatchObject({ code: 4403, word: 'no-right', reason: 'you may not read this' })
    expect(server.connections).toHaveLength(1)
  })

  it('stops waiting when its signal says so, and lets go of the connection', async () => {
    server.manners.answers = false
    const controller = new AbortController()
    const connecting = connect(server.url(), { signal: controller.signal })
    const connection = await server.connection(0)
    controller.abort(new Error('enough'))
    await expect(connecting).rejects.toThrow('enough')
    await connection.closed()
  })

  it('shows its user to the others, or nothing', async () => {
    await connected({ user: { name: 'Ann', color: '#aa0000' }, awareness: { kind: 'bot' } })
    const first = await (await server.connection(0)).frame('awareness')
    expect(first.states).toEqual([{ kind: 'bot', user: { name: 'Ann', color: '#aa0000' } }])
    const hidden = await connected({ awareness: false })
    type(hidden, '!')
    await hidden.saved()
    const { frames } = await server.connection(1)
    expect(frames.filter(frame => frame.type === 'awareness')).toEqual([])
  })
})

describe('WeftDocument: what is saved', () => {
  it('announces itself, and asks only after its sync step 2 [C1]', async () => {
    server.manners.asks = false
    const document = await connected()
    type(document, 'a')
    const saving = document.saved()
    const connection = await server.connection(0)
    await connection.frame('update')
    expect(await isSettled(saving, document)).toBe(false)
    expect(connection.types).toEqual(['step1', 'announcement', 'update'])
    connection.ask()
    await saving
    expect(connection.types).toEqual(['step1', 'announcement', 'update', 'step2', 'ask'])
    expect(connection.asks).toEqual([1])
    expect(document.unsaved).toBe(0)
  })

  it('resolves saved() when the server has answered, and not before', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    const told: (string | number)[] = []
    document.on('unsaved', count => told.push(count))
    document.on('saved', () => told.push('saved'))
    type(document, 'a')
    type(document, 'b')
    expect(document.unsaved).toBe(2)
    const saving = document.saved()
    const connection = await server.connection(0)
    await connection.frame('ask')
    expect(await isSettled(saving, document)).toBe(false)
    expect(document.unsaved).toBe(2)
    connection.acknowledge(2)
    await saving
    expect(document.unsaved).toBe(0)
    expect(told).toEqual([1, 2, 0, 'saved'])
    expect(server.text).toBe('ab')
  })

  it('has nothing to wait for without edits, also without a connection', async () => {
    const document = await connected()
    const told = event(document, 'disconnected')
    document.disconnect()
    await document.saved()
    expect(document.status).toBe('offline')
    expect(await told).toEqual([{ code: 1000, reason: '', retryInMs: null }])
  })

  it('does not count what comes from the server', async () => {
    const document = await connected()
    server.ydoc.getText('t').insert(0, 'theirs')
    ;(await server.connection(0)).update(Y.encodeStateAsUpdate(server.ydoc))
    await roundTrip(document)
    expect(textOf(document)).toBe('theirs')
    expect(document.unsaved).toBe(0)
  })

  it('counts what was in the replica before it was connected, until it went with the step 2 [D1]', async () => {
    server.manners.acknowledges = false
    const ydoc = new Y.Doc()
    ydoc.getText('t').insert(0, 'brought')
    const document = await connected({ ydoc })
    expect(document.unsaved).toBe(1)
    const saving = document.saved()
    const connection = await server.connection(0)
    await connection.frame('ask')
    expect(server.text).toBe('brought')
    expect(connection.types).toEqual(['step1', 'announcement', 'step2', 'ask'])
    expect(await isSettled(saving, document)).toBe(false)
    connection.acknowledge(1)
    await saving
  })

  it('counts an edit that is made while the connection is being made', async () => {
    const ydoc = new Y.Doc()
    server.manners.answers = false
    server.manners.acknowledges = false
    const connecting = connect(server.url(), { ydoc, random: () => 0 })
    type({ ydoc }, 'before the socket opens; ')
    const connection = await server.connection(0)
    await connection.frame('step2')
    type({ ydoc }, 'before the content')
    await connection.frame('update')
    connection.answer()
    const document = await connecting
    open.push(document)
    expect(document.unsaved).toBe(2)
    const saving = document.saved()
    await server.when(() => connection.asks.includes(2))
    // The first question was for the first edit alone: its answer saves no more than that.
    connection.acknowledge(1)
    expect(await isSettled(saving, document)).toBe(false)
    expect(document.unsaved).toBe(1)
    connection.acknowledge(2)
    await saving
    expect(server.text).toBe('before the socket opens; before the content')
  })

  it('counts an edit between the socket and the server’s sync step 1', async () => {
    server.manners.asks = false
    const document = await connected()
    type(document, 'x')
    const connection = await server.connection(0)
    await connection.frame('update')
    await roundTrip(document)
    expect(connection.asks).toEqual([])
    expect(document.unsaved).toBe(1)
    connection.ask()
    await document.saved()
    expect(connection.asks).toEqual([1])
  })

  it('keeps an edit unsaved when the link breaks before the answer, and asks anew on the next connection', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    type(document, 'a')
    const saving = document.saved()
    const first = await server.connection(0)
    await first.frame('ask')
    server.manners.asks = false
    first.cut()
    const second = await server.connection(1)
    await second.frame('step1')
    await status(document, 'synced')
    // Synced with the server, and still not known to be saved. [C1]
    expect(document.unsaved).toBe(1)
    expect(second.asks).toEqual([])
    // An answer to what this connection has not asked counts for nothing. [C2]
    second.acknowledge(1)
    expect(await isSettled(saving, document)).toBe(false)
    expect(document.unsaved).toBe(1)
    second.ask()
    await second.frame('ask')
    expect(second.types).toEqual(['step1', 'announcement', 'step2', 'ask'])
    second.acknowledge(1)
    await saving
    expect(document.unsaved).toBe(0)
  })

  it('counts edits without a connection, and saves them with the next step 2 [D2]', async () => {
    const document = await connected()
    document.disconnect()
    await (await server.connection(0)).closed()
    type(document, 'off')
    type(document, 'line')
    expect(document.unsaved).toBe(2)
    const saving = document.saved()
    document.reconnect()
    await saving
    expect(server.text).toBe('offline')
    expect((await server.connection(1)).types).not.toContain('update')
  })

  it('ignores an answer that is higher than the question [C2]', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    type(document, 'a')
    const connection = await server.connection(0)
    await connection.frame('ask')
    connection.acknowledge(2)
    connection.acknowledge(1_000)
    await roundTrip(document)
    expect(document.unsaved).toBe(1)
  })

  it('asks once for the edits of one turn', async () => {
    const document = await connected()
    for (let i = 0; i < 1_000; i++) type(document, 'x')
    await document.saved()
    expect((await server.connection(0)).asks).toEqual([1_000])
  })

  it('has one question under way, unless somebody waits [C3]', async () => {
    server.manners.acknowledges = false
    await withFakeTimers(async () => {
      const document = await connected()
      const connection = await server.connection(0)
      type(document, 'a')
      await connection.frame('ask')
      for (let i = 0; i < 5; i++) {
        type(document, 'b')
        vi.advanceTimersByTime(1_000)
        await roundTrip(document)
      }
      expect(connection.asks).toEqual([1])
      connection.acknowledge(1)
      await connection.frame('ask', 1)
      expect(connection.asks).toEqual([1, 6])
      type(document, 'c')
      void document.saved()
      await connection.frame('ask', 2)
      expect(connection.asks).toEqual([1, 6, 7])
      // The answer to the last covers all.
      connection.acknowledge(7)
      await roundTrip(document)
      expect(document.unsaved).toBe(0)
    })
  })

  it('pauses between two questions that nobody waits for', async () => {
    await withFakeTimers(async () => {
      const document = await connected()
      const connection = await server.connection(0)
      type(document, 'a')
      await connection.frame('ask')
      type(document, 'b')
      // The first brings the answer here, the second what this would have asked upon it.
      await roundTrip(document)
      await roundTrip(document)
      expect(connection.asks).toEqual([1])
      vi.advanceTimersByTime(100)
      await connection.frame('ask', 1)
      expect(connection.asks).toEqual([1, 2])
    })
  })

  it('includes an edit of a transaction that is still running when saved() is called', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    let saving: Promise<void> | undefined
    document.ydoc.transact(() => {
      type(document, 'a')
      saving = document.saved()
    })
    const connection = await server.connection(0)
    await connection.frame('ask')
    expect(await isSettled(saving ?? Promise.resolve(), document)).toBe(false)
    connection.acknowledge(1)
    await saving
  })

  it('counts an edit that an observer makes when a change comes from the server', async () => {
    const document = await connected()
    document.ydoc.getText('t').observe(({ transaction }) => {
      if (!transaction.local) document.ydoc.getText('seen').insert(0, '!')
    })
    server.ydoc.getText('t').insert(0, 'theirs')
    ;(await server.connection(0)).update(Y.encodeStateAsUpdate(server.ydoc))
    await event(document, 'saved')
    expect(server.ydoc.getText('seen').toString()).toBe('!')
  })

  it('hears of another document in this process only from the server', async () => {
    const [one, two] = [await connected(), await connected()]
    type(one, 'a')
    await one.saved()
    await roundTrip(two)
    expect(two.unsaved).toBe(0)
    // The ping of the round trip came by an update of its own: nothing else did.
    expect(two.ydoc.store.clients.has(one.ydoc.clientID)).toBe(false)
  })

  it('sends what waited for the server’s update to be complete, and counts it', async () => {
    // Two updates of somebody else: the second reaches this replica by another way than the server, and first.
    const other = new Y.Doc()
    const updates: Uint8Array[] = []
    other.on('update', update => updates.push(update))
    type({ ydoc: other }, 'one ')
    type({ ydoc: other }, 'two')
    const [one, two] = updates as [Uint8Array, Uint8Array]
    const document = await connected()
    Y.applyUpdate(document.ydoc, two, 'another tab')
    expect(textOf(document)).toBe('')
    Y.applyUpdate(server.ydoc, one)
    ;(await server.connection(0)).update(one)
    await event(document, 'saved')
    expect(textOf(document)).toBe('one two')
    expect(server.text).toBe('one two')
  })
})

describe('WeftDocument: states', () => {
  it('goes from connecting over synced and offline back to synced', async () => {
    const seen: string[] = []
    const document = await connected()
    document.on('status', status => seen.push(status))
    ;(await server.connection(0)).cut()
    await status(document, 'offline')
    await status(document, 'synced')
    expect(seen).toEqual(['offline', 'connecting', 'synced'])
  })

  it('keeps the undo history over a lost connection', async () => {
    const document = await connected()
    const undo = new Y.UndoManager(document.ydoc.getText('t'))
    type(document, 'mine')
    const first = await server.connection(0)
    first.cut()
    await (await server.connection(1)).frame('step2')
    await status(document, 'synced')
    await document.saved()
    undo.undo()
    await document.saved()
    expect(server.text).toBe('')
    undo.redo()
    await document.saved()
    expect(server.text).toBe('mine')
  })

  it('tells why a connection ended and when the next comes', async () => {
    const document = await connected({ random: () => 0.5 })
    const told = event(document, 'disconnected')
    ;(await server.connection(0)).close(1013, 'overload: retry after 4 s')
    expect(await told).toEqual([{ code: 1013, reason: 'overload: retry after 4 s', retryInMs: 4_400 }])
    expect(document.status).toBe('offline')
  })

  it('does not come back before it may', async () => {
    const document = await connected({ random: () => 0.5 })
    await withFakeTimers(async () => {
      const told = event(document, 'disconnected')
      ;(await server.connection(0)).close(1012, 'restart: back soon')
      const [{ retryInMs }] = await told
      expect(retryInMs).toBe(2_500)
      await vi.advanceTimersByTimeAsync(2_499)
      // Another connection that is made meanwhile: an attempt of the first would have arrived with it.
      await connected()
      expect(server.connections).toHaveLength(2)
      expect(document.status).toBe('offline')
      await vi.advanceTimersByTimeAsync(1)
      await server.connection(2)
    })
  })

  it('stays away after a refusal, keeps its content, and says what is unsaved', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    type(document, 'mine')
    const saving = document.saved()
    const told = event(document, 'refused')
    const connection = await server.connection(0)
    await connection.frame('ask')
    connection.close(4401, 'expired: the token has expired')
    const [error] = await told
    expect(error).toMatchObject({ code: 4401, word: 'expired' })
    await expect(saving).rejects.toBe(error)
    expect(document.status).toBe('refused')
    expect(document.refusal).toBe(error)
    type(document, ' and more')
    expect(document.unsaved).toBe(2)
    await expect(document.saved()).rejects.toBe(error)
    await expect(document.close()).rejects.toBeInstanceOf(UnsavedError)
    expect(textOf(document)).toBe('mine and more')
    expect(server.connections).toHaveLength(1)
    server.manners.acknowledges = true
    document.reconnect()
    await document.saved()
    expect(server.text).toBe('mine and more')
    expect(document.refusal).toBeUndefined()
  })

  it('may be reconnected from the listener that hears of the refusal', async () => {
    const document = await connected()
    document.on('refused', () => document.reconnect())
    ;(await server.connection(0)).close(4401, 'expired: the token has expired')
    await server.connection(1)
    await status(document, 'synced')
  })

  it('asks for a token at each connection, and again when one ends that was good', async () => {
    let asked = 0
    const document = await connected({ token: async () => `t${++asked}` })
    ;(await server.connection(0)).cut()
    await server.connection(1)
    await status(document, 'synced')
    server.manners.answers = false
    ;(await server.connection(1)).close(4401, 'unauthorized: the token has expired')
    const third = await server.connection(2)
    await third.frame('step1')
    expect(server.connections.map(({ protocols }) => protocols)).toEqual([1, 2, 3].map(i => `weft,weft.token.t${i}`))
    // A new one that isn't taken is the end.
    third.close(4401, 'unauthorized: the token is signed with another secret')
    const [error] = await event(document, 'refused')
    expect(error).toMatchObject({ code: 4401, reason: 'the token is signed with another secret' })
    expect(server.connections).toHaveLength(3)
  })

  it('tries again where the token can’t be had now, and where it can’t be one', async () => {
    const kept = new Y.Doc()
    kept.getText('t').insert(0, 'kept')
    const tokens = ['no token', new Error('the sign-in is down'), 'good']
    const reasons: string[] = []
    const document = await connected({
      token: () => {
        const next = tokens.shift()
        if (next instanceof Error || next === undefined) throw next
        return next
      },
      store: {
        open: async () => ({ updates: [Y.encodeStateAsUpdate(kept)], damage: null }),
        append: async () => {},
        replace: async () => {},
        close: async () => {},
      },
    })
    document.on('disconnected', ({ reason }) => reasons.push(reason))
    await status(document, 'synced')
    expect(reasons.at(-1)).toBe('no token: the sign-in is down')
    expect(server.connections.map(({ protocols }) => protocols)).toEqual(['weft,weft.token.good'])
  })

  it('makes no connection with a token that comes after it has left', async () => {
    let give = (_token: string) => {}
    const controller = new AbortController()
    const given = new Promise<string>(resolve => {
      give = resolve
    })
    const connecting = connect(server.url(), { token: () => given, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(connecting).rejects.toThrow('enough')
    give('late')
    await given
    await connected()
    expect(server.connections).toHaveLength(1)
  })

  it('says that it can only read, rejects saved() then, and says when it may write again', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    const connection = await server.connection(0)
    expect(document.access).toBe('read-write')
    const told: [string, boolean][] = []
    document.on('access', (access, isFirst) => told.push([access, isFirst]))
    const say = (text: string) => connection.send(Uint8Array.from([112, text.length, ...Buffer.from(text)]))
    say('read-only')
    say('read-only')
    type(document, 'mine')
    const saving = document.saved()
    await connection.frame('ask')
    connection.send(Uint8Array.from([2, 0, 2, 0x6e, 0x6f]))
    await expect(saving).rejects.toThrow('team/notes can only be read here, 1 edit not saved')
    await expect(document.saved()).rejects.toBeInstanceOf(UnsavedError)
    expect(document.access).toBe('read-only')
    say('read-write')
    await roundTrip(document)
    expect(told).toEqual([
      ['read-only', true],
      ['read-write', false],
    ])
    expect(textOf(document)).toBe('mine')
    // Over a new connection everything is asked anew.
    server.manners.acknowledges = true
    const left = event(document, 'disconnected')
    connection.cut()
    await left
    await document.saved()
    expect(server.text).toBe('mine')
  })

  it('tells that an edit was denied', async () => {
    const document = await connected()
    const told = event(document, 'denied')
    ;(await server.connection(0)).send(Uint8Array.from([2, 0, 2, 0x6e, 0x6f]))
    expect(await told).toEqual(['no'])
  })

  it('does not hear messages that it does not know, nor text', async () => {
    const document = await connected()
    const connection = await server.connection(0)
    const complain = vi.spyOn(console, 'error').mockImplementation(() => {})
    connection.send(Uint8Array.from([112, 3, 1, 2, 3]))
    connection.send(Uint8Array.from([0xff, 0x01, 9]))
    connection.send('hello')
    await roundTrip(document)
    expect(complain).not.toHaveBeenCalled()
    complain.mockRestore()
    expect(server.connections).toHaveLength(1)
  })

  it('survives unreadable messages, and syncs anew after those that may have held an update', async () => {
    const complain = vi.spyOn(console, 'error').mockImplementation(() => {})
    const document = await connected()
    const connection = await server.connection(0)
    // Awareness whose bytes end too soon inside.
    connection.send(Uint8Array.from([1, 1, 5]))
    await roundTrip(document)
    expect(complain).toHaveBeenCalledTimes(1)
    expect(server.connections).toHaveLength(1)
    for (const [index, bytes] of [[0, 2, 200, 1], [], [0, 7, 0]].entries()) {
      server.connections[index]?.send(Uint8Array.from(bytes))
      await server.connection(index + 1)
      await status(document, 'synced')
    }
    expect(complain).toHaveBeenCalledTimes(1)
    complain.mockRestore()
  })

  it('does not let a listener’s mistake end the connection', async () => {
    const document = await connected()
    const mistake = new Error('mistake of a listener')
    const heard = new Promise(resolve => {
      process.prependOnceListener('uncaughtException', resolve)
    })
    const others = process.listeners('uncaughtException').slice(1)
    for (const listener of others) process.off('uncaughtException', listener)
    document.once('saved', () => {
      throw mistake
    })
    type(document, 'a')
    expect(await heard).toBe(mistake)
    for (const listener of others) process.on('uncaughtException', listener)
    type(document, 'b')
    await document.saved()
    expect(server.connections).toHaveLength(1)
  })
})

describe('WeftDocument: close', () => {
  it('waits for the last edit, and for those made while it waits', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    const connection = await server.connection(0)
    type(document, 'a')
    const closing = document.close()
    await connection.frame('ask')
    type(document, 'b')
    connection.acknowledge(1)
    await server.when(() => connection.asks.includes(2))
    expect(document.isClosed).toBe(false)
    connection.acknowledge(2)
    await closing
    await connection.closed()
    expect(document.isClosed).toBe(true)
    expect(server.text).toBe('ab')
  })

  it('rejects after its time, naming what is unsaved; the document is then still open', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    type(document, 'a')
    type(document, 'b')
    const error = await document.close({ timeoutMs: 20 }).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(UnsavedError)
    expect(error).toMatchObject({
      unsavedCount: 2,
      message: '2 edits of team/notes not saved (synced): no answer within 0.02 s',
    })
    expect(document.isClosed).toBe(false)
    const connection = await server.connection(0)
    await server.when(() => connection.asks.includes(2))
    connection.acknowledge(2)
    await document.close()
  })

  it('does not wait when told so, and whoever waits for saved() learns it', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    type(document, 'a')
    const saving = document.saved()
    const result = expect(saving).rejects.toBeInstanceOf(UnsavedError)
    await (await server.connection(0)).frame('ask')
    await document.close({ saved: false })
    await result
    await expect(document.saved()).rejects.toBeInstanceOf(UnsavedError)
    await (await server.connection(0)).closed()
    await document.close()
  })

  it('tells the others that it leaves', async () => {
    const document = await connected({ user: { name: 'Ann', color: '#aa0000' } })
    await document.close()
    const connection = await server.connection(0)
    await connection.closed()
    const last = connection.frames.filter(frame => frame.type === 'awareness').at(-1)
    expect(last).toMatchObject({ states: [null] })
  })

  it('ends with its Y.Doc: what is unsaved then is told', async () => {
    server.manners.acknowledges = false
    const document = await connected()
    type(document, 'a')
    const saving = document.saved()
    await (await server.connection(0)).frame('ask')
    document.ydoc.destroy()
    await expect(saving).rejects.toBeInstanceOf(UnsavedError)
    expect(document.isClosed).toBe(true)
    await (await server.connection(0)).closed()
  })

  it('leaves no timer behind while it waits for the next attempt', async () => {
    await withFakeTimers(async () => {
      const document = await connected({ random: () => 0.999 })
      const told = event(document, 'disconnected')
      ;(await server.connection(0)).close(1012, 'restart: back soon')
      await told
      await document.close()
      await noTimers()
    })
  })

  it('leaves no timer and no listener behind, for many documents', async () => {
    await withFakeTimers(async () => {
      const before = process.listenerCount('exit')
      const documents = await Promise.all(Array.from({ length: 12 }, () => connected()))
      expect(process.listenerCount('exit')).toBe(before)
      expect(vi.getTimerCount()).toBeGreaterThan(0)
      for (const document of documents) {
        type(document, 'x')
        await document.close()
      }
      await noTimers()
    })
  })

  it('keeps a Y.Doc that was handed in', async () => {
    const ydoc = new Y.Doc()
    const document = await connected({ ydoc })
    type(document, 'a')
    await document.close()
    expect(ydoc.isDestroyed).toBe(false)
    expect(ydoc.getText('t').toString()).toBe('a')
  })
})

async function withFakeTimers(work: () => Promise<void>): Promise<void> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  try {
    await work()
  } finally {
    vi.useRealTimers()
  }
}

/** Comes back when no timer is left but those that are due at once; sockets close meanwhile. */
async function noTimers(): Promise<void> {
  do {
    await new Promise(resolve => setImmediate(resolve))
    vi.advanceTimersByTime(0)
  } while (vi.getTimerCount() > 0)
}

describe('WeftDocument: a store', () => {
  /** A store in memory, which fails when it is told to. */
  class MemoryStore implements LocalStore {
    updates: Uint8Array[] = []
    damage: string | null = null
    isOpen = false
    /** The next calls reject with it. */
    error: StoreError | undefined
    /** All calls so far. */
    readonly calls: string[] = []
    lost: (error: StoreError) => void = () => {}

    async open(lost: (error: StoreError) => void) {
      this.#called('open')
      expect(this.isOpen).toBe(false)
      this.isOpen = true
      this.lost = lost
      return { updates: [...this.updates], damage: this.damage }
    }

    async append(updates: readonly Uint8Array[]) {
      this.#called('append')
      this.updates.push(...updates)
    }

    async replace(update: Uint8Array) {
      this.#called('replace')
      this.updates = [update]
    }

    async close() {
      this.calls.push('close')
      this.isOpen = false
    }

    #called(name: string): void {
      this.calls.push(name)
      if (this.error !== undefined) throw this.error
      expect(this.damage === null || name === 'open').toBe(true)
    }

    /** What an opening now would bring. */
    get text(): string {
      const kept = new Y.Doc()
      for (const update of this.updates) Y.applyUpdate(kept, update)
      return textOf({ ydoc: kept })
    }
  }

  it('opens without a server where it is not empty; all of it is unsaved until the server has it', async () => {
    const { port } = server
    await server.stop()
    const store = new MemoryStore()
    const earlier = new Y.Doc()
    earlier.on('update', update => store.updates.push(update))
    type({ ydoc: earlier }, 'written offline')
    const document = await connect(`ws://127.0.0.1:${port}/d`, { store, random: () => 0 })
    open.push(document)
    expect(textOf(document)).toBe('written offline')
    expect(document.status).not.toBe('synced')
    expect(document.unsaved).toBe(1)
    server = await ScriptedServer.start(port)
    await document.saved()
    expect(server.text).toBe('written offline')
    expect(document.unsaved).toBe(0)
  })

  it('waits for the server where it is empty', async () => {
    server.ydoc.getText('t').insert(0, 'theirs')
    const store = new MemoryStore()
    const document = await connected({ store })
    expect(textOf(document)).toBe('theirs')
    type(document, '!')
    await document.close()
    expect(store.isOpen).toBe(false)
    expect(store.text).toBe('theirs!')
  })

  it('lives without a store that can’t be opened, and says so', async () => {
    const store = new MemoryStore()
    store.error = new StoreError('unavailable', 'no way')
    const document = await connected({ store })
    expect(document.storeError?.message).toBe('no way')
    type(document, 'a')
    await document.saved()
    expect(document.unsavedLocally).toBe(1)
  })

  it('does not wait for ever for a store that does not answer; it is used as soon as it does', async () => {
    await withFakeTimers(async () => {
      let answer: () => void = () => {}
      const store = new MemoryStore()
      store.open = async () => {
        await new Promise<void>(resolve => {
          answer = resolve
        })
        return { updates: [], damage: null }
      }
      const connecting = connected({ store })
      await vi.advanceTimersByTimeAsync(3_000)
      const document = await connecting
      expect(document.storeError?.message).toContain('does not answer')
      type(document, 'meanwhile')
      answer()
      expect(await event(document, 'storeError')).toEqual([undefined])
      expect(document.unsavedLocally).toBe(0)
      expect(store.text).toBe('meanwhile')
    })
  })

  it('has two levels of saved: `local` is the store, `server` the default', async () => {
    server.manners.acknowledges = false
    const store = new MemoryStore()
    const document = await connected({ store })
    type(document, 'a')
    expect([document.unsaved, document.unsavedLocally]).toEqual([1, 1])
    const saved = document.saved()
    await document.saved('local')
    expect(store.text).toBe('a')
    expect([document.unsaved, document.unsavedLocally]).toEqual([1, 0])
    expect(await isSettled(saved, document)).toBe(false)
    saved.catch(() => {})
  })

  it('tells both counts', async () => {
    const document = await connected({ store: new MemoryStore() })
    const counts: [number, number][] = []
    document.on('unsaved', (count, locally) => counts.push([count, locally]))
    type(document, 'a')
    await Promise.all([document.saved('local'), document.saved()])
    expect(counts).toEqual([
      [1, 1],
      [1, 0],
      [0, 0],
    ])
  })

  it('has nothing to keep edits in where there is none', async () => {
    const document = await connected()
    type(document, 'a')
    await document.saved()
    expect(document.unsavedLocally).toBe(1)
    await expect(document.saved('local')).rejects.toThrow(TypeError)
    await document.close()
    await expect(document.saved('local')).rejects.toThrow(TypeError)
  })

  it('writes the edits of one turn at once, and what follows after a pause unless somebody waits for it', async () => {
    await withFakeTimers(async () => {
      const store = new MemoryStore()
      const document = await connected({ store })
      const writes = () => store.calls.filter(call => call === 'append').length
      for (const letter of 'one ') type(document, letter)
      await vi.advanceTimersByTimeAsync(0)
      expect([writes(), store.text]).toEqual([1, 'one '])
      for (const letter of 'two ') {
        type(document, letter)
        await vi.advanceTimersByTimeAsync(1)
      }
      expect([writes(), store.text]).toEqual([1, 'one '])
      await vi.advanceTimersByTimeAsync(200)
      expect([writes(), store.text]).toEqual([2, 'one two '])
      type(document, 'three')
      await document.saved('local')
      expect([writes(), store.text]).toEqual([3, 'one two three'])
    })
  })

  it('keeps what the server and others bring, before what is written upon it', async () => {
    const store = new MemoryStore()
    const document = await connected({ store })
    await document.saved('local')
    server.ydoc.getText('t').insert(0, 'theirs, ')
    ;(await server.connection(0)).update(Y.encodeStateAsUpdate(server.ydoc))
    await roundTrip(document)
    type(document, 'mine')
    await document.saved('local')
    expect(store.text).toBe('theirs, mine')
  })

  it('is not written to by being opened', async () => {
    const store = new MemoryStore()
    const ydoc = new Y.Doc()
    type({ ydoc }, 'here already')
    ydoc.getText('t').delete(0, 5)
    for (let i = 0; i < 3; i++) {
      const document = await connect(server.url(), { store, ydoc, random: () => 0 })
      await document.close()
    }
    expect(store.calls.filter(call => call === 'append')).toHaveLength(1)
    expect(store.updates).toHaveLength(1)
    expect(store.text).toBe('already')
  })

  it('is written anew as one update when it holds many, or large ones', async () => {
    const store = new MemoryStore()
    const document = await connected({ store })
    for (let i = 0; i < 600; i++) type(document, 'a')
    await document.saved('local')
    expect(store.updates).toHaveLength(1)
    for (let i = 0; i < 10; i++) {
      type(document, 'b'.repeat(150_000))
      await document.saved('local')
      document.ydoc.getText('t').delete(600, 150_000)
      await document.saved('local')
    }
    expect(store.updates.reduce((sum, update) => sum + update.length, 0)).toBeLessThan(600_000)
    expect(store.text).toBe('a'.repeat(600))
  })

  it('is compacted when it is opened where it holds many', async () => {
    const store = new MemoryStore()
    const earlier = new Y.Doc()
    earlier.on('update', update => store.updates.push(update))
    for (let i = 0; i < 600; i++) type({ ydoc: earlier }, 'a')
    const document = await connected({ store })
    await document.saved('local')
    expect(store.updates).toHaveLength(1)
    expect(store.text).toBe('a'.repeat(600))
  })

  it('tells of a write that fails, claims nothing, and writes everything when it can again', async () => {
    const store = new MemoryStore()
    const document = await connected({ store })
    type(document, 'before, ')
    await document.saved('local')
    store.error = new StoreError('full', 'no room')
    const failed = event(document, 'storeError')
    type(document, 'then, ')
    await expect(document.saved('local')).rejects.toThrow('no room')
    expect(await failed).toEqual([store.error])
    expect(document.storeError).toBe(store.error)
    expect(document.unsavedLocally).toBe(1)
    expect(store.isOpen).toBe(false)
    type(document, 'after')
    await document.saved()
    expect(document.unsavedLocally).toBe(2)
    store.error = undefined
    await document.saved('local')
    expect(document.storeError).toBeUndefined()
    expect(document.unsavedLocally).toBe(0)
    expect(store.text).toBe('before, then, after')
    expect(store.updates).toHaveLength(2)
  })

  it('tries again by itself, less and less often', async () => {
    await withFakeTimers(async () => {
      const store = new MemoryStore()
      store.error = new StoreError('locked', 'in use')
      const document = await connected({ store })
      const attempts = () => store.calls.filter(call => call === 'open').length
      expect(attempts()).toBe(1)
      await vi.advanceTimersByTimeAsync(1_000)
      expect(attempts()).toBe(2)
      await vi.advanceTimersByTimeAsync(2_000 + 4_000 + 8_000 + 16_000 + 32_000)
      expect(attempts()).toBe(7)
      await vi.advanceTimersByTimeAsync(60_000 + 60_000)
      expect(attempts()).toBe(9)
      type(document, 'a')
      store.error = undefined
      await vi.advanceTimersByTimeAsync(60_000)
      expect(document.unsavedLocally).toBe(0)
      expect(store.text).toBe('a')
    })
  })

  it('is filled again when it goes away while it is open', async () => {
    await withFakeTimers(async () => {
      const store = new MemoryStore()
      const document = await connected({ store })
      type(document, 'kept')
      await document.saved('local')
      store.updates = []
      const told = event(document, 'storeError')
      store.lost(new StoreError('unavailable', 'cleared'))
      expect(await told).toMatchObject([{ message: 'cleared' }])
      await vi.advanceTimersByTimeAsync(1_000)
      expect(document.storeError).toBeUndefined()
      expect(store.text).toBe('kept')
    })
  })

  it('stays as it is when it is damaged; what can be read of it goes to the server', async () => {
    const { port } = server
    await server.stop()
    const store = new MemoryStore()
    const earlier = new Y.Doc()
    earlier.on('update', update => store.updates.push(update))
    type({ ydoc: earlier }, 'readable')
    store.damage = '1 of 2 rows can be read'
    const document = await connect(`ws://127.0.0.1:${port}/d`, { store, random: () => 0 })
    open.push(document)
    expect(document.storeError).toMatchObject({ code: 'damaged' })
    expect(document.storeError?.message).toContain('1 of 2 rows')
    type(document, ', and on')
    await expect(document.saved('local')).rejects.toThrow('damaged')
    server = await ScriptedServer.start(port)
    await document.saved()
    expect(server.text).toBe('readable, and on')
    expect(store.calls).toEqual(['open', 'close'])
    expect(store.text).toBe('readable')
  })

  it('is damaged where a row is no update, and the others are read', async () => {
    const store = new MemoryStore()
    const earlier = new Y.Doc()
    earlier.on('update', update => store.updates.push(update))
    type({ ydoc: earlier }, 'one')
    store.updates.push(Uint8Array.of(5, 4, 3, 2, 1))
    type({ ydoc: earlier }, ', two')
    const document = await connected({ store })
    expect(document.storeError?.message).toContain('1 of 3')
    expect(textOf(document)).toBe('one, two')
    expect(store.updates).toHaveLength(3)
  })

  it('has the last edits when the document is closed at once', async () => {
    const store = new MemoryStore()
    const document = await connected({ store })
    await document.saved('local')
    for (const letter of 'now') {
      type(document, letter)
      if (letter === 'n') await document.saved('local')
    }
    await document.close({ saved: false })
    expect(store.text).toBe('now')
    expect(store.isOpen).toBe(false)
  })

  it('is enough to be closed, where that is asked for', async () => {
    server.manners.acknowledges = false
    const store = new MemoryStore()
    const document = await connected({ store })
    type(document, 'offline')
    await document.close({ saved: 'local' })
    expect(document.isClosed).toBe(true)
    expect(store.text).toBe('offline')

    const other = await connected({ store })
    store.error = new StoreError('full', 'no room')
    type(other, ', then')
    await expect(other.close({ saved: 'local' })).rejects.toThrow(
      '1 edit of team/notes not saved on this device: no room',
    )
    expect(other.isClosed).toBe(false)
  })

  it('gets an edit that is made in the moment in which a write ends', async () => {
    const store = new MemoryStore()
    const document = await connected({ store })
    for (let ticks = 0; ticks < 12; ticks++) {
      // Nothing to write, so that no later write takes it along.
      const flushed = document.saved('local')
      for (let i = 0; i < ticks; i++) await undefined
      type(document, 'a')
      await flushed
      while (document.unsavedLocally > 0) await event(document, 'unsaved')
    }
    expect(store.text).toBe('a'.repeat(12))
  })

  it('has the last edits also when it is still opening', async () => {
    const store = new MemoryStore()
    const controller = new AbortController()
    const ydoc = new Y.Doc()
    let answer: () => void = () => {}
    const { open: openNow } = store
    store.open = async lost => {
      await new Promise<void>(resolve => {
        answer = resolve
      })
      return openNow.call(store, lost)
    }
    const connecting = connect(server.url(), { store, ydoc, signal: controller.signal })
    type({ ydoc }, 'early')
    controller.abort(new Error('enough'))
    answer()
    await expect(connecting).rejects.toThrow('enough')
    expect(store.text).toBe('early')
    expect(store.isOpen).toBe(false)
  })
})
