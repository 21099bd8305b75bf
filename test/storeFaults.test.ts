import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { LevelStore } from '../server/dist/log/LevelStore.js'
import { documentKey, documentRange, recordKind, rowKey } from '../server/dist/log/levelRecord.js'
import { damageRecord } from './support/damageRecord.ts'
import { eventually } from './support/eventually.ts'
import { compactedDocument, makeStore, writtenDocument } from './support/madeStore.ts'
import { RawClient } from './support/RawClient.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { canMount, SmallDisk } from './support/smallDisk.ts'
import { readStoredText } from './support/storedDocument.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { textOf, typist } from './support/typist.ts'

/** All records of a document, as they are. */
async function records(folder: string, documentId: string): Promise<string[]> {
  const store = new LevelStore(folder)
  await store.open(false)
  const { hash } = documentKey(documentId as DocumentId)
  const found = [
    ...(await store.scan(rowKey(hash), Buffer.concat([rowKey(hash), Buffer.of(0)]))),
    ...(await store.scan(...documentRange(hash))),
  ]
  await store.close()
  return found.map(([key, value]) => `${key.toString('hex')} ${value.toString('hex')}`)
}

describe('a document that cannot be read', () => {
  it.each([
    ['its first entry', recordKind.entry, 1],
    ['its snapshot', recordKind.snapshot, 0],
    ['its knowledge', recordKind.compaction, 0],
  ] as const)(
    '[threat K8] [threat S2] because %s is damaged is refused with 1011, not empty, and never written to',
    async (_, kind, seq) => {
      const isCompacted = kind === recordKind.snapshot || kind === recordKind.compaction
      const data = join(await testFolder(), 'data')
      const ann = typist(1)
      const updates = Array.from({ length: 30 }, (_, i) => ann.type(`word${i} `))
      const hurt = (isCompacted ? compactedDocument : writtenDocument)('hurt', updates)
      await makeStore(data, [hurt, writtenDocument('sound', updates)])
      await damageRecord(data, 'hurt', kind, seq)
      const before = await records(data, 'hurt')

      const server = await testServer({}, data)
      for (let attempt = 0; attempt < 3; attempt++) {
        const client = await RawClient.connect(`${server.socketUrl}/hurt`)
        client.ask()
        client.answer(typist(2).type('something new'))
        client.askAck(1)
        expect(await client.closed).toEqual({ code: 1011, reason: expect.stringMatching(/^internal: /) })
        expect(client.received).toEqual([])
      }
      const sound = await RawClient.join(`${server.socketUrl}/sound`)
      await sound.commit(typist(2).type('more'))
      await server.stop()
      expect(await records(server.folder, 'hurt')).toEqual(before)
      expect(await readStoredText(server.folder, 'sound')).toContain('more')
    },
  )

  it('says so in the log of the server, by name and place', async () => {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/hurt`)
    const ann = typist(1)
    for (let i = 1; i <= 3; i++) await client.commit(ann.type('secret'), i)
    await server.stop()
    await damageRecord(server.folder, 'hurt', recordKind.entry, 2)
    await server.start()
    const again = await RawClient.connect(`${server.socketUrl}/hurt`)
    again.ask()
    await again.next('syncStep2')
    await server.stop()
    expect(server.output).toMatch(/"hurt\\?".* is damaged at entry 2/)
    expect(server.output).not.toContain('secret')
  })
})

describe('a folder that is no store', () => {
  it('is refused with 73, and left as it is', async () => {
    const folder = await testFolder()
    const server = await testServer({}, folder)
    await server.stop()
    for (const place of ['/dev/null/data', join(folder, 'CURRENT')]) {
      const { code, output } = await ServerProcess.run({ folder: place })
      expect([place, code]).toEqual([place, 73])
      expect(output.trim().split('\n').length).toBe(1)
    }
    await server.start()
  })
})

describe('a full disk', () => {
  it('[threat S5] [threat F4] withholds acknowledgements, keeps the sessions, and commits everything once there is space', async context => {
    if (!canMount) return context.skip('only root can mount a small file system')
    const disk = await SmallDisk.mount(24)
    const server = await testServer({}, join(disk.folder, 'data'))
    const ann = typist(1)
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const reader = await RawClient.join(`${server.socketUrl}/a`)
    const elsewhere = await RawClient.join(`${server.socketUrl}/b`)
    const waiting = await RawClient.connect(`${server.socketUrl}/a`)
    await client.commit(ann.type('before '), 1)
    await reader.next('update')

    await disk.fill()
    const block = 'x'.repeat(50_000)
    for (let i = 2; i <= 11; i++) {
      client.update(ann.type(`${block} `))
      client.askAck(i)
    }
    const bo = typist(2)
    elsewhere.update(bo.type(`other ${block}`))
    elsewhere.askAck(1)
    // Asks while the commit is under way.
    waiting.ask(Uint8Array.of(1, 1, 1))
    await eventually('readiness to be gone', async () => (await fetch(`${server.url}/readyz`)).status === 503)
    await waiting.next('syncStep2')
    // Still here, still reading: presence goes on.
    client.awareness(11, 1, { name: 'Ann' })
    await reader.next('awareness')
    // More edits come meanwhile, and somebody joins to what is committed.
    client.update(ann.type('after'))
    client.askAck(12)
    const late = await RawClient.join(`${server.socketUrl}/a`)
    const isCommitted = (receiver: RawClient) =>
      textOf(...receiver.received.map(message => (message.type === 'update' ? message.update : null)))
    const seen = isCommitted(late)
    expect(seen.startsWith('before ')).toBe(true)
    expect(seen).not.toContain('after')
    expect(client.untaken('ack').length).toBeLessThan(11)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)

    await disk.empty()
    await client.nextAck(12)
    await elsewhere.nextAck(1)
    await eventually('readiness', async () => (await fetch(`${server.url}/readyz`)).status === 200)
    await late.next('update', () => isCommitted(late) === ann.text.toString())
    await reader.next('update', () => isCommitted(reader) === ann.text.toString())
    expect([client.isOpen, reader.isOpen, late.isOpen, elsewhere.isOpen]).toEqual([true, true, true, true])
    await client.commit(ann.type(' and on'), 13)
    await server.kill()
    expect(await readStoredText(server.folder, 'a')).toBe(ann.text.toString())
    expect(await readStoredText(server.folder, 'b')).toBe(bo.text.toString())
  })

  it('and a stop in this state: nobody was told that it is safe, and the process ends in time', async context => {
    if (!canMount) return context.skip('only root can mount a small file system')
    const disk = await SmallDisk.mount(24)
    const server = await testServer({}, join(disk.folder, 'data'))
    const ann = typist(1)
    const client = await RawClient.join(`${server.socketUrl}/a`)
    await client.commit(ann.type('before '), 1)
    await disk.fill()
    for (let i = 0; i < 5; i++) client.update(ann.type('x'.repeat(50_000)))
    client.askAck(2)
    await eventually('a failed commit', () => server.output.includes('a commit failed'))
    expect((await server.stop()).code).toBe(1)
    await client.closed
    expect(client.untaken('ack')).toEqual([])
    await disk.empty()
    await server.start()
    const again = await RawClient.join(`${server.socketUrl}/a`, undefined, Y.encodeStateAsUpdate(ann.doc))
    again.askAck(3)
    await again.nextAck(3)
    await server.stop()
    expect(await readStoredText(server.folder, 'a')).toBe(ann.text.toString())
  })
})
