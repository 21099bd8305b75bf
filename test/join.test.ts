import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { eventually } from './support/eventually.ts'
import { RawClient, updateOf } from './support/RawClient.ts'
import { listStored, readStored, readStoredText } from './support/storedDocument.ts'
import { eagerCompaction, testServer } from './support/testServer.ts'
import { type Typist, textOf, typist } from './support/typist.ts'

/** Commits each word by itself, so that the log has an entry for each. */
async function write(client: RawClient, author: Typist, words: readonly string[]): Promise<void> {
  for (const [index, word] of words.entries()) await client.commit(author.type(word), index)
}

const words = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `word-${i + from} `)

/** Connects with a state vector and gives what comes up to and including the sync step 2. */
async function join(url: string, stateVector?: Uint8Array) {
  const client = await RawClient.connect(url)
  client.ask(stateVector)
  await client.next('syncStep2')
  const updates = client.received.flatMap(message => updateOf(message) ?? [])
  const bytes = updates.reduce((sum, update) => sum + update.length, 0)
  return { client, updates, bytes, types: client.received.map(message => message.type) }
}

describe('a join', () => {
  it('gets everything, and the sync step 2 last: then it is synced', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    await write(await RawClient.join(url), ann, words(250))
    const { client, updates, bytes, types } = await join(url)
    expect(types).toEqual(['syncStep1', 'update', 'update', 'update', 'syncStep2'])
    expect(textOf(...updates)).toBe(ann.text.toString())
    // Runs of a hundred are merged: one message for each, and less than the single updates.
    expect(bytes).toBeLessThan(ann.updates.reduce((sum, update) => sum + update.length, 0) * 0.8)
    expect(client.untaken('update').length).toBe(3)
  })

  it('of a compacted document gets the snapshot, then the tail', async () => {
    const server = await testServer(eagerCompaction)
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await write(writer, ann, words(60))
    writer.update(ann.erase(0, 300))
    await write(writer, ann, words(60, 60))
    const first = await join(url)
    expect(textOf(...first.updates)).toBe(ann.text.toString())
    await server.stop()
    const stored = await readStored(server.folder, 'a')
    expect(stored.snapshotSeq).toBeGreaterThan(61)
    await server.start()
    const { types, updates } = await join(url)
    expect(types.at(0)).toBe('syncStep1')
    expect(types.at(-1)).toBe('syncStep2')
    expect(Buffer.from(updates[0] ?? []).equals(stored.snapshot ?? Buffer.alloc(0))).toBe(true)
    expect(textOf(...updates)).toBe(ann.text.toString())
    // What was deleted before the snapshot is gone from it.
    expect(Buffer.from(updates[0] ?? []).includes('word-3 ')).toBe(false)
  })

  it('of an empty document gets two bytes, and leaves nothing in the store', async () => {
    const server = await testServer()
    for (const name of ['never-written', 'a/b']) {
      const { client, updates } = await join(`${server.socketUrl}/${name}`)
      expect(updates).toEqual([Uint8Array.of(0, 0)])
      client.answer()
      client.askAck(1)
      await client.nextAck(1)
      client.awareness(5, 1, { name: 'Ann' })
      await client.next('awareness')
      await client.leave()
    }
    await fetch(`${server.url}/d/never-opened`)
    await server.stop()
    expect(await listStored(server.folder)).toEqual([])
    expect((await readStored(server.folder, 'never-written')).head).toBe(0)
  })

  it('hears every edit that is made while it joins', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/a`
    const writer = await RawClient.join(url)
    const ann = typist(1)
    let isWriting = true
    const writing = (async () => {
      for (let i = 0; isWriting; i++) await writer.commit(ann.type(`${i} `), i)
    })()
    const joined = await Promise.all(Array.from({ length: 10 }, () => join(url)))
    isWriting = false
    await writing
    for (const { client } of joined) {
      const text = () => textOf(...client.received.map(updateOf))
      await eventually('all edits', () => text() === ann.text.toString())
    }
  })
})

describe('a rejoin', () => {
  it('with nothing new gets the delete set, and no more', async () => {
    const server = await testServer(eagerCompaction)
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await write(writer, ann, words(100))
    for (let i = 0; i < 20; i++) {
      writer.update(ann.erase(i * 10, 5))
      writer.askAck(1000 + i)
    }
    await writer.nextAck(1019)
    for (const restart of [false, true]) {
      if (restart) {
        await server.stop()
        await server.start()
      }
      const { updates, types, bytes } = await join(url, Y.encodeStateVector(ann.doc))
      expect(types).toEqual(['syncStep1', 'syncStep2'])
      expect(Y.decodeUpdate(updates[0] ?? new Uint8Array()).structs).toEqual([])
      // A delete range takes 2 to 5 bytes here, whatever the size of the document (about 1 000 bytes).
      expect(bytes).toBeLessThanOrEqual(20 * 5 + 10)
      expect(bytes).toBeGreaterThan(20)
    }
  })

  it('of a client that has more than the log gets no more either', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    await write(await RawClient.join(url), ann, words(20))
    const offline = typist(2)
    Y.applyUpdate(offline.doc, Y.encodeStateAsUpdate(ann.doc))
    offline.type('written offline')
    const { client, bytes } = await join(url, Y.encodeStateVector(offline.doc))
    expect(bytes).toBe(2)
    const { stateVector } = await client.next('syncStep1')
    const step2 = Y.encodeStateAsUpdate(offline.doc, stateVector)
    expect(step2.length).toBeLessThan(60)
    client.answer(step2)
    client.askAck(1)
    await client.nextAck(1)
    await server.stop()
    expect(await readStoredText(server.folder, 'a')).toBe(offline.text.toString())
  })

  it.each([
    ['before any compaction', {}],
    ['across compactions', eagerCompaction],
  ] as const)('of a client that missed some edits gets about those, not the whole (%s)', async (_, env) => {
    const server = await testServer(env)
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    // Not compressible by merging: every word begins a new operation.
    const scatter = async (count: number, from: number) => {
      for (let i = 0; i < count; i++) {
        ann.text.insert((i * 7919) % (ann.text.length + 1), `word-${from + i} `)
        await writer.commit(ann.updates.at(-1) ?? new Uint8Array(), from + i)
      }
    }
    await scatter(600, 0)
    const left = Y.encodeStateVector(ann.doc)
    const whole = Y.encodeStateAsUpdate(ann.doc).length
    const before = ann.updates.length
    await scatter(5, 600)
    const missed = ann.updates.slice(before).reduce((sum, update) => sum + update.length, 0)
    const { updates, bytes } = await join(url, left)
    const replica = new Y.Doc()
    Y.applyUpdate(replica, Y.mergeUpdates(ann.updates.slice(0, before)))
    for (const update of updates) Y.applyUpdate(replica, update)
    expect(replica.getText('text').toString()).toBe(ann.text.toString())
    expect(bytes).toBeGreaterThan(0)
    // At most 64 entries too many.
    expect(bytes).toBeLessThan(missed * 15)
    expect(bytes).toBeLessThan(whole / 4)
  })

  it('of a client that was away since long before the snapshot gets what it lacks', async () => {
    const server = await testServer(eagerCompaction)
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await write(writer, ann, ['the very beginning. '])
    const old = typist(2)
    Y.applyUpdate(old.doc, Y.encodeStateAsUpdate(ann.doc))
    await write(writer, ann, words(300))
    await writer.commit(ann.erase(5, 10), 1)
    await writer.leave()
    await server.stop()
    expect((await readStored(server.folder, 'a')).keptAfter).toBeGreaterThan(10)
    await server.start()
    const { updates } = await join(url, Y.encodeStateVector(old.doc))
    for (const update of updates) Y.applyUpdate(old.doc, update)
    expect(old.text.toString()).toBe(ann.text.toString())
    expect(Buffer.concat(updates).includes('beginning')).toBe(false)
  })

  it('does not grow the log: a client that sends all it has again, again and again', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/a`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await write(writer, ann, words(20))
    await writer.commit(ann.erase(3, 40), 1)
    for (let i = 0; i < 10; i++) {
      const again = await RawClient.connect(url)
      again.ask(Y.encodeStateVector(ann.doc))
      await again.next('syncStep1')
      again.answer(Y.encodeStateAsUpdate(ann.doc, i % 2 === 0 ? Y.encodeStateVector(ann.doc) : undefined))
      again.askAck(i)
      await again.nextAck(i)
      await again.leave()
    }
    await server.stop()
    expect((await readStored(server.folder, 'a')).head).toBe(21)
  })
})

