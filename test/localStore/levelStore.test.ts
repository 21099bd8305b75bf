import { createHash } from 'node:crypto'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, type StoreError } from '@weft/client'
import { levelStore } from '@weft/client/leveldb'
import { describe, expect, it } from 'vitest'
import { LevelStore } from '../../server/dist/log/LevelStore.js'
import { canMount, SmallDisk } from '../support/smallDisk.ts'
import { testFolder, testServer } from '../support/testServer.ts'
import { localStoreSuite, type StorePlace } from './localStoreSuite.ts'
import { ProcessProgram } from './ProcessProgram.ts'

const from = Buffer.alloc(1)
const to = Buffer.from([0xff])

async function withLevel<T>(folder: string, look: (level: LevelStore) => Promise<T>): Promise<T> {
  const level = new LevelStore(folder)
  await level.open(false)
  try {
    return await look(level)
  } finally {
    await level.close()
  }
}

async function place(disk?: SmallDisk): Promise<StorePlace> {
  const folder = join(disk?.folder ?? (await testFolder()), 'documents')
  const programs: ProcessProgram[] = []
  return {
    async program() {
      const program = new ProcessProgram(folder)
      programs.push(program)
      return program
    },
    async killAll() {
      for (const program of programs) await program.kill()
    },
    async look() {
      const records = await withLevel(folder, level => level.scan(from, to))
      let bytes = 0
      for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size
      const hash = createHash('sha256')
      for (const [key, value] of records) hash.update(key).update(value)
      return { fingerprint: `${records.length} ${hash.digest('hex')}`, bytes }
    },
    async damage() {
      await withLevel(folder, async level => {
        const rows = await level.scan(Buffer.from('u'), Buffer.from('v'))
        const [key, value] = rows[1] ?? []
        if (key === undefined || value === undefined) throw new Error('there is no second row')
        value[0] = (value[0] ?? 0) ^ 1
        await level.write([{ type: 'put', key, value }])
      })
    },
    async makeRoom() {
      disk?.resize(64)
    },
    async remove() {
      for (const program of programs) await program.stop()
    },
  }
}

const smallPlace = async () => place(await SmallDisk.mount(8))

localStoreSuite('levelStore', 'the second is locked out', () => place(), canMount ? smallPlace : null)

const noLoss = () => {}

async function codeOf(opening: Promise<unknown>): Promise<string> {
  return opening.then(
    () => 'opened',
    (error: StoreError) => error.code,
  )
}

