// Writes the stores that `import.test.ts` imports, with the real peers: node_modules/.bin/tsx test/import/makeStores.ts
//
// `stores/y-leveldb`: the folder of y-websocket 1.5.4's server, killed (SIGKILL) twice: tables, and a log with a tail of updates.
// `stores/hocuspocus.sqlite`: the file of Hocuspocus 4.7.0 with its SQLite extension.
// `stores/contents.json`: what the peers' own clients had in each document.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider-4'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket-1'
import * as Y from 'yjs'
import { installPeers, peersFolder } from '../bench/servers/installPeers.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { makeTemporaryFolder, removeFolder } from '../support/temporaryFolder.ts'
import { describeDocument } from './describeDocument.ts'

const stores = fileURLToPath(new URL('stores', import.meta.url))

/** A client of a peer: a document, and a way to leave. */
interface Client {
  readonly doc: Y.Doc
  leave(): void
}
type Join = (name: string, clientID: number) => Promise<Client>

function paragraph(...parts: (string | [string, object])[]): Y.XmlElement {
  const element = new Y.XmlElement('paragraph')
  const text = new Y.XmlText()
  element.insert(0, [text])
  // It has no length before it lies in a document.
  let end = 0
  for (const part of parts) {
    const [words, marks] = typeof part === 'string' ? [part, {}] : part
    text.insert(end, words, marks)
    end += words.length
  }
  return element
}

/** Two people write rich text, into each other's words, and delete some of it. */
async function writeRichText(join: Join, name: string): Promise<void> {
  const ann = await join(name, 101)
  const bo = await join(name, 102)
  const heading = new Y.XmlElement('heading')
  heading.setAttribute('level', '2')
  const title = new Y.XmlText('Notes of all')
  heading.insert(0, [title])
  ann.doc.getXmlFragment('default').insert(0, [heading, paragraph('plain ', ['bold', { bold: true }], ' and plain')])
  await same(ann, bo)
  const words = (bo.doc.getXmlFragment('default').get(1) as Y.XmlElement).get(0) as Y.XmlText
  words.insert(2, ' – typed between –')
  words.format(0, 9, { italic: true })
  title.delete(5, 3)
  await same(ann, bo)
  bo.doc.getXmlFragment('default').insert(2, [paragraph('to be deleted'), paragraph('kept 🌊')])
  bo.doc.getXmlFragment('default').delete(2, 1)
  await same(ann, bo)
  ann.leave()
  bo.leave()
}

async function writeText(join: Join, name: string): Promise<void> {
  const ann = await join(name, 201)
  const bo = await join(name, 202)
  ann.doc.getText('text').insert(0, 'Größe, 数 and 🌊')
  await same(ann, bo)
  bo.doc.getText('text').format(0, 5, { bold: true })
  bo.doc.getText('text').delete(6, 2)
  await same(ann, bo)
  ann.leave()
  bo.leave()
}

async function writeData(join: Join, name: string): Promise<void> {
  const { doc, leave } = await join(name, 301)
  const map = doc.getMap('map')
  map.set('number', 1.5)
  map.set('bytes', Uint8Array.of(1, 2, 3))
  map.set('inner', new Y.Map([['list', Y.Array.from([1, 'two', { three: [null, true] }])]]))
  for (let i = 0; i < 5; i++) map.set('overwritten', i)
  map.delete('number')
  doc.getArray('array').insert(0, ['a', 'b', 'c', 'd'])
  doc.getArray('array').delete(1, 2)
  leave()
}

/** An update for every letter. */
async function typeLetters(join: Join, name: string, clientID: number): Promise<void> {
  const { doc, leave } = await join(name, clientID)
  for (const letter of 'letter by letter ') doc.getText('text').insert(doc.getText('text').length, letter)
  leave()
}

async function writeLine(join: Join, name: string): Promise<void> {
  const { doc, leave } = await join(name, 401)
  doc.getText('text').insert(0, name)
  leave()
}

async function same(ann: Client, bo: Client): Promise<void> {
  await eventually(
    'two clients to agree',
    () => describeDocument(ann.doc).snapshot === describeDocument(bo.doc).snapshot,
  )
}

