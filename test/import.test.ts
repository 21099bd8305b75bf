import type { ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connect } from '@weft/client'
import type { DocumentId } from '@weft/protocol'
import initSqlJs, { type Database } from 'sql.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { LevelStore } from '../server/dist/log/LevelStore.js'
import { describeDocument } from './import/describeDocument.ts'
import contents from './import/stores/contents.json' with { type: 'json' }
import { freePort } from './support/freePort.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { canMount, SmallDisk } from './support/smallDisk.ts'
import { stockClient } from './support/stockClient.ts'
import { documentOf, listStored, withStore } from './support/storedDocument.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { runCommand, startCommand } from './support/weftCommand.ts'

const stores = fileURLToPath(new URL('import/stores', import.meta.url))
const { Database: SqliteDatabase } = await initSqlJs()

/** Names that Weft has as well. */
const plainNames = ['notes', 'team/notes', 'letters', 'Größe/数 🌊'] as const

interface Kind {
  readonly name: 'y-leveldb' | 'hocuspocus'
  readonly path: string
  /** Names that Weft refuses, as the store spells them, and the contents' name for each. */
  readonly bad: Readonly<Record<string, string>>
}
const kinds: readonly Kind[] = [
  {
    name: 'y-leveldb',
    path: join(stores, 'y-leveldb'),
    bad: { 'a//b': 'a//b', 'cafe%CC%81': 'cafe\u0301' },
  },
  {
    name: 'hocuspocus',
    path: join(stores, 'hocuspocus.sqlite'),
    bad: { '..': '..', 'back\\slash': 'back\\slash', 'cafe\u0301': 'cafe\u0301' },
  },
]
const [yLeveldb, hocuspocus] = kinds as [Kind, Kind]

interface Line {
  readonly source: string
  readonly document: string | null
  readonly state: string
  readonly bytes: number
  readonly updates: number
  readonly problems: string[]
}

/** Runs the import and reads its `--json`. */
async function runImport(server: ServerProcess, kind: string, path: string, ...options: string[]) {
  const args = ['import', kind, path, '--url', server.url, '--json', ...options]
  const result = await runCommand(args, { TMPDIR: await testFolder() })
  const lines = result.stdout.split('\n').filter(line => line !== '')
  const documents = new Map<string, Line>()
  for (const line of lines.slice(0, -1)) documents.set(JSON.parse(line).source, JSON.parse(line))
  return { ...result, documents, summary: lines.length > 0 ? JSON.parse(lines.at(-1) ?? '') : null }
}

/** What a client of that server has of a document. */
async function describeAt(server: ServerProcess, name: string) {
  const document = await connect(`${server.socketUrl}/${name.split('/').map(encodeURIComponent).join('/')}`)
  const description = describeDocument(document.ydoc)
  await document.close()
  return JSON.parse(JSON.stringify(description))
}

/** Where each document's log ends. */
async function headsOf(folder: string): Promise<Record<string, number>> {
  const names = await listStored(folder)
  return withStore(folder, async log =>
    Object.fromEntries(await Promise.all(names.map(async name => [name, (await log.read(name as DocumentId)).head]))),
  )
}

/** The names and bytes of all files of a store. */
async function fingerprint(path: string): Promise<string> {
  const names = await readdir(path).catch(() => [''])
  const hash = createHash('sha256')
  for (const name of names.sort()) hash.update(name).update(await readFile(join(path, name)))
  return hash.digest('hex')
}

/** A folder with a copy of y-leveldb's store, and access to its records. */
async function changedYLeveldb(change: (store: LevelStore) => Promise<void>): Promise<string> {
  const folder = join(await testFolder(), 'y-leveldb')
  await cp(yLeveldb.path, folder, { recursive: true })
  const store = new LevelStore(folder)
  await store.open(false)
  await change(store)
  await store.close()
  return folder
}

/** A copy of Hocuspocus' file. */
async function changedHocuspocus(change: (database: Database) => void): Promise<string> {
  const file = join(await testFolder(), 'copy.sqlite')
  const database = new SqliteDatabase(await readFile(hocuspocus.path))
  change(database)
  await writeFile(file, database.export())
  database.close()
  return file
}

function insert(database: Database, name: string, data: Uint8Array | string): void {
  database.run('INSERT INTO documents (name, data) VALUES (?, ?)', [name, data])
}

