import {
  decodeHocuspocusFrame,
  encodeAddress,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeStateless,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
} from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { recordKind } from '../server/dist/log/levelRecord.js'
import { damageRecord } from './support/damageRecord.ts'
import { eventually } from './support/eventually.ts'
import {
  type HocuspocusSocket,
  hocuspocusSocket,
  type ProviderVersion,
  providerVersions,
} from './support/hocuspocusClient.ts'
import { NO_UPDATE, NOTHING, RawClient } from './support/RawClient.ts'
import { encodeToken, RawProvider } from './support/RawProvider.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { stockClient } from './support/stockClient.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

const running = sharedServer()
let documents = 0
/** A document for one test. */
const nextName = () => `test-${documents++}`

function connectProvider(version: ProviderVersion, server: ServerProcess, path = ''): HocuspocusSocket {
  const socket = hocuspocusSocket(version, `${server.socketUrl}${path}`)
  onTestFinished(() => socket.destroy())
  return socket
}

function yWebsocket(server: ServerProcess, name: string): ReturnType<typeof stockClient> {
  const client = stockClient(3, server.socketUrl, name.split('/').map(encodeURIComponent).join('/'))
  onTestFinished(() => client.destroy())
  return client
}

const textIn = (doc: Y.Doc): string => doc.getText('text').toString()

describe.each(providerVersions)('an unmodified Hocuspocus provider %i', version => {
  it('has many documents on one socket, and is told which one can’t be had', async () => {
    const server = await testServer()
    const socket = connectProvider(version, server, '/whatever//path')
    const documents = Array.from({ length: 5 }, (_, i) => socket.open(`document ${i}`, { token: 'anything' }))
    await Promise.all(documents.map(document => document.synced()))
    for (const [i, { doc }] of documents.entries()) doc.getText('text').insert(0, `text ${i}`)
    await eventually('all to be stored', () => documents.every(({ provider }) => !provider.hasUnsyncedChanges))
    const bad = socket.open('a//b', { token: 'anything' })
    const reasons: string[] = []
    bad.provider.on('authenticationFailed', ({ reason }: { reason: string }) => reasons.push(reason))
    await eventually('the reason', () => reasons.length > 0)
    expect(reasons[0]).toMatch(/^bad-name: /)
    documents[0]?.doc.getText('text').insert(0, 'more ')
    await eventually('the others to go on', () => documents[0]?.provider.hasUnsyncedChanges === false)
    expect(socket.sockets.length).toBe(1)
    await server.kill()
    for (let i = 1; i < 5; i++)
      expect(textIn(documentOf(await readStored(server.folder, `document ${i}`)))).toBe(`text ${i}`)
  })

  it('passes stateless messages on to the others of its document', async () => {
    const server = running()
    const name = nextName()
    const ann = connectProvider(version, server).open(name)
    const bo = connectProvider(version, server).open(name)
    const elsewhere = connectProvider(version, server).open(`${name} b`)
    const cy = yWebsocket(server, name)
    await Promise.all([ann, bo, elsewhere, cy].map(client => client.synced()))
    const heard: string[] = []
    for (const [who, { provider }] of Object.entries({ ann, bo, elsewhere }))
      provider.on('stateless', ({ payload }: { payload: string }) => heard.push(`${who}: ${payload}`))
    ann.provider.sendStateless('hello')
    ann.provider.sendStateless('again')
    await eventually('both', () => heard.length >= 2)
    bo.provider.sendStateless('back')
    await eventually('the answer', () => heard.length >= 3)
    expect(heard).toEqual(['bo: hello', 'bo: again', 'ann: back'])
  })
})

describe('Hocuspocus’ provider 4', () => {
  it('opens a large document, snapshot and tail, beside others on its socket', async () => {
    const server = await testServer()
    const writer = await RawClient.join(`${server.socketUrl}/large`)
    const ann = typist(1)
    for (let i = 0; i < 30; i++) await writer.commit(ann.type(`${i} `.repeat(20_000)), i + 1)
    await server.stop()
    await server.start()
    const socket = connectProvider(4, server)
    const clients = ['large', 'small', 'large\0other'].map(name => socket.open(name))
    await Promise.all(clients.map(client => client.synced()))
    expect(textIn(clients[0]?.doc ?? new Y.Doc())).toBe(ann.text.toString())
    await writer.closed
    const again = await RawClient.join(`${server.socketUrl}/large`)
    await again.commit(ann.type('more'), 1)
    await eventually('the last edit', () => clients[0] !== undefined && textIn(clients[0].doc).endsWith('more'))
  })

  // `sessionAwareness`: 2.9 and 3.4 don't have it.
  it('has sessions of their own in one document on one socket', async () => {
    const server = running()
    const name = nextName()
    const socket = connectProvider(4, server)
    const [ann, bo] = [1, 2].map(() => socket.open(name, { sessionAwareness: true }))
    if (ann === undefined || bo === undefined) throw new Error('two clients')
    await Promise.all([ann.synced(), bo.synced()])
    ann.doc.getText('text').insert(0, 'x')
    await eventually('bo to have it', () => textIn(bo.doc) === 'x')
    ann.provider.setAwarenessField('user', { name: 'Ann' })
    await eventually(
      'bo to see her',
      () => bo.provider.awareness?.getStates().get(ann.doc.clientID)?.user?.name === 'Ann',
    )
    expect(socket.sockets.length).toBe(1)
  })
})