async function startPeer(args: readonly string[], port: number, env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env, PORT: `${port}` }, stdio: 'ignore' })
  await eventually('a peer to listen', async () => {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    return isOpen
  })
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** No peer says when it has stored. */
async function quiet(path: string): Promise<void> {
  const state = async (): Promise<string> => {
    const names = (await stat(path)).isDirectory() ? await readdir(path) : ['']
    return (await Promise.all(names.map(async name => (await stat(join(path, name))).size))).join()
  }
  for (let before = ''; ; ) {
    const now = await state()
    if (now === before) return
    before = now
    await new Promise(resolve => setTimeout(resolve, 3000))
  }
}

async function contentsOf(join: Join, names: readonly string[]): Promise<Record<string, unknown>> {
  const contents: Record<string, unknown> = {}
  for (const name of names) {
    const { doc, leave } = await join(name, 901)
    contents[name] = describeDocument(doc)
    leave()
  }
  return contents
}

async function makeYLeveldb(): Promise<Record<string, unknown>> {
  const work = await makeTemporaryFolder()
  const folder = join(work, 'y-leveldb')
  const port = await freePort()
  const program = join(peersFolder, 'node_modules/y-websocket/bin/server.js')
  const start = () => startPeer([program], port, { HOST: '127.0.0.1', YPERSISTENCE: folder })
  const joinPeer: Join = async (name, clientID) => {
    const doc = new Y.Doc()
    doc.clientID = clientID
    const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, name, doc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
    })
    await eventually('a client to be synced', () => provider.synced)
    return {
      doc,
      leave: () => {
        provider.awareness.destroy()
        provider.destroy()
      },
    }
  }
  let server = await start()
  await writeRichText(joinPeer, 'notes')
  await writeText(joinPeer, 'team/notes')
  await typeLetters(joinPeer, 'letters', 501)
  await quiet(folder)
  await kill(server)
  server = await start()
  await writeData(joinPeer, 'Größe/数 🌊')
  await typeLetters(joinPeer, 'letters', 502)
  // Weft has no such names: an empty segment, and a character put together of two.
  await writeLine(joinPeer, 'a//b')
  await writeLine(joinPeer, 'cafe\u0301')
  const blank = await joinPeer('blank', 601)
  blank.leave()
  await quiet(folder)
  const contents = await contentsOf(joinPeer, ['notes', 'team/notes', 'letters', 'Größe/数 🌊', 'a//b', 'cafe\u0301'])
  await quiet(folder)
  await kill(server)
  await mkdir(join(stores, 'y-leveldb'))
  for (const name of await readdir(folder)) {
    if (!name.startsWith('LOG')) await copyFile(join(folder, name), join(stores, 'y-leveldb', name))
  }
  await removeFolder(work)
  return contents
}

async function makeHocuspocus(): Promise<Record<string, unknown>> {
  const work = await makeTemporaryFolder()
  const file = join(work, 'hocuspocus.sqlite')
  const port = await freePort()
  const server = await startPeer([join(peersFolder, 'hocuspocus.mjs')], port, { DATABASE: file })
  const joinPeer: Join = async (name, clientID) => {
    const doc = new Y.Doc()
    doc.clientID = clientID
    const socket = new HocuspocusProviderWebsocket({ url: `ws://127.0.0.1:${port}`, WebSocketPolyfill: WebSocket })
    const provider = new HocuspocusProvider({ websocketProvider: socket, name, document: doc })
    provider.attach()
    await eventually('a client to be synced', () => provider.isSynced)
    return {
      doc,
      leave: () => {
        provider.destroy()
        socket.destroy()
      },
    }
  }
  await writeRichText(joinPeer, 'notes')
  await writeText(joinPeer, 'team/notes')
  await typeLetters(joinPeer, 'letters', 501)
  await writeData(joinPeer, 'Größe/数 🌊')
  for (const name of ['..', 'back\\slash', 'cafe\u0301']) await writeLine(joinPeer, name)
  const names = ['notes', 'team/notes', 'letters', 'Größe/数 🌊', '..', 'back\\slash', 'cafe\u0301']
  const contents = await contentsOf(joinPeer, names)
  await quiet(file)
  await kill(server)
  await copyFile(file, join(stores, 'hocuspocus.sqlite'))
  await removeFolder(work)
  return contents
}

installPeers()
await rm(stores, { recursive: true, force: true })
await mkdir(stores)
const contents = { 'y-leveldb': await makeYLeveldb(), hocuspocus: await makeHocuspocus() }
await writeFile(join(stores, 'contents.json'), `${JSON.stringify(contents, null, 2)}\n`)
process.exit(0)