/** The key of one stored update: y-leveldb, src/y-leveldb.js. */
function updateKey(name: string | Uint8Array, clock: number): Buffer {
  const part = (text: string | Uint8Array) => {
    const bytes = Buffer.from(text)
    return Buffer.concat([Buffer.of(0, bytes.length), bytes])
  }
  const number = Buffer.of(1, 0, 0, 0, 0)
  number.writeUInt32BE(clock, 1)
  return Buffer.concat([part('v1'), part(name), part('update'), number])
}

function textUpdate(text: string, clientID = 7): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = clientID
  doc.getText('text').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

describe.each(kinds)('weft import $name', kind => {
  const expected: Record<string, unknown> = contents[kind.name]

  it('brings every document with all its content, its authors and its deletions, and leaves the store as it is', async () => {
    const server = await testServer()
    const before = await fingerprint(kind.path)
    const { code, documents, summary } = await runImport(server, kind.name, kind.path)
    for (const name of plainNames) expect(await describeAt(server, name)).toEqual(expected[name])
    expect(await fingerprint(kind.path)).toBe(before)
    // Names that Weft doesn't have are told, each with its reason, and show in the exit code.
    expect(code).toBe(1)
    expect(summary).toMatchObject({ imported: 4, failed: Object.keys(kind.bad).length, complete: true })
    for (const name of Object.keys(kind.bad)) {
      expect(documents.get(name)).toMatchObject({ document: null, state: 'failed' })
      expect(documents.get(name)?.problems.join()).toMatch(/document name .*--rename/)
    }
    await server.kill()
    expect((await listStored(server.folder)).sort()).toEqual([...plainNames].sort())
  })

  it('adds nothing when it runs again', async () => {
    const server = await testServer()
    await runImport(server, kind.name, kind.path)
    await server.kill()
    const heads = await headsOf(server.folder)
    expect(Object.keys(heads).length).toBe(4)
    await server.start()
    const again = await runImport(server, kind.name, kind.path)
    expect(again.summary).toMatchObject({ imported: 4 })
    await server.kill()
    expect(await headsOf(server.folder)).toEqual(heads)
  })

  it('keeps what Weft has already, and joins the two', async () => {
    const server = await testServer()
    const there = await connect(`${server.socketUrl}/letters`)
    there.ydoc.getText('text').insert(0, 'there before ')
    await there.saved()
    await runImport(server, kind.name, kind.path)
    const { text } = await describeAt(server, 'letters')
    const letters = expected.letters as { text: [{ insert: string }] }
    expect(text[0].insert).toContain('there before ')
    expect(text[0].insert).toContain(letters.text[0].insert)
    expect(text[0].insert.length).toBe('there before '.length + letters.text[0].insert.length)
    await there.close()
  })

  it('gives documents the names that it is told', async () => {
    const server = await testServer()
    const [[first, firstContent], ...others] = Object.entries(kind.bad) as [[string, string], ...[string, string][]]
    const file = join(await testFolder(), 'names.json')
    await writeFile(file, JSON.stringify(Object.fromEntries(others.map(([name], i) => [name, `renamed/${i}`]))))
    const { code, documents } = await runImport(
      server,
      kind.name,
      kind.path,
      '--rename',
      `${first}=first of all`,
      '--renames',
      file,
    )
    expect(code).toBe(0)
    expect(documents.get(first)).toMatchObject({ document: 'first of all', state: 'imported' })
    expect(await describeAt(server, 'first of all')).toEqual(expected[firstContent])
    for (const [i, [, content]] of others.entries()) {
      expect(await describeAt(server, `renamed/${i}`)).toEqual(expected[content])
    }
  })

  it('never joins two documents of the store into one', async () => {
    const server = await testServer()
    const { code, documents } = await runImport(server, kind.name, kind.path, '--rename', 'letters=notes')
    expect(code).toBe(1)
    expect(documents.get('letters')).toMatchObject({ state: 'failed', problems: [expect.stringContaining('notes')] })
    expect(await describeAt(server, 'notes')).toEqual(expected.notes)
  })
})

