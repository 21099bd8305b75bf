import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type * as Y from 'yjs'
import { ScriptedServer } from '../test/ScriptedServer.ts'
import { type ConnectOptions, connect } from './connect.ts'
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

/** A document as a page's tab has it: Node's BroadcastChannel is the browser's, between all of a process. */
async function tab(options: ConnectOptions = {}): Promise<WeftDocument> {
  const document = await connect(server.url(), { random: () => 1e5, tabs: true, ...options })
  open.push(document)
  return document
}

const text = (document: { ydoc: Y.Doc }) => document.ydoc.getText('t')

async function reads(document: WeftDocument, words: string): Promise<void> {
  while (text(document).toString() !== words) await new Promise(resolve => document.ydoc.once('update', resolve))
}

async function becomes(document: WeftDocument, status: WeftDocument['status']): Promise<void> {
  while (document.status !== status) await new Promise<void>(resolve => document.once('status', () => resolve()))
}

describe('two tabs', () => {
  it('share edits without the server, in both directions', async () => {
    const [first, second] = [await tab(), await tab()]
    for (const document of [first, second]) document.disconnect()
    text(first).insert(0, 'one')
    await reads(second, 'one')
    text(second).insert(3, ' two')
    await reads(first, 'one two')
  })

  it('call what they hear unsaved, and bring it to the server themselves [T1]', async () => {
    const [first, second] = [await tab(), await tab()]
    for (const document of [first, second]) document.disconnect()
    text(first).insert(0, 'from the first')
    await reads(second, 'from the first')
    expect(second.unsaved).toBe(1)
    await first.close({ saved: false })
    second.reconnect()
    await second.saved()
    expect(second.unsaved).toBe(0)
    expect(server.text).toBe('from the first')
  })

  it('do without where the browser has no channel between tabs, or forbids it', async () => {
    vi.stubGlobal(
      'BroadcastChannel',
      class {
        constructor() {
          throw new DOMException('denied', 'SecurityError')
        }
      },
    )
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    onTestFinished(() => {
      vi.unstubAllGlobals()
      vi.restoreAllMocks()
    })
    expect((await tab()).status).toBe('synced')
    expect(warn).toHaveBeenCalledOnce()
  })

  it('forward at once what they hear while they are connected', async () => {
    const [first, second] = [await tab(), await tab()]
    first.disconnect()
    text(first).insert(0, 'through the other')
    await server.when(() => server.text === 'through the other')
    await second.saved()
    expect([first.unsaved, second.unsaved]).toEqual([1, 0])
  })

  it('catch up with each other when one is opened, also where each has what the other lacks', async () => {
    const first = await tab()
    first.disconnect()
    text(first).insert(0, 'mine ')
    server.manners.answers = false
    // Its content comes from the other tab: the server doesn't answer.
    const second = await tab()
    await reads(second, 'mine ')
    expect(second.status).toBe('connecting')
  })

  it('open a document from each other while there is no server', async () => {
    const first = await tab()
    text(first).insert(0, 'here')
    await first.saved()
    const url = server.url()
    await server.stop()
    await becomes(first, 'offline')
    const second = await connect(url, { random: () => 1e5, tabs: true })
    open.push(second)
    expect(text(second).toString()).toBe('here')
    server = await ScriptedServer.start()
  })

  it('take nothing where they may only read, for they could not save it', async () => {
    const [writer, reader] = [await tab(), await tab()]
    const told = new Promise<void>(resolve => reader.once('access', () => resolve()))
    ;(await server.connection(1)).send(Uint8Array.of(112, 9, ...new TextEncoder().encode('read-only')))
    await told
    text(writer).insert(0, 'x')
    await writer.saved()
    // What it has is what the server tells it.
    ;(await server.connection(1)).update(Uint8Array.of(0, 0))
    expect([text(reader).toString(), reader.unsaved]).toEqual(['', 0])
  })

  it('share with those of the same user alone, where they say whose they are', async () => {
    const [first, second, other, nobody] = [
      await tab({ tabs: 'ann' }),
      await tab({ tabs: 'ann' }),
      await tab({ tabs: 'bo' }),
      await tab(),
    ]
    for (const document of [first, second, other, nobody]) document.disconnect()
    text(first).insert(0, 'x')
    await reads(second, 'x')
    expect([text(other).toString(), text(nobody).toString()]).toEqual(['', ''])
  })

  it('do not share where they are told not to, and documents of other names stay apart', async () => {
    const first = await tab()
    const alone = await tab({ tabs: false })
    const other = await connect(server.url('team/other'), { random: () => 1e5, tabs: true })
    open.push(other)
    for (const document of [first, alone, other]) document.disconnect()
    const second = await tab()
    second.disconnect()
    text(first).insert(0, 'x')
    await reads(second, 'x')
    expect([text(alone).toString(), text(other).toString()]).toEqual(['', ''])
  })

  it('survive what they can’t read', async () => {
    const first = await tab()
    const channel = new BroadcastChannel(`weft:${new URL(server.url()).origin}/team/notes`)
    for (const message of [
      null,
      7,
      {},
      { type: 'edit', update: Uint8Array.of(9, 9) },
      { type: 'ask', stateVector: 'x' },
    ]) {
      channel.postMessage(message)
    }
    const second = await tab()
    text(second).insert(0, 'still')
    await reads(first, 'still')
    channel.close()
  })
})