const TOKEN = encodeToken('t')

/** Changes that were paid, once somebody else's later edit has come: none is on its way any more. */
async function statusesInAll(server: ServerProcess, provider: RawProvider, name: string): Promise<number> {
  const other = await RawClient.join(`${server.socketUrl}/${name}`)
  await other.commit(typist(2).type('!'), 1)
  await provider.hears('update')
  return provider.count('status 1')
}

describe('SyncStatus', () => {
  it('is paid once per update and once per beginning, in order, after the commit', async () => {
    const server = running()
    const name = nextName()
    const provider = await RawProvider.connect(server, name)
    const ann = typist(1)
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 1')
    // Typed while the answer to the server's question is on its way: both are counted.
    provider.send(encodeUpdate(ann.type('x')))
    await provider.hears('step 2')
    expect(provider.count('status 1')).toBe(0)
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    await provider.hears('status 1', 2)
    for (let i = 0; i < 100; i++) provider.send(encodeUpdate(ann.type('y')))
    // What brings nothing new is counted all the same.
    provider.send(encodeUpdate(NO_UPDATE))
    await provider.hears('status 1', 103)
    expect(await statusesInAll(server, provider, name)).toBe(103)
  })

  it('of an update without its predecessor is paid when the repair is on disk', async () => {
    const server = await testServer()
    const provider = await RawProvider.connect(server, 'a')
    const ann = typist(1)
    provider.send(encodeSyncStep1(NOTHING))
    provider.send(encodeSyncStep2(NO_UPDATE))
    await provider.hears('status 1')
    ann.type('lost')
    provider.send(encodeUpdate(ann.type('found')))
    await provider.hears('step 1', 2)
    expect(provider.count('status 1')).toBe(1)
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    await provider.hears('status 1', 2)
    await server.kill()
    expect(textIn(documentOf(await readStored(server.folder, 'a')))).toBe('lostfound')
  })

  it('begins anew with each sync step 1, but for provider 2, which comes without a token', async () => {
    const server = running()
    const name = nextName()
    const provider = await RawProvider.connect(server, name)
    const ann = typist(1)
    provider.send(TOKEN)
    await provider.hears('authenticated')
    provider.send(encodeSyncStep1(NOTHING))
    provider.send(encodeUpdate(ann.type('x')))
    provider.send(encodeUpdate(ann.type('y')))
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 1')
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    await provider.hears('status 1')
    provider.send(encodeUpdate(ann.type('z')))
    await provider.hears('status 1', 2)
    expect(await statusesInAll(server, provider, name)).toBe(2)
  })

  it('[threat K5] says 0 of what breaks a rule, and stores nothing of it', async () => {
    const server = await testServer()
    const provider = await RawProvider.connect(server, 'a')
    provider.send(encodeSyncStep1(NOTHING))
    provider.send(encodeSyncStep2(NO_UPDATE))
    await provider.hears('status 1')
    provider.send(encodeUpdate(Uint8Array.of(1, 1, 1)))
    expect((await provider.closed).code).toBe(1007)
    expect(provider.count('status 0')).toBe(1)
    await server.kill()
    expect((await readStored(server.folder, 'a')).head).toBe(0)
  })
})

describe('a provider that had typed offline', () => {
  it('is not paid for what it has forgotten to count', async () => {
    const server = running()
    const name = nextName()
    const provider = await RawProvider.connect(server, name)
    const ann = typist(1)
    const offline = [ann.type('x'), ann.type('y')]
    provider.send(TOKEN)
    provider.send(encodeSyncStep1(Y.encodeStateVector(ann.doc)))
    await provider.hears('step 1')
    // What waited for the connection; then its answer; then somebody types.
    for (const update of offline) provider.send(encodeUpdate(update))
    provider.send(encodeSyncStep2(Y.encodeStateAsUpdate(ann.doc)))
    await provider.hears('status 1')
    provider.send(encodeUpdate(ann.type('z')))
    await provider.hears('status 1', 2)
    expect(await statusesInAll(server, provider, name)).toBe(2)
  })

  it('goes on in a session that had ended here, and gets what others write', async () => {
    const server = running()
    const name = nextName()
    const provider = await RawProvider.connect(server, name)
    const ann = typist(1)
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 2')
    provider.send(Uint8Array.of(7))
    // A last word doesn't bring it back; an edit does.
    const state = { clientID: 7, clock: 1, json: new TextEncoder().encode('{}') }
    provider.send(encodeAwareness(encodeAwarenessEntries([state])))
    provider.send(encodeUpdate(ann.type('x')))
    await provider.hears('step 2', 2)
    const other = await RawClient.join(`${server.socketUrl}/${name}`)
    await other.commit(typist(2).type('!'), 1)
    await provider.hears('update')
    expect(other.received.some(message => message.type === 'awareness' && message.payload.includes(0x7b))).toBe(false)
  })
})