describe('an import', () => {
  it('imports single documents, and says which of them the store has not', async () => {
    const server = await testServer()
    const options = ['--only', 'notes', '--only', 'nowhere', '--rename', 'nothing=something']
    const { code, documents, stderr } = await runImport(server, 'y-leveldb', yLeveldb.path, ...options)
    expect(code).toBe(1)
    expect([...documents.keys()]).toEqual(['notes'])
    expect(stderr).toContain('has no document nowhere')
    expect(stderr).toContain('has no document nothing')
  })

  it('only lists in a dry run, and asks no server', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const { code, stdout } = await runCommand(['import', 'y-leveldb', yLeveldb.path, '--dry-run', '--url', url])
    expect(code).toBe(1)
    for (const name of plainNames.slice(0, 3)) expect(stdout).toMatch(new RegExp(`^found +${name} +\\(\\d+ bytes`, 'm'))
    expect(stdout).toMatch(/\n4 found, .*\d failed\n$/)
  })

  it('says that there is no server', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const args = ['import', 'y-leveldb', yLeveldb.path, '--only', 'notes', '--only', 'blank']
    const { code, stdout, stderr } = await runCommand(args, { WEFT_URL: url })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^empty {7}blank .*\n$/)
    expect(stderr).toMatch(/^weft: no Weft server at .*: connect ECONNREFUSED .*\n$/)
    expect(stderr).toContain(url)
  })

  it('says only that, where no document that was asked for is there', async () => {
    const result = await runCommand(['import', 'y-leveldb', yLeveldb.path, '--dry-run', '--only', 'nowhere'])
    const stderr = `weft: ${yLeveldb.path} has no document nowhere\n`
    expect(result).toMatchObject({ code: 1, stdout: '', stderr })
  })

  it('counts one as one', async () => {
    const file = await changedHocuspocus(database => insert(database, 'short', Uint8Array.of(0)))
    const { stdout } = await runCommand(['import', 'hocuspocus', file, '--dry-run', '--only', 'short'])
    expect(stdout).toMatch(/^failed {6}short {2}\(1 byte, 1 update\)\n/)
  })
})

describe('an import that does not come to its end', () => {
  const names = Array.from({ length: 30 }, (_, i) => `many/${i}`)

  /** A store with many documents. */
  function manyDocuments(): Promise<string> {
    return changedYLeveldb(store =>
      store.write(
        names.map(name => ({
          type: 'put',
          key: updateKey(name, 0),
          value: Buffer.from(textUpdate(`this is ${name}`)),
        })),
      ),
    )
  }

  /**
   * Runs until ten documents are imported and the connection for the next one is made, which gets no answer.
   * @param act what happens then; `cut` ends that connection, and later ones reach the server again
   */
  async function runUntil(
    folder: string,
    server: ServerProcess,
    act: (command: ChildProcess, cut: () => void) => void,
  ) {
    let connectionCount = 0
    const gate = createTcpServer(client => {
      client.on('error', () => {})
      if (++connectionCount === 11) {
        act(command.child, () => client.destroy())
        return
      }
      const upstream = connectTcp(server.port, '127.0.0.1')
      upstream.on('error', () => client.destroy())
      client.pipe(upstream).pipe(client)
    })
    await once(gate.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => {
      gate.close()
    })
    const { port } = gate.address() as AddressInfo
    const imported: string[] = []
    const temporary = await testFolder()
    const args = ['import', 'y-leveldb', folder, '--url', `http://127.0.0.1:${port}`, '--json']
    const command = startCommand(args, { TMPDIR: temporary }, text => {
      const line: Line = JSON.parse(text)
      if (line.state === 'imported') imported.push(line.source)
    })
    return { ...(await command.result), imported, temporary }
  }

  async function expectAll(server: ServerProcess): Promise<void> {
    await server.kill()
    await withStore(server.folder, async log => {
      for (const name of names) {
        const text = documentOf(await log.read(name as DocumentId)).getText('text')
        expect(text.toString()).toBe(`this is ${name}`)
      }
    })
  }

  it('has on disk what it reported, though server and command are killed, and goes on when it runs again', async () => {
    const server = await testServer()
    const folder = await manyDocuments()
    let killed: Promise<void> | undefined
    const { signal, imported } = await runUntil(folder, server, command => {
      killed = server.kill()
      command.kill('SIGKILL')
    })
    expect(signal).toBe('SIGKILL')
    await killed
    const stored = await listStored(server.folder)
    expect(imported.length).toBe(10)
    expect(stored.sort()).toEqual(imported.map(name => decodeURIComponent(name)).sort())
    await server.start()
    expect((await runImport(server, 'y-leveldb', folder)).summary).toMatchObject({ imported: 34, complete: true })
    await expectAll(server)
  })

  it('because it is interrupted says so, and leaves nothing behind', async () => {
    const server = await testServer()
    const { code, stdout, stderr, temporary } = await runUntil(await manyDocuments(), server, command =>
      command.kill('SIGINT'),
    )
    expect(code).toBe(130)
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ complete: false })
    expect(stderr).toBe('weft: interrupted by SIGINT\n')
    expect(await readdir(temporary)).toEqual([])
  })

  it('because its server is restarted waits, and comes to its end', async () => {
    const server = await testServer()
    let restarted: Promise<void> | undefined
    const { stderr, imported } = await runUntil(await manyDocuments(), server, (_, cut) => {
      const killed = server.kill()
      restarted = killed.then(() => server.start())
      void killed.then(cut)
    })
    expect(stderr).toBe('')
    expect(imported.length).toBe(34)
    await restarted
    await expectAll(server)
  })
})

