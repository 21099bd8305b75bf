import { connect } from '@weft/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import type * as Y from 'yjs'
import { eventually } from './support/eventually.ts'
import { LinkProxy } from './support/LinkProxy.ts'
import { stockClient, stockVersions } from './support/stockClient.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { eagerCompaction, testServer } from './support/testServer.ts'

async function link(port: number): Promise<LinkProxy> {
  const proxy = await LinkProxy.start(port)
  onTestFinished(() => proxy.stop())
  return proxy
}

/** Types a letter every few milliseconds until it is told to stop. */
function type(doc: Y.Doc, letter: string): () => void {
  const text = doc.getText('text')
  const timer = setInterval(() => text.insert(text.length, letter), 5)
  return () => clearInterval(timer)
}

const textIn = (doc: Y.Doc) => doc.getText('text').toString()
const count = (doc: Y.Doc, letter: string) => textIn(doc).split(letter).length - 1

describe('someone who types fast while the connection comes back after offline work, over a link of 300 ms', () => {
  it.each(stockVersions)('with y-websocket %i is not disconnected and loses nothing', async version => {
    const server = await testServer(eagerCompaction)
    const far = await link(server.port)
    far.delay(300, 300)
    const other = stockClient(3, server.socketUrl, 'a')
    const ann = stockClient(version, far.socketUrl, 'a')
    onTestFinished(() => {
      ann.destroy()
      other.destroy()
    })
    await Promise.all([ann.synced(), other.synced()])
    other.doc.getText('text').insert(0, 'o')
    await eventually('the first edit', () => count(ann.doc, 'o') === 1)
    ann.provider.disconnect()
    for (let i = 0; i < 50; i++) ann.doc.getText('text').insert(0, 'a')
    const stopTyping = type(ann.doc, 'b')
    const stopOther = type(other.doc, 'o')
    const socketsBefore = ann.sockets.length
    ann.provider.connect()
    await ann.synced()
    await eventually('a hundred letters', () => count(ann.doc, 'b') > 100)
    stopTyping()
    stopOther()
    await eventually('both to have all', () => textIn(ann.doc) === textIn(other.doc))
    expect(count(other.doc, 'a')).toBe(50)
    expect(count(other.doc, 'b')).toBeGreaterThan(100)
    expect(ann.sockets.length).toBe(socketsBefore + 1)
    expect(ann.provider.wsconnected).toBe(true)
    await server.kill()
    const stored = documentOf(await readStored(server.folder, 'a'))
    expect(textIn(stored)).toBe(textIn(ann.doc))
  })

  it('with @weft/client is not disconnected, and `saved` tells when all is on disk', async () => {
    const server = await testServer(eagerCompaction)
    const far = await link(server.port)
    far.delay(300, 300)
    const other = await connect(`${server.socketUrl}/a`)
    const ann = await connect(`${far.socketUrl}/a`)
    onTestFinished(async () => {
      await ann.close({ saved: false })
      await other.close({ saved: false })
    })
    ann.disconnect()
    for (let i = 0; i < 50; i++) ann.ydoc.getText('text').insert(0, 'a')
    const stopTyping = type(ann.ydoc, 'b')
    const stopOther = type(other.ydoc, 'o')
    const connectionsBefore = far.connectionCount
    const closes: unknown[] = []
    ann.on('disconnected', info => closes.push(info))
    ann.reconnect()
    await eventually('to be synced', () => ann.status === 'synced')
    await eventually('a hundred letters', () => count(ann.ydoc, 'b') > 100)
    await ann.saved()
    const savedAt = count(ann.ydoc, 'b')
    expect(far.connectionCount).toBe(connectionsBefore + 1)
    expect(closes).toEqual([])
    await server.kill()
    stopTyping()
    stopOther()
    const stored = documentOf(await readStored(server.folder, 'a'))
    expect(count(stored, 'a')).toBe(50)
    // Typed meanwhile: what was acknowledged is there, at least.
    expect(count(stored, 'b')).toBeGreaterThanOrEqual(100)
    expect(savedAt).toBeGreaterThan(100)
    await server.start()
    await eventually('both to have all', () => textIn(ann.ydoc) === textIn(other.ydoc) && ann.unsaved === 0)
    expect(count(other.ydoc, 'a')).toBe(50)
  })
})

describe('a link that breaks', () => {
  it('at any byte loses nothing', async () => {
    const server = await testServer(eagerCompaction)
    const weak = await link(server.port)
    const other = stockClient(3, server.socketUrl, 'a')
    const ann = stockClient(3, weak.socketUrl, 'a', { maxBackoffTime: 100 })
    onTestFinished(() => {
      ann.destroy()
      other.destroy()
    })
    await Promise.all([ann.synced(), other.synced()])
    for (let round = 0; round < 12; round++) {
      weak.cutAfter(round % 2 === 0 ? 'toServer' : 'toClient', 1 + round * 37)
      const before = ann.sockets.length
      await eventually('a cut', () => {
        ann.doc.getText('text').insert(0, 'a')
        other.doc.getText('text').insert(0, 'o')
        return ann.sockets.length > before
      })
    }
    await eventually('both to have all', () => textIn(ann.doc) === textIn(other.doc))
    const [a, o] = [count(ann.doc, 'a'), count(ann.doc, 'o')]
    expect(a).toBeGreaterThan(12)
    expect(o).toBe(a)
    await server.kill()
    expect(textIn(documentOf(await readStored(server.folder, 'a')))).toBe(textIn(ann.doc))
  })

  it('without telling the client: it finds out, returns and loses nothing', async () => {
    const server = await testServer()
    const weak = await link(server.port)
    const other = await connect(`${server.socketUrl}/a`)
    const ann = stockClient(3, weak.socketUrl, 'a')
    onTestFinished(async () => {
      ann.destroy()
      await other.close({ saved: false })
    })
    await ann.synced()
    weak.halfOpen()
    ann.doc.getText('text').insert(0, 'said into the void')
    // As a stock client does after 30 s of silence.
    ann.sockets.at(-1)?.terminate()
    await eventually('the edit to arrive', () => textIn(other.ydoc) === 'said into the void')
  })

  it('stalls and goes on: nobody is disconnected', async () => {
    const server = await testServer()
    const weak = await link(server.port)
    const other = stockClient(3, server.socketUrl, 'a')
    const ann = stockClient(3, weak.socketUrl, 'a')
    onTestFinished(() => {
      ann.destroy()
      other.destroy()
    })
    await Promise.all([ann.synced(), other.synced()])
    weak.stall('toServer')
    weak.stall('toClient')
    for (let i = 0; i < 100; i++) {
      ann.doc.getText('text').insert(0, 'a')
      other.doc.getText('text').insert(0, 'o')
    }
    await eventually('the other way to be there', () => count(other.doc, 'o') === 100)
    weak.release('toServer')
    weak.release('toClient')
    await eventually('both to have all', () => textIn(ann.doc) === textIn(other.doc) && count(ann.doc, 'o') === 100)
    expect(ann.sockets.length).toBe(1)
  })

  it('keeps @weft/client’s edits until a server is there again', async () => {
    const server = await testServer()
    const ann = await connect(`${server.socketUrl}/a`)
    onTestFinished(() => ann.close({ saved: false }))
    await server.kill()
    ann.ydoc.getText('text').insert(0, 'while nobody was there')
    expect(ann.unsaved).toBeGreaterThan(0)
    const saved = ann.saved()
    await server.start()
    await saved
    await server.kill()
    expect(textIn(documentOf(await readStored(server.folder, 'a')))).toBe('while nobody was there')
  })
})
