import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from '@weft/client'
import type { DocumentId } from '@weft/protocol'
import { encodeAnnounce } from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { LevelStore } from '../server/dist/log/LevelStore.js'
import { documentKey, nameKey, type RecordKind, recordKey, recordKind, rowKey } from '../server/dist/log/levelRecord.js'
import { lines } from './support/backups.ts'
import { damageRecord } from './support/damageRecord.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { compactedDocument, makeStore, writtenDocument } from './support/madeStore.ts'
import { RawClient, updateOf } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { textOf, typist } from './support/typist.ts'
import { runCommand } from './support/weftCommand.ts'

const words = ['one ', 'two ', 'three ', 'four']

/** A store with a damaged document, `hurt`, and one that is sound. */
async function hurtStore(kind: RecordKind, seq: number, isCompacted = false): Promise<string> {
  const data = join(await testFolder(), 'data')
  const ann = typist(1)
  const updates = words.map(word => ann.type(word))
  const hurt = (isCompacted ? compactedDocument : writtenDocument)('hurt', updates)
  await makeStore(data, [hurt, writtenDocument('sound', updates)])
  await damageRecord(data, 'hurt', kind, seq)
  return data
}

const textIn = (client: RawClient) => textOf(...client.received.map(updateOf))

async function expectWhole(server: ServerProcess, name: string, text: string): Promise<void> {
  await server.stop()
  expect(
    documentOf(await readStored(server.folder, name))
      .getText('text')
      .toString(),
  ).toBe(text)
  expect((await runCommand(['verify', '--data', server.folder])).code).toBe(0)
}