describe('names', () => {
  it('of y-websocket’s server lead its clients to the same document in Weft, by a change of the host', async () => {
    const server = await testServer()
    await runImport(server, 'y-leveldb', yLeveldb.path)
    const name = 'Größe/数 🌊'
    const client = stockClient(1, server.socketUrl, name)
    onTestFinished(() => client.destroy())
    await client.synced()
    expect(JSON.parse(JSON.stringify(describeDocument(client.doc)))).toEqual(contents['y-leveldb'][name])
  })

  it('that differ in the store and are the same in Weft are not joined', async () => {
    const folder = await changedYLeveldb(async store => {
      await store.write([
        { type: 'put', key: updateKey('same', 0), value: Buffer.from(textUpdate('one')) },
        { type: 'put', key: updateKey('%73ame', 0), value: Buffer.from(textUpdate('other', 8)) },
      ])
    })
    const server = await testServer()
    const { documents } = await runImport(server, 'y-leveldb', folder, '--only', 'same', '--only', '%73ame')
    expect([documents.get('same')?.state, documents.get('%73ame')?.state].sort()).toEqual(['failed', 'imported'])
  })

  it('that are not UTF-8 are told, and their documents can get others', async () => {
    const folder = await changedYLeveldb(store =>
      store.write([{ type: 'put', key: updateKey(Buffer.of(97, 0xff), 0), value: Buffer.from(textUpdate('here')) }]),
    )
    const server = await testServer()
    const { documents, summary } = await runImport(server, 'y-leveldb', folder)
    const problems = ['its name is not UTF-8; --rename gives it another']
    expect(documents.get('a\\xff')).toMatchObject({ document: null, state: 'failed', problems })
    expect(summary).toMatchObject({ imported: 4, complete: true })
    await runImport(server, 'y-leveldb', folder, '--rename', 'a\\xff=readable')
    expect(await describeAt(server, 'readable')).toMatchObject({ text: [{ insert: 'here' }] })
  })

  it('with characters that a terminal doesn’t show are printed so that they can be typed', async () => {
    const file = await changedHocuspocus(database => insert(database, 'nul\0 and \u202e', textUpdate('here')))
    const server = await testServer()
    const { stdout } = await runCommand(['import', 'hocuspocus', file, '--dry-run'])
    const quoted = '"nul\\u0000 and \\u202e"'
    expect(stdout).toContain(`failed      ${quoted}`)
    const options = ['--only', quoted, '--rename', `${quoted}=plain`]
    expect(await runImport(server, 'hocuspocus', file, ...options)).toMatchObject({ code: 0 })
    expect(await describeAt(server, 'plain')).toMatchObject({ text: [{ insert: 'here' }] })
  })
})