describe('a slow reader', () => {
  it('[threat C3] costs no memory beyond its bound, and gets everything once it reads', async () => {
    const server = await testServer({ WEFT_MAX_UNSENT_BYTES: '65536', WEFT_MESSAGE_BURST: '100000' })
    const url = `${server.socketUrl}/a`
    const slow = await RawClient.join(url)
    const fast = await RawClient.join(url)
    const writer = await RawClient.join(url)
    slow.stopReading()
    const ann = typist(1)
    const block = 'x'.repeat(20_000)
    for (let i = 0; i < 500; i++) writer.update(ann.type(`${block}${i} `))
    writer.askAck(1)
    await writer.nextAck(1)
    const has = (client: RawClient) => textOf(...client.received.map(updateOf)).length === ann.text.length
    await eventually('the fast one to have all', () => fast.received.length > 3 && has(fast))
    slow.goOnReading()
    await eventually('the slow one to have all', () => has(slow))
    // And it is live again.
    await writer.commit(ann.type('end'), 2)
    await slow.next('update', ({ update }) => update.length < 1000)
    await eventually('the end', () => has(slow))
    expect(slow.isOpen).toBe(true)
  })

  it('[threat K9] [threat C3] that reads nothing for long is told to come back: 1013', async () => {
    const server = await testServer({ WEFT_SLOW_READER_SECONDS: '5', WEFT_MAX_UNSENT_BYTES: '65536' })
    const url = `${server.socketUrl}/a`
    const slow = await RawClient.join(url)
    const writer = await RawClient.join(url)
    slow.stopReading()
    const ann = typist(1)
    for (let i = 0; i < 400; i++) writer.update(ann.type('x'.repeat(20_000)))
    writer.askAck(1)
    await writer.nextAck(1)
    // Its system's buffers are full of what came before; the end of the connection is all that it can notice.
    await eventually('the server to end it', async () => (await connections(server.port)) === 1)
    slow.goOnReading()
    await slow.closed
    await writer.commit(ann.type('end'), 2)
  })
})

/** Connections that the system knows on a port of this machine, from the server's side. */
async function connections(port: number): Promise<number> {
  const table = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
  const local = port.toString(16).toUpperCase().padStart(4, '0')
  return table.filter(line => new RegExp(`^ *\\d+: [0-9A-F]{8}:${local} \\S+ 01 `).test(line)).length
}