describe('[threat S2] a damaged document', () => {
  it.each([
    ['an entry in its middle is damaged', recordKind.entry, 3, false, 'one two '],
    ['its row is damaged', recordKind.row, 0, false, 'one two three four'],
    ['an entry after its snapshot is damaged', recordKind.entry, 4, true, 'one two three '],
  ] as const)(
    'of which %s is open for reading up to there; others are as ever',
    async (_, kind, seq, isCompacted, text) => {
      const data = await hurtStore(kind, seq, isCompacted)
      const server = await testServer({}, data)
      const client = await RawClient.join(`${server.socketUrl}/hurt`)
      expect(textIn(client)).toBe(text)
      client.send(encodeAnnounce())
      expect((await client.next('saving')).saving).toBe('damaged')
      expect((await client.next('access')).access).toBe('read-only')
      // Edits are refused and not called saved, the session stays; presence goes on.
      client.update(typist(9).type('more'))
      expect((await client.next('permissionDenied')).reason).toMatch(/^forbidden: this document is damaged/)
      client.askAck(1)
      client.awareness(5, 1, { name: 'Ann' })
      await client.next('awareness', ({ payload }) => Buffer.from(payload).includes('Ann'))
      expect(client.untaken('ack')).toEqual([])
      expect(server.output).toMatch(/a damaged document is open for reading, up to entry \d/)
      const doc = await connect(`${server.socketUrl}/hurt`)
      onTestFinished(() => doc.close({ saved: false }))
      await eventually('the client to know', () => doc.saving === 'damaged' && doc.access === 'read-only')
      expect(doc.ydoc.getText('text').toString()).toBe(text)
      const sound = await RawClient.join(`${server.socketUrl}/sound`)
      await sound.commit(typist(9).type('more'))
      expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
      expect((await fetch(`${server.url}/api/v1/documents`)).status).toBe(200)
    },
  )

  // Eight commands and three servers, each a process.
  it('is exported as far as it goes, deleted, and made whole again from a backup', { timeout: 180_000 }, async () => {
    const data = await hurtStore(recordKind.entry, 3)
    const folder = await testFolder()
    const backup = join(folder, 'x.weft')
    const ann = typist(1)
    const updates = words.map(word => ann.type(word))
    const earlier = join(folder, 'earlier')
    await makeStore(earlier, [writtenDocument('hurt', updates)])
    const before = await testServer({}, earlier)
    expect((await runCommand(['backup', backup], { WEFT_URL: before.url })).code).toBe(0)
    await before.stop()

    const server = await testServer({}, data)
    const weft = (...args: string[]) => runCommand(args, { WEFT_URL: server.url })
    const url = `${server.url}/api/v1/documents/hurt`
    const refused = await fetch(`${url}?format=yjs`)
    expect([refused.status, (await refused.json()).error.code]).toEqual([500, 'damaged'])
    const rest = await fetch(`${url}?format=yjs&damaged=true`)
    expect([rest.status, rest.headers.get('weft-damaged')]).toEqual([200, '2'])
    expect(textOf(new Uint8Array(await rest.arrayBuffer()))).toBe('one two ')
    const file = join(folder, 'rest.yjs')
    expect((await weft('export', 'hurt', file)).code).toBe(1)
    const exported = await weft('export', '--damaged', 'hurt', file)
    expect([exported.code, lines(exported.stderr)]).toEqual([
      1,
      ['weft: hurt: damaged in the store: this is what comes before the damage'],
    ])
    expect(textOf(new Uint8Array(await readFile(file)))).toBe('one two ')
    // What isn't damaged is given as ever.
    const sound = await fetch(`${server.url}/api/v1/documents/sound?format=yjs&damaged=true`)
    expect([sound.status, sound.headers.get('weft-damaged')]).toEqual([200, null])

    const reader = await RawClient.join(`${server.socketUrl}/hurt`)
    expect(await weft('rm', 'hurt')).toMatchObject({ code: 0 })
    expect((await reader.closed).code).toBe(4404)
    const taken = join(folder, 'taken.yjs')
    expect((await runCommand(['restore', backup, '--document', 'hurt', '--to', taken])).code).toBe(0)
    expect((await weft('import', '--anew', taken, 'hurt')).code).toBe(0)
    const client = await RawClient.join(`${server.socketUrl}/hurt`)
    expect(textIn(client)).toBe(words.join(''))
    const bo = typist(2)
    Y.applyUpdate(bo.doc, Y.encodeStateAsUpdate(ann.doc), 'before')
    await client.commit(bo.type('!'))
    await expectWhole(server, 'hurt', `${words.join('')}!`)
  })

  it.each([
    ['row', (name: Buffer) => rowKey(name)],
    ['name', null],
    ['first entry', (hash: Buffer) => recordKey(hash, recordKind.entry, 1)],
    ['knowledge', (hash: Buffer) => recordKey(hash, recordKind.compaction, 0)],
  ])('can be deleted and begun anew, whatever of it is missing: its %s', async (what, keyOf) => {
    const data = join(await testFolder(), 'data')
    const ann = typist(1)
    const updates = words.map(word => ann.type(word))
    await makeStore(data, [(what === 'knowledge' ? compactedDocument : writtenDocument)('hurt', updates)])
    const { hash, name } = documentKey('hurt' as DocumentId)
    const level = new LevelStore(data)
    await level.open(false)
    await level.write([{ type: 'del', key: keyOf === null ? nameKey(name) : keyOf(hash) }])
    await level.close()
    const server = await testServer({}, data)
    const headers = { 'X-Requested-With': 'test', 'Content-Type': 'text/markdown' }
    const url = `${server.url}/api/v1/documents/hurt`
    expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(200)
    expect((await fetch(url)).status).toBe(410)
    expect((await fetch(`${url}?anew=true`, { method: 'PUT', headers, body: 'anew' })).status).toBe(201)
    expect(await (await fetch(url)).text()).toBe('anew\n')
    await server.stop()
    expect((await runCommand(['verify', '--data', data])).stdout).toBe('1 sound\n')
  })

  it('is found by the check of everything that nobody opens, which is told and counted', async () => {
    const data = await hurtStore(recordKind.entry, 3)
    const port = await freePort()
    // The first one begins after a second.
    const env = { WEFT_SCRUB_SECONDS: '168', WEFT_METRICS_PORT: `${port}`, WEFT_LOG_LEVEL: 'info' }
    const server = await testServer(env, data)
    await eventually('the end of the check', () => server.output.includes('all stored documents were read and checked'))
    expect(server.output).toMatch(/a stored document is damaged/)
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toMatch(/^weft_damaged_documents 1$/m)
    expect(metrics).toMatch(/^weft_scrubbed_documents_total 2$/m)
    await (await RawClient.join(`${server.socketUrl}/sound`)).commit(typist(9).type('more'))
  })
})
