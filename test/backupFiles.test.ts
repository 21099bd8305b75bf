import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { recordKind } from '../server/dist/log/levelRecord.js'
import { BACKUP, documentsOf, fingerprint, lines, told } from './support/backups.ts'
import { damageRecord } from './support/damageRecord.ts'
import { eventually } from './support/eventually.ts'
import { compactedDocument, deletedDocument, makeStore, readStore, writtenDocument } from './support/madeStore.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { makeTemporaryFolder, removeFolder } from './support/temporaryFolder.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'
import { runCommand, startCommand } from './support/weftCommand.ts'

const noFiles = { sound: 0, damaged: 0, missing: 0, orphaned: 0 }

describe('weft backup, restore and verify', () => {
  let bytes: Buffer
  let root = ''
  beforeAll(async () => {
    root = await makeTemporaryFolder()
    const data = join(root, 'data')
    const words = ['one ', 'two ', 'three']
    const ann = typist(1)
    const updates = words.map(word => ann.type(word))
    await makeStore(data, [
      writtenDocument('a', updates),
      compactedDocument('b "c"', updates),
      deletedDocument('gone', 4),
    ])
    const server = await ServerProcess.start({ folder: data })
    bytes = Buffer.from(await (await fetch(server.url + BACKUP)).arrayBuffer())
    await server.stop()
  })
  afterAll(() => removeFolder(root))

  it('write a file that is not there, or is to be replaced, and print what it has', async () => {
    const server = await testServer({}, join(root, 'data'))
    const weft = (...args: string[]) => runCommand(args, { WEFT_URL: server.url })
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    expect(await weft('backup', file)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^2 documents, 1 deleted \([\d.]+ (bytes|kB)\)\n$/),
    })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await writeFile(file, 'mine')
    expect(told(await weft('backup', file))).toEqual([1, [`weft: ${file} is there already: --force replaces it`]])
    expect(await readFile(file, 'utf8')).toBe('mine')
    const forced = await weft('backup', file, '--force', '--json')
    const size = (await stat(file)).size
    expect(JSON.parse(forced.stdout)).toEqual({ file, documents: 2, deleted: 1, files: 0, bytes: size, damaged: [] })
    const packed = join(folder, 'y.weft.gz')
    expect((await weft('backup', packed)).code).toBe(0)
    expect((await documentsOf(gunzipSync(await readFile(packed)))).size).toBe(3)
    const piped = await weft('backup', '-')
    expect([piped.code, piped.stderr]).toEqual([0, expect.stringMatching(/^weft: 2 documents, 1 deleted/)])
    expect(piped.stdout.startsWith('weft backup 2\n')).toBe(true)
    expect((await weft('backup', folder)).stderr).toBe(`weft: ${folder} is a folder\n`)
    expect((await weft('backup', join(folder, 'no', 'x.weft'))).code).toBe(1)
    expect((await readdir(folder)).sort()).toEqual(['x.weft', 'y.weft.gz'])
    expect(await weft('verify', '--url', server.url)).toMatchObject({ code: 0, stdout: '2 sound, 1 deleted\n' })
    // A folder in use is not read.
    const inUse = await runCommand(['verify', '--data', server.folder])
    expect(told(inUse)).toEqual([1, [expect.stringContaining('is in use by another process')]])
    expect(inUse.stdout).toBe('nothing could be read\n')
    await server.stop()
  })

  it('take away what was left by one that was killed, and make files that only their owner may read', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    await writeFile(file, bytes)
    // Killed in its midst: what it was writing stays.
    const killed = startCommand(['restore', file, '--data', join(folder, 'data')], { NODE_OPTIONS: '' })
    const beside = async () => (await readdir(folder)).filter(name => name.startsWith('.data.weft-'))
    const begun = eventually('something beside', async () => (await beside()).length > 0)
    await Promise.race([begun.catch(() => {}), killed.result])
    killed.child.kill('SIGKILL')
    await killed.result
    // On a fast machine it may have been done by then.
    const isDone = (await readdir(folder)).includes('data')
    if (!isDone) expect((await beside()).length).toBe(1)
    const data = join(folder, isDone ? 'other' : 'data')
    expect((await runCommand(['restore', file, '--data', data])).code).toBe(0)
    expect((await readdir(folder)).filter(name => name.startsWith('.data') || name.startsWith('.other'))).toEqual([])
    for (const place of [data, ...(await readdir(data)).map(name => join(data, name))]) {
      expect([place, (await stat(place)).mode & 0o077]).toEqual([place, 0])
    }
    // And so is what a server makes.
    const server = await testServer({}, join(folder, 'new', 'data'))
    for (const place of [server.folder, ...(await readdir(server.folder)).map(name => join(server.folder, name))]) {
      expect([place, (await stat(place)).mode & 0o077]).toEqual([place, 0])
    }
  })

  it('called in a wrong way end with 2 and one line', async () => {
    const calls = [
      ['backup'],
      ['backup', 'a', 'b'],
      ['backup', '-', '--json'],
      ['restore', 'a'],
      ['restore', 'a', '--data', 'b', '--to', 'c'],
      ['restore', 'a', '--document', 'b'],
      ['restore', 'a', '--document', 'b//c', '--to', 'd'],
      ['restore', 'a', '--data', 'b', '--force'],
      ['restore', '--data', 'b'],
      ['verify', 'a', 'b'],
      ['verify', 'a', '--data', 'b'],
      ['verify', '--data', 'b', '--url', 'http://127.0.0.1:1'],
    ]
    const results = await Promise.all(calls.map(args => runCommand(args, { WEFT_URL: 'http://127.0.0.1:1' })))
    for (const [i, { code, stderr }] of results.entries()) {
      expect([calls[i], code, lines(stderr).length]).toEqual([calls[i], 2, 1])
    }
  })

  it('take a file for a backup only where it is one, and whole; then nothing is restored, and nothing is left', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    const flipped = Buffer.from(bytes)
    const at = bytes.indexOf('three')
    flipped[at] = (flipped[at] ?? 0) ^ 1
    const packed = gzipSync(bytes)
    const cases: [string, Buffer, RegExp][] = [
      ['an empty one', Buffer.of(), /this backup is empty$/],
      ['another one', Buffer.from('# Notes\n\nSome text that goes on for a while.'), /no backup of a Weft store/],
      [
        'of a later version',
        Buffer.from('weft backup 3\n'),
        /by a newer version \(format 3, and this version knows 2\)$/,
      ],
      ['without its end', bytes.subarray(0, -20), /it was cut short: it has \d+ bytes and no end$/],
      ['with a flipped bit', flipped, /is damaged: a: the record at byte \d+ has a wrong checksum$/],
      ['packed and cut short', packed.subarray(0, -20), /was cut short: its compression has no end$/],
      ['packed and damaged', Buffer.concat([packed.subarray(0, 30), flipped]), / is damaged: /],
    ]
    for (const [what, content, message] of cases) {
      await writeFile(file, content)
      const restore = await runCommand(['restore', file, '--data', join(folder, 'data')])
      expect([what, ...told(restore)]).toEqual([what, 1, [expect.stringMatching(message)]])
      const to = join(folder, 'a.yjs')
      const one = await runCommand(['restore', file, '--document', 'b "c"', '--to', to])
      expect([what, one.code]).toEqual([what, 1])
      const { code, stderr, stdout } = await runCommand(['verify', file])
      expect([what, code, `${stderr}${stdout}`]).toEqual([what, 1, expect.stringMatching(/\S/)])
      expect(await readdir(folder)).toEqual(['x.weft'])
    }
    // The others are checked all the same.
    await writeFile(file, flipped)
    const { stdout } = await runCommand(['verify', file, '--json'])
    expect(lines(stdout).map(line => JSON.parse(line))).toEqual([
      { document: 'a', state: 'damaged', problems: [expect.stringContaining('wrong checksum')] },
      { document: 'b "c"', state: 'sound', problems: [] },
      { document: 'gone', state: 'deleted', problems: [] },
      { sound: 1, deleted: 1, damaged: 1, files: noFiles, complete: true, problems: [] },
    ])
    const missing = await runCommand(['verify', join(folder, 'none')])
    expect(told(missing)).toEqual([1, [expect.stringContaining('ENOENT')]])
    expect(told(await runCommand(['verify', folder]))).toEqual([1, [expect.stringContaining('is a folder')]])
  })

  it('restore into a folder that is not there or empty, and into no other', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    await writeFile(file, gzipSync(bytes))
    const restore = (data: string) => runCommand(['restore', file, '--data', data])
    const data = join(folder, 'data')
    await mkdir(data, { mode: 0o700 })
    await symlink(data, join(folder, 'link'))
    expect(await restore(join(folder, 'link'))).toMatchObject({
      code: 0,
      stdout: `2 documents, 1 deleted  ${join(folder, 'link')}\n`,
    })
    expect((await stat(data)).mode & 0o777).toBe(0o700)
    expect((await readStore(data)).map(({ documentId }) => documentId)).toEqual(['a', 'b "c"', 'gone'])
    const before = await fingerprint(data)
    expect(told(await restore(data))).toEqual([1, [`weft: ${data} holds a store already; restore into a new folder`]])
    expect(await fingerprint(data)).toEqual(before)
    expect(told(await restore(folder))).toEqual([
      1,
      [expect.stringMatching(/ is not empty: it holds .*; restore into/)],
    ])
    expect(told(await restore(file))).toEqual([1, [`weft: ${file} can't be made: it is a file`]])
    expect((await readdir(folder)).sort()).toEqual(['data', 'link', 'x.weft'])
  })

  it('take one document out', async () => {
    const folder = await testFolder()
    const file = join(folder, 'x.weft')
    const to = join(folder, 'b.yjs')
    await writeFile(file, bytes)
    const take = (...args: string[]) => runCommand(['restore', file, '--to', to, '--document', ...args])
    expect(await take('"b \\"c\\""', '--json')).toMatchObject({ code: 0, stderr: '' })
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await readFile(to))
    expect(doc.getText('text').toString()).toBe('one two three')
    expect(told(await take('a'))).toEqual([1, [`weft: ${to} is there already: --force replaces it`]])
    expect((await take('a', '--force')).code).toBe(0)
    await rm(to)
    expect(told(await take('never'))).toEqual([1, ['weft: never is not in this backup']])
    expect(told(await take('gone'))).toEqual([1, [expect.stringMatching(/^weft: gone was deleted at 20/)]])
    expect(await readdir(folder)).toEqual(['x.weft'])
  })

  it.each([
    ['an entry', recordKind.entry, 2, 'entry 2: a record with a wrong checksum'],
    ['its row', recordKind.row, 0, 'a record with a wrong checksum'],
    ['its snapshot', recordKind.snapshot, 0, 'entry 2: a record with a wrong checksum, in its snapshot'],
    ['its knowledge', recordKind.compaction, 0, 'entry 2: a record with a wrong checksum'],
  ] as const)('name a document of which %s is damaged, and have all others', async (_, kind, seq, problem) => {
    const folder = await testFolder()
    const data = join(folder, 'data')
    const ann = typist(1)
    const updates = ['one ', 'two ', 'three'].map(word => ann.type(word))
    const isCompacted = kind === recordKind.snapshot || kind === recordKind.compaction
    const hurt = (isCompacted ? compactedDocument : writtenDocument)('hurt', updates)
    await makeStore(data, [writtenDocument('a', updates), hurt, writtenDocument('z', updates)])
    await damageRecord(data, 'hurt', kind, seq)
    const wrong = { code: 1, stdout: `damaged  hurt\n         ${problem}\n2 sound, 1 damaged\n`, stderr: '' }
    expect(await runCommand(['verify', '--data', data])).toMatchObject(wrong)
    const server = await testServer({}, data)
    const env = { WEFT_URL: server.url }
    expect(await runCommand(['verify'], env)).toMatchObject(wrong)
    const file = join(folder, 'x.weft')
    const backup = await runCommand(['backup', file, '--json'], env)
    expect(told(backup)).toEqual([1, [`weft: hurt: damaged in the store, and not in the backup: ${problem}`]])
    expect(JSON.parse(backup.stdout)).toMatchObject({ documents: 2, damaged: [{ document: 'hurt', problem }] })
    expect(await runCommand(['verify', file])).toMatchObject(wrong)
    const restored = await runCommand(['restore', file, '--data', join(folder, 'new')])
    expect(told(restored)).toEqual([1, [`weft: hurt: damaged when the backup was made, and not in it: ${problem}`]])
    expect((await readStore(join(folder, 'new'))).map(({ documentId }) => documentId)).toEqual(['a', 'z'])
    const taken = await runCommand(['restore', file, '--document', 'hurt', '--to', join(folder, 'hurt.yjs')])
    expect(told(taken)[0]).toBe(1)
  })

  it('verify what no checksum tells: a log that lacks what it builds on', async () => {
    const data = join(await testFolder(), 'data')
    const ann = typist(1)
    const [first = new Uint8Array(), , third = new Uint8Array()] = ['one ', 'two ', 'three'].map(word => ann.type(word))
    await makeStore(data, [writtenDocument('gap', [first, third]), writtenDocument('sound', [first])])
    expect(await runCommand(['verify', '--data', data])).toMatchObject({
      code: 1,
      stdout: 'damaged  gap\n         entry 2 builds on what is not in the log: client 1 up to 8\n1 sound, 1 damaged\n',
    })
  })

  it('verify the files of a folder, too, and say what is no store', async () => {
    const folder = await testFolder()
    const data = join(folder, 'data')
    const updates = [typist(1).type('x')]
    await makeStore(data, [writtenDocument('a', updates)])
    await (await testServer({}, data)).stop()
    const names = await readdir(data)
    const table = names.find(name => name.endsWith('.ldb'))
    if (table === undefined) throw new Error(`no table among ${names}`)
    const content = await readFile(join(data, table))
    content[20] = (content[20] ?? 0) ^ 1
    await writeFile(join(data, table), content)
    const { code, stderr } = await runCommand(['verify', '--data', data])
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`the store in ${data} is damaged: ${table}: a broken block`),
    ])
    const none = await runCommand(['verify', '--data', folder])
    expect(told(none)).toEqual([1, [`weft: ${folder} holds no store (it has no file CURRENT)`]])
    await rm(join(data, 'CURRENT'))
    expect((await runCommand(['verify', '--data', data])).code).toBe(1)
    const nowhere = await runCommand(['verify', '--data', join(folder, 'none')])
    expect(told(nowhere)).toEqual([1, [expect.stringContaining('ENOENT')]])
  })
})
