import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelStore } from '@weft/server/LevelStore'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CommandError } from '../errors.ts'
import { YLeveldbSource } from './YLeveldbSource.ts'
import { documentsRange, updatesRange } from './yLeveldbKey.ts'

const { signal } = new AbortController()
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-test-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  return rm(folder, { recursive: true })
})

/** The key of an update with this clock. */
function updateKey(name: string | Uint8Array, clock: number): Buffer {
  const number = Buffer.of(1, 0, 0, 0, 0)
  number.writeUInt32BE(clock, 1)
  return Buffer.concat([updatesRange(Buffer.from(name)).gte, number])
}

async function write(records: readonly [key: Buffer, value: Buffer][]): Promise<void> {
  const store = new LevelStore(folder)
  await store.open(true)
  if (records.length > 0) await store.write(records.map(([key, value]) => ({ type: 'put', key, value })))
  await store.close()
}

async function readAll(path = folder): Promise<[string, number[]][]> {
  const source = await YLeveldbSource.open(path, signal)
  const documents: [string, number[]][] = []
  try {
    for await (const { name, read } of source.documents()) {
      if (documents.length === 100) throw new Error('it goes round and round')
      documents.push([name, (await read()).map(update => update[0] ?? -1)])
    }
  } finally {
    await source.close()
  }
  return documents
}

