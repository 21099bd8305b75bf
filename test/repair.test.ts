import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { LevelStore } from '../server/dist/log/LevelStore.js'
import { everything, recordKind } from '../server/dist/log/levelRecord.js'
import { fingerprint, lines, told } from './support/backups.ts'
import { damageRecord } from './support/damageRecord.ts'
import { compactedDocument, deletedDocument, makeStore, readStore, writtenDocument } from './support/madeStore.ts'
import { RawClient } from './support/RawClient.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { testFolder, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'
import { runCommand } from './support/weftCommand.ts'

const words = ['one ', 'two ', 'three ', 'four']

/** A data folder of three documents and a tombstone. */
async function someStore(): Promise<{ folder: string; data: string; to: string }> {
  const folder = await testFolder()
  const data = join(folder, 'data')
  const ann = typist(1)
  const updates = words.map(word => ann.type(word))
  await makeStore(data, [
    writtenDocument('a', updates),
    compactedDocument('b "c"', updates),
    deletedDocument('gone', 4),
    writtenDocument('hurt', updates),
  ])
  return { folder, data, to: join(folder, 'repaired') }
}

it('[threat S4] weft repair makes a whole store of a damaged one, which it leaves as it is, and says what is lost', async () => {
  const { folder, data, to } = await someStore()
  await damageRecord(data, 'hurt', recordKind.entry, 3)
  // The sound one is still in LevelDB's files, and would be found.
  const level = new LevelStore(data)
  await level.open(false)
  await level.compactRange(...everything)
  await level.close()
  const before = await fingerprint(data)
  const { code, stdout, stderr } = await runCommand(['repair', '--data', data, '--to', to])
  expect([code, stderr]).toEqual([1, ''])
  expect(lines(stdout)).toEqual([
    'repaired  hurt',
    '          it was damaged: entry 3: a record with a wrong checksum',
    '          lost: entry 3',
    '          left out, for it builds on what is lost: entry 4',
    `2 whole, 1 repaired, 1 deleted  ${to}`,
  ])
  expect(await fingerprint(data)).toEqual(before)
  expect((await readdir(folder)).sort()).toEqual(['data', 'repaired'])
  expect(await runCommand(['verify', '--data', to])).toMatchObject({ code: 0, stdout: '3 sound, 1 deleted\n' })

  // Whoever still has what is lost brings it.
  const server = await testServer({}, to)
  const ann = typist(1)
  for (const word of words) ann.type(word)
  const client = await RawClient.join(`${server.socketUrl}/hurt`, undefined, Y.encodeStateAsUpdate(ann.doc))
  client.askAck(1)
  await client.nextAck(1)
  await server.stop()
  expect(
    documentOf(await readStored(to, 'hurt'))
      .getText('text')
      .toString(),
  ).toBe(words.join(''))
})

it.each([
  ['CURRENT is missing', /^CURRENT$/, (file: string) => rm(file)],
  ['the manifest is missing', /^MANIFEST-/, (file: string) => rm(file)],
  ['the manifest is cut off', /^MANIFEST-/, (file: string) => truncate(file, 20)],
  ['an index has a flipped bit', /\.ldb$/, (file: string) => flip(file, -60)],
])('brings back everything where %s, with exit code 0', async (_, pattern, harm) => {
  const { data, to } = await someStore()
  // So that there is a table.
  await (await testServer({}, data)).stop()
  const name = (await readdir(data)).find(file => pattern.test(file))
  await harm(join(data, name ?? ''))
  const broken = await runCommand(['verify', '--data', data])
  expect(broken.code).toBe(1)
  const { code, stdout, stderr } = await runCommand(['repair', '--data', data, '--to', to, '--json'])
  expect(stderr).toMatch(/^weft: \S/)
  expect(code).toBe(0)
  const told = lines(stdout).map(line => JSON.parse(line))
  expect(told.at(-1)).toEqual({
    data,
    to,
    whole: 3,
    repaired: 0,
    lost: 0,
    deleted: 1,
    files: { copied: 0, damaged: 0 },
    complete: true,
    problems: expect.arrayContaining([expect.any(String)]),
  })
  expect(told.find(({ document }) => document === 'a')).toEqual({
    document: 'a',
    state: 'whole',
    lost: [],
    leftOut: [],
    problems: [],
  })
  expect((await readStore(to)).map(({ documentId }) => documentId)).toEqual(['a', 'b "c"', 'gone', 'hurt'])
  expect((await runCommand(['verify', '--data', to])).code).toBe(0)
})

it('refuses what is no damaged store, or in use, or in the way; with one line and nothing left behind', async () => {
  const { folder, data, to } = await someStore()
  const server = await testServer({}, data)
  const repair = (...args: string[]) => runCommand(['repair', ...args])
  expect(told(await repair('--data', data, '--to', to))).toEqual([
    1,
    [`weft: ${data} is in use by another process: stop that server first`],
  ])
  await server.stop()
  expect(told(await repair('--data', data, '--to', data))).toEqual([
    1,
    [`weft: ${data} holds a store already; restore into a new folder`],
  ])
  expect(told(await repair('--data', folder, '--to', to))).toEqual([1, [`weft: ${folder} holds no file of a store's`]])
  expect(told(await repair('--data', join(folder, 'none'), '--to', to))[0]).toBe(1)
  for (const args of [[], ['--data', data], ['--to', to], ['x', '--data', data, '--to', to]]) {
    const { code, stderr } = await repair(...args)
    expect([args, code, lines(stderr).length]).toEqual([args, 2, 1])
  }
  expect((await readdir(folder)).sort()).toEqual(['data'])
  const help = await repair('--help')
  expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('Exit code: 0 everything is in NEW')])
})

async function flip(file: string, place: number): Promise<void> {
  const bytes = await readFile(file)
  const at = place < 0 ? bytes.length + place : place
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(file, bytes)
}