describe('a store that is not whole', () => {
  it('with an update that does not decode gives the rest of the document, and all others', async () => {
    const folder = await changedYLeveldb(async store => {
      await store.write([
        { type: 'put', key: updateKey('notes', 9_000), value: Buffer.of(1, 2, 3) },
        { type: 'put', key: updateKey('broken', 0), value: Buffer.from('no update at all') },
      ])
    })
    const server = await testServer()
    const { code, documents } = await runImport(server, 'y-leveldb', folder)
    expect(code).toBe(1)
    expect(documents.get('notes')).toMatchObject({
      state: 'incomplete',
      problems: [expect.stringMatching(/^update (\d+) of \1 can't be read \(3 bytes: /)],
    })
    expect(documents.get('broken')).toMatchObject({ state: 'failed' })
    expect(documents.get('team/notes')).toMatchObject({ state: 'imported' })
    expect(await describeAt(server, 'notes')).toEqual(contents['y-leveldb'].notes)
  })

  it('with an update missing gives what came before it', async () => {
    const folder = await changedYLeveldb(async store => {
      const keys = await store.keys(updateKey('letters', 0), updateKey('letters', 2 ** 32 - 1))
      await store.write([{ type: 'del', key: keys[5] as Buffer }])
    })
    const server = await testServer()
    const first = await runImport(server, 'y-leveldb', folder)
    expect(first.documents.get('letters')).toMatchObject({
      state: 'incomplete',
      problems: [expect.stringMatching(/^the store lacks operations of client 501 from \d+ on/)],
    })
    const { text } = await describeAt(server, 'letters')
    expect('letter by letter '.startsWith(text[0].insert)).toBe(true)
    expect(text[0].insert.length).toBeGreaterThan(2)
    // The same again: nothing is refused for what is missing.
    expect((await runImport(server, 'y-leveldb', folder)).documents).toEqual(first.documents)
    expect(server.output).not.toContain('has no predecessor')
  })

  it('of Hocuspocus with broken data gives all other documents', async () => {
    const file = await changedHocuspocus(database => {
      insert(database, 'broken', Uint8Array.of(1, 2, 3))
      insert(database, 'no bytes', new Uint8Array(0))
      insert(database, 'text', 'a string')
      insert(database, 'nothing in it', Uint8Array.of(0, 0))
      insert(database, 'whole', textUpdate('whole'))
    })
    const server = await testServer()
    const { code, documents } = await runImport(server, 'hocuspocus', file)
    expect(code).toBe(1)
    for (const name of ['broken', 'no bytes', 'text']) expect(documents.get(name)?.state).toBe('failed')
    expect(documents.get('text')?.problems).toEqual(['its data is no blob'])
    expect(documents.get('nothing in it')?.state).toBe('empty')
    expect(documents.get('whole')?.state).toBe('imported')
    await server.kill()
    expect((await listStored(server.folder)).sort()).toEqual([...plainNames, 'whole'].sort())
  })

  it('can’t speak to the terminal', async () => {
    const doc = new Y.Doc()
    doc.getText('text').insertEmbed(0, { place: 'x'.repeat(60) })
    const update = Buffer.from(Y.encodeStateAsUpdate(doc))
    const at = update.indexOf('{"place"')
    update.write('\x1b]0;title\x07\x1b[2K\r\u009b31m\u202eimported', at)
    const file = await changedHocuspocus(database => insert(database, 'loud', update))
    const server = await testServer()
    for (const options of [[], ['--json']]) {
      const { stdout } = await runCommand(['import', 'hocuspocus', file, '--url', server.url, ...options])
      expect(stdout).toContain('\\u001b')
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{C}]/u)
    }
    const path = 'no\x1b[2J\u202ewhere\n'
    const { stderr } = await runCommand(['import', 'hocuspocus', path])
    expect(stderr).toMatch(/^weft: no\\u001b\[2J\\u202ewhere\\u000a can't be read: .*\n$/)
  })

  it('of LevelDB with a broken record says so, and gives what can be read', async () => {
    const folder = join(await testFolder(), 'y-leveldb')
    await cp(yLeveldb.path, folder, { recursive: true })
    const log = join(folder, (await readdir(folder)).find(name => name.endsWith('.log')) ?? '')
    const bytes = await readFile(log)
    bytes[200] = (bytes[200] ?? 0) ^ 1
    await writeFile(log, bytes)
    const server = await testServer()
    const { code, documents, stderr } = await runImport(server, 'y-leveldb', folder)
    expect(code).toBe(1)
    expect(stderr).toContain(`the store in ${folder} is damaged: a broken record in `)
    expect(documents.get('notes')?.state).toBe('imported')
  })
})

describe('a document that the server refuses', () => {
  it('for its size is told with the setting that helps, and the others come', async () => {
    const file = await changedHocuspocus(database => insert(database, 'long', textUpdate('x'.repeat(100_000))))
    const server = await testServer({ WEFT_MAX_MESSAGE_BYTES: '65536' })
    const { code, documents } = await runImport(server, 'hocuspocus', file)
    expect(code).toBe(1)
    expect(documents.get('long')?.problems.join()).toContain('WEFT_MAX_MESSAGE_BYTES=2097152')
    expect(documents.get('notes')?.state).toBe('imported')
    const larger = await testServer({ WEFT_MAX_MESSAGE_BYTES: '2097152' })
    const again = await runImport(larger, 'hocuspocus', file)
    expect(again.documents.get('long')?.state).toBe('imported')
    expect((await describeAt(larger, 'long')).text).toEqual([{ insert: 'x'.repeat(100_000) }])
  })

  it('for its content is told with the server’s reason', async () => {
    const doc = new Y.Doc()
    for (let i = 0; i < 17; i++) doc.getText(`root ${i}`).insert(0, 'x')
    const file = await changedHocuspocus(database => insert(database, 'many roots', Y.encodeStateAsUpdate(doc)))
    const server = await testServer()
    const { documents } = await runImport(server, 'hocuspocus', file)
    expect(documents.get('many roots')).toMatchObject({ state: 'failed' })
    expect(documents.get('many roots')?.problems.join()).toMatch(/^refused: .*root.* \(1007\)$/)
    expect(documents.get('notes')?.state).toBe('imported')
  })
})

describe('a store', () => {
  it('that a server uses is not touched, and the command says what to do', async () => {
    const folder = join(await testFolder(), 'y-leveldb')
    await cp(yLeveldb.path, folder, { recursive: true })
    const store = new LevelStore(folder)
    await store.open(false)
    const { code, stderr } = await runCommand(['import', 'y-leveldb', folder])
    expect(code).toBe(1)
    expect(stderr).toContain(`${folder} is in use by another process: stop that server, or import a copy`)
    // The other one goes on, and a copy can be imported.
    await store.write([{ type: 'put', key: updateKey('later', 0), value: Buffer.from(textUpdate('later')) }])
    const copy = join(await testFolder(), 'copy')
    await cp(folder, copy, { recursive: true })
    const server = await testServer()
    expect((await runImport(server, 'y-leveldb', copy)).documents.get('later')?.state).toBe('imported')
    await store.close()
  })

  it.runIf(canMount)('that the folder for temporary files has no room for is told, with what helps', async () => {
    const disk = await SmallDisk.mount(1)
    const folder = await changedYLeveldb(store =>
      store.write([{ type: 'put', key: updateKey('long', 0), value: randomBytes(2 << 20) }]),
    )
    const { code, stdout, stderr } = await runCommand(['import', 'y-leveldb', folder], { TMPDIR: disk.folder })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.replaceAll(/\d+ MiB/g, 'N MiB')).toBe(
      `weft: a copy of ${folder} needs N MiB, and ${disk.folder} has N MiB left: set TMPDIR to a folder with more room\n`,
    )
    expect(await readdir(disk.folder)).toEqual([])
  })

  it('without documents is no failure', async () => {
    const folder = await testFolder()
    const store = new LevelStore(folder)
    await store.open(true)
    await store.close()
    const { code, stdout } = await runCommand(['import', 'y-leveldb', folder, '--dry-run'])
    expect(stdout).toBe('no documents\n')
    expect(code).toBe(0)
  })
})

describe('a server that is none', () => {
  it('is told by what it answers', async () => {
    const web = createServer((_, response) => response.writeHead(404).end())
    await once(web.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => {
      web.close()
    })
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`
    const asked: unknown[] = []
    web.on('upgrade', (request, socket) => {
      asked.push([request.url, request.headers['sec-websocket-protocol']])
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n')
    })
    const args = ['import', 'hocuspocus', hocuspocus.path, '--url', `${url}/`]
    const { code, stderr } = await runCommand(args, { WEFT_TOKEN: 'a.se-cret' })
    expect(code).toBe(1)
    // The token goes to the server, and nowhere else.
    expect(asked).toEqual([['/notes', 'weft,weft.token.a.se-cret']])
    expect(stderr).toBe(`weft: no Weft server at ${url}: Unexpected server response: 404\n`)
  })
})

describe('the command', () => {
  it('ends with 2 and one line where it is called in a wrong way', async () => {
    for (const args of [['imprt'], ['import', 'y-leveldb', yLeveldb.path, '--rename', 'notes=../x']]) {
      const { code, stdout, stderr } = await runCommand(args)
      expect(stdout).toBe('')
      expect(stderr).toMatch(/^weft: .*(imprt|\.\.\/x).*\n$/)
      expect(code).toBe(2)
    }
  })

  it('--help lists the verbs, and of a verb its options with examples', async () => {
    const all = await runCommand(['--help'])
    expect(all).toMatchObject({ code: 0, stderr: '' })
    expect(all.stdout).toContain('  import ')
    const one = await runCommand(['import', '--help'])
    expect(one).toMatchObject({ code: 0, stderr: '' })
    for (const part of ['--rename OLD=NEW', 'WEFT_URL', 'Examples:', 'weft import hocuspocus']) {
      expect(one.stdout).toContain(part)
    }
  })
})