describe('levelStore', () => {
  it('shares a folder among the documents of a process, and each is open once', async () => {
    const folder = await testFolder()
    const [one, two, again] = [levelStore(folder, 'one'), levelStore(folder, 'two'), levelStore(folder, 'one')]
    await Promise.all([one.open(noLoss), two.open(noLoss)])
    await Promise.all([one.append([Uint8Array.of(1)]), two.append([Uint8Array.of(2)])])
    expect(await codeOf(again.open(noLoss))).toBe('locked')
    await one.close()
    expect((await again.open(noLoss)).updates).toEqual([Uint8Array.of(1)])
    await Promise.all([again.close(), two.close()])
    expect((await two.open(noLoss)).updates).toEqual([Uint8Array.of(2)])
    await two.close()
  })

  it('does not begin anew where its files have been tampered with', async () => {
    const folder = await testFolder()
    const store = levelStore(folder, 'one')
    await store.open(noLoss)
    await store.append([Uint8Array.of(1)])
    await store.close()
    await rm(join(folder, 'CURRENT'))
    const before = await readdir(folder)
    expect(await codeOf(store.open(noLoss))).toBe('damaged')
    expect(await readdir(folder)).toEqual(before)
  })

  it('begins anew where its first start was cut short', async () => {
    const folder = await testFolder()
    // What LevelDB leaves behind when it is killed before it has made its file CURRENT.
    for (const name of ['LOCK', 'LOG', 'MANIFEST-000001', '000001.dbtmp']) await writeFile(join(folder, name), '')
    const store = levelStore(folder, 'one')
    expect(await store.open(noLoss)).toEqual({ updates: [], damage: null })
    await store.append([Uint8Array.of(1)])
    await store.close()
    expect((await store.open(noLoss)).updates).toEqual([Uint8Array.of(1)])
    await store.close()
  })

  it('notices a row that LevelDB has lost', async () => {
    const folder = await testFolder()
    const store = levelStore(folder, 'one')
    await store.open(noLoss)
    await store.append([1, 2, 3].map(value => Uint8Array.of(value)))
    await store.close()
    await withLevel(folder, async level => {
      const [, , last] = await level.keys(Buffer.from('u'), Buffer.from('v'))
      if (last === undefined) throw new Error('there is no third row')
      await level.write([{ type: 'del', key: last }])
    })
    expect((await store.open(noLoss)).damage).toContain('2 of 3 rows')
    await store.close()
  })

  it('leaves folders of others alone', async () => {
    const folder = await testFolder()
    await writeFile(join(folder, 'letter.txt'), 'Dear Ann')
    expect(await codeOf(levelStore(folder, 'one').open(noLoss))).toBe('damaged')
    expect(await readdir(folder)).toEqual(['letter.txt'])
    const server = await testServer()
    expect(await codeOf(levelStore(server.folder, 'one').open(noLoss))).toBe('locked')
    await server.kill()
    expect(await codeOf(levelStore(server.folder, 'one').open(noLoss))).toBe('damaged')
    await server.start()
    expect(await codeOf(levelStore(join(folder, 'letter.txt'), 'one').open(noLoss))).toBe('unavailable')
  })

  it('makes a folder that no other user of the machine can read', async () => {
    const folder = join(await testFolder(), 'made', 'for-documents')
    const store = levelStore(folder, 'one')
    await store.open(noLoss)
    expect((await stat(folder)).mode & 0o077).toBe(0)
    await store.close()
  })

  it('lets a document that finds its folder in use live on, and takes it when it is free', async () => {
    const server = await testServer()
    const folder = await testFolder()
    const program = new ProcessProgram(folder)
    await program.call('connect', `${server.socketUrl}/a`, 'a')
    const document = await connect(`${server.socketUrl}/a`, { store: levelStore(folder, 'a') })
    expect(document.storeError).toMatchObject({ code: 'locked' })
    document.ydoc.getText('t').insert(0, 'hello')
    await document.saved()
    await expect(document.saved('local')).rejects.toMatchObject({ code: 'locked' })
    await program.kill()
    await document.saved('local')
    expect(document.storeError).toBeUndefined()
    expect(document.unsavedLocally).toBe(0)
    await document.close()
  })

  it('tells every document of a folder whose disk is full, and all go on when there is room', async context => {
    if (!canMount) return context.skip('mounting a small disk takes root')
    const server = await testServer()
    const disk = await SmallDisk.mount(16)
    const folder = join(disk.folder, 'documents')
    const [one, two] = await Promise.all(
      ['one', 'two'].map(name => connect(`${server.socketUrl}/${name}`, { store: levelStore(folder, name) })),
    )
    if (one === undefined || two === undefined) throw new Error('two documents')
    await Promise.all([one.saved('local'), two.saved('local')])
    await disk.fill()
    one.ydoc.getText('t').insert(0, 'a'.repeat(3_000_000))
    await expect(one.saved('local')).rejects.toMatchObject({ code: 'full' })
    two.ydoc.getText('t').insert(0, 'b'.repeat(3_000_000))
    await expect(two.saved('local')).rejects.toMatchObject({ code: 'full' })
    expect([one.unsavedLocally, two.unsavedLocally]).toEqual([1, 1])
    await Promise.all([one.saved(), two.saved()])
    await disk.empty()
    await Promise.all([one.saved('local'), two.saved('local')])
    expect([one.storeError, two.storeError]).toEqual([undefined, undefined])
    await Promise.all([one.close(), two.close()])
    const store = levelStore(folder, 'one')
    expect((await store.open(noLoss)).updates.reduce((sum, update) => sum + update.length, 0)).toBeGreaterThan(3e6)
    await store.close()
  })
})