describe('a frame of Hocuspocus’ dialect', () => {
  it.each([
    ['with an address that is cut short', Uint8Array.of(5, 97)],
    ['without a type', Uint8Array.of(1, 97)],
    ['with an address of 321 bytes', Uint8Array.of(0xc1, 2, ...new Uint8Array(321).fill(97), 0, 0, 1, 0)],
    ['with bytes left over', Uint8Array.of(1, 97, 0, 0, 1, 0, 9)],
    ['whose address is not UTF-8', Uint8Array.of(2, 0xff, 0xfe, 0, 0, 1, 0)],
    ['with an auth message that brings no token', Uint8Array.of(1, 97, 2, 1, 1, 97)],
  ])('%s ends the connection with 1007', async (_, bytes) => {
    const server = running()
    const name = nextName()
    // Malformed messages for one path are counted.
    const provider = await RawProvider.connect(server, name, `/${name}`)
    provider.raw(bytes)
    expect(await provider.closed).toEqual({ code: 1007, reason: expect.stringMatching(/^malformed: /) })
  })

  it('of an unknown type, and pings, are passed over', async () => {
    const server = running()
    const name = nextName()
    const provider = await RawProvider.connect(server, name)
    provider.send(Uint8Array.of(99, 1, 2, 3))
    provider.raw(Uint8Array.of(9))
    provider.raw(Uint8Array.of(10))
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 2')
  })

  it('for a document that can’t be read leaves the others on its socket alone, and the socket is renewed later', async () => {
    const server = await testServer()
    const ann = await RawClient.join(`${server.socketUrl}/hurt`)
    const writer = typist(1)
    for (let i = 1; i <= 3; i++) await ann.commit(writer.type('x'), i)
    await server.stop()
    await damageRecord(server.folder, 'hurt', recordKind.entry, 1)
    await server.start()
    const provider = await RawProvider.connect(server, 'sound')
    provider.send(encodeSyncStep1(NOTHING), 'hurt')
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 2')
    expect(provider.heard.some(heard => heard.startsWith('elsewhere'))).toBe(false)
    expect((await provider.closed).code).toBe(1011)
  })

  it('of awareness may be the first of a y-websocket client', async () => {
    const server = running()
    const name = nextName()
    const client = await RawClient.connect(`${server.socketUrl}/${name}`)
    const state = { clientID: 7, clock: 1, json: new TextEncoder().encode('{"user":1}') }
    client.send(encodeAwareness(encodeAwarenessEntries([state])))
    client.ask()
    await client.next('syncStep2')
  })

  it('that opens a document comes 200 times at once, not for ever', async () => {
    const server = running()
    const name = nextName()
    const provider = await RawProvider.connect(server, name)
    for (let i = 0; i < 300; i++) {
      provider.send(encodeSyncStep1(NOTHING), `document ${i}`)
      provider.send(Uint8Array.of(7), `document ${i}`)
    }
    expect((await provider.closed).code).toBe(1008)
  })

  it('of type 7 ends its session alone', async () => {
    const server = running()
    const name = nextName()
    const other = await RawClient.join(`${server.socketUrl}/${name}`)
    const provider = await RawProvider.connect(server, name)
    const state = { clientID: 7, clock: 1, json: new TextEncoder().encode('{"user":1}') }
    provider.send(encodeSyncStep1(NOTHING))
    provider.send(encodeAwareness(encodeAwarenessEntries([state])))
    await eventually('it to be seen', () =>
      other.received.some(message => message.type === 'awareness' && message.payload.includes(0x7b)),
    )
    provider.send(Uint8Array.of(7))
    await eventually('it to be gone', () =>
      other.received.some(message => message.type === 'awareness' && Buffer.from(message.payload).includes('null')),
    )
    provider.send(encodeSyncStep1(NOTHING))
    await provider.hears('step 2', 2)
  })

  it('reads what providers write', () => {
    const address = encodeAddress('room\0session')
    const frame = (...bytes: number[]) => Buffer.concat([address, Uint8Array.from(bytes)])
    expect(decodeHocuspocusFrame(frame(2, 0, 3, 0x74, 0x6f, 0x6b, 1, 0x34))).toEqual({
      address: 'room\0session',
      message: { type: 'token', token: 'tok', version: '4' },
    })
    expect(decodeHocuspocusFrame(frame(2, 0, 1, 0x74)).message).toEqual({ type: 'token', token: 't', version: null })
    expect(decodeHocuspocusFrame(Buffer.concat([address, encodeStateless('ü')])).message).toEqual({
      type: 'stateless',
      payload: 'ü',
    })
    expect(decodeHocuspocusFrame(Uint8Array.of(10))).toEqual({ address: null, message: { type: 'pong' } })
  })
})