describe('YLeveldbSource', () => {
  it('gives every document once, with its updates in their order', async () => {
    const long = 'x'.repeat(200)
    await write([
      [updateKey('a', 256), Buffer.of(3)],
      [updateKey('a', 1), Buffer.of(1)],
      [updateKey('a', 255), Buffer.of(2)],
      [updateKey('a/b', 0), Buffer.of(4)],
      [updateKey('', 0), Buffer.of(5)],
      [updateKey('数', 0), Buffer.of(6)],
      [updateKey(long, 2 ** 32 - 1), Buffer.of(7)],
    ])
    const documents = new Map(await readAll())
    expect(documents).toEqual(
      new Map([
        ['a', [1, 2, 3]],
        ['a/b', [4]],
        ['', [5]],
        ['数', [6]],
        [long, [7]],
      ]),
    )
  })

  // Read as UTF-8, the first is longer than its bytes, and the second shorter: its end in the store would be guessed wrong.
  it.each([
    [Buffer.of(0xff), '\\xff'],
    [Buffer.of(0xf0, 0x9f, 0x98), '\\xf0\\x9f\\x98'],
    [Buffer.from('a\\\xe9', 'latin1'), 'a\\x5c\\xe9'],
  ])('gives a document whose name is not UTF-8 (%o) as well, and all others', async (bytes, shown) => {
    const others = ['', 'a', 'ab', 'abc', 'long', '\ufeffa', 'a\ufffd', '\ufffd']
    await write([bytes, ...others].map(name => [updateKey(name, 0), Buffer.of(1)]))
    expect((await readAll()).map(([name]) => name).sort()).toEqual([...others, shown].sort())
  })

  it.each([
    ['a length in more bytes than it needs', Buffer.concat([documentsRange.gte, Buffer.of(0, 0x81, 0x00, 97)])],
    ['no length', Buffer.concat([documentsRange.gte, Buffer.of(5)])],
    ['a name that is cut short', Buffer.concat([documentsRange.gte, Buffer.of(0, 9, 97)])],
  ])('ends at a key with %s, which y-leveldb does not make', async (_, key) => {
    await write([[key, Buffer.of(1)]])
    await expect(readAll()).rejects.toThrow(`a key that is not y-leveldb's: ${key.toString('hex')}`)
  })

  it('goes on behind a key that is part of no update', async () => {
    const odd = Buffer.concat([updateKey('a', 0).subarray(0, 7), Buffer.of(9)])
    await write([
      [odd, Buffer.of(9)],
      [updateKey('b', 0), Buffer.of(1)],
    ])
    expect(await readAll()).toEqual([
      ['a', []],
      ['b', [1]],
    ])
  })

  it('changes no file of the folder, also where LevelDB would: at its first opening after a crash', async () => {
    await write([[updateKey('a', 0), Buffer.of(1)]])
    const state = async () => {
      const names = (await readdir(folder)).sort()
      return Promise.all(names.map(async name => [name, (await readFile(join(folder, name))).toString('hex')]))
    }
    // What a crashed compaction leaves behind: LevelDB takes one of these numbers for its next table.
    for (let number = 4; number < 12; number++)
      await writeFile(join(folder, `${String(number).padStart(6, '0')}.ldb`), 'left')
    const before = await state()
    expect(before.map(([name]) => name).join()).toContain('.log')
    expect(await readAll()).toEqual([['a', [1]]])
    expect(await state()).toEqual(before)
  })

  it('follows a link to the folder', async () => {
    await write([[updateKey('a', 0), Buffer.of(1)]])
    const link = join(await mkdtemp(join(tmpdir(), 'weft-test-')), 'link')
    await symlink(folder, link)
    expect(await readAll(link)).toEqual([['a', [1]]])
    await rm(join(link, '..'), { recursive: true })
  })

  it.each(['000005.ldb', '000007.log', 'MANIFEST-000009', 'LOCK', 'CURRENT'])(
    'refuses a %s that is a link, and leaves what it leads to as it is',
    async name => {
      await write([[updateKey('a', 0), Buffer.of(1)]])
      const victim = join(folder, 'victim.txt')
      await rm(join(folder, name), { force: true })
      await symlink(victim, join(folder, name))
      await expect(YLeveldbSource.open(folder, signal)).rejects.toThrow(`${join(folder, name)} is a link`)
      await expect(readFile(victim)).rejects.toThrow('ENOENT')
    },
  )

  it('copies what is LevelDB’s, and nothing else in the folder', async () => {
    await write([[updateKey('a', 0), Buffer.of(1)]])
    await writeFile(join(folder, 'backup.tar'), 'not this')
    await symlink(join(folder, 'nowhere'), join(folder, 'link'))
    const temporary = join(folder, 'temporary')
    await mkdir(temporary)
    vi.stubEnv('TMPDIR', temporary)
    const source = await YLeveldbSource.open(folder, signal)
    const copied = (await readdir(temporary, { recursive: true })).join()
    expect(copied).toContain('MANIFEST-')
    expect(copied).not.toMatch(/backup|link/)
    await source.close()
    expect(await readdir(temporary)).toEqual([])
  })

  it('names TMPDIR where that is no folder', async () => {
    await write([])
    vi.stubEnv('TMPDIR', join(folder, 'nowhere'))
    await expect(YLeveldbSource.open(folder, signal)).rejects.toThrow(/^a folder .*\(TMPDIR chooses where\): ENOENT/)
  })

  it('ends its copying when it is told to', async () => {
    await write([[updateKey('a', 0), Buffer.of(1)]])
    const reason = new CommandError('interrupted')
    await expect(YLeveldbSource.open(folder, AbortSignal.abort(reason))).rejects.toThrow(reason)
  })

  it('reads a copy without its LOCK, and makes none', async () => {
    await write([[updateKey('a', 0), Buffer.of(1)]])
    await rm(join(folder, 'LOCK'))
    expect(await readAll()).toEqual([['a', [1]]])
    expect(await readdir(folder)).not.toContain('LOCK')
  })

  it('has no documents in an empty store', async () => {
    await write([])
    expect(await readAll()).toEqual([])
  })

  it.each([
    ['that is not there', () => rm(folder, { recursive: true }), "can't be read"],
    [
      'that is a file',
      () => rm(folder, { recursive: true }).then(() => writeFile(folder, '')),
      'Did you mean: weft import hocuspocus ',
    ],
    ['that is empty', async () => {}, 'holds no LevelDB store'],
    ['of another program', () => write([[Buffer.from('key'), Buffer.of(1)]]), 'not one of y-leveldb'],
    ['whose CURRENT leads out of it', () => writeFile(join(folder, 'CURRENT'), '../../x\n'), 'names no manifest'],
    ['with a CURRENT without end', () => writeFile(join(folder, 'CURRENT'), 'x'.repeat(100)), 'names no manifest'],
    ['without its manifest', () => writeFile(join(folder, 'CURRENT'), 'MANIFEST-000001\n'), "can't be opened"],
  ])('refuses a folder %s', async (_, make, message) => {
    await make()
    const refused = YLeveldbSource.open(folder, signal)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow(folder)
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
  })
})
