import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fillDiskUnderLog } from '../../../test/fillDiskUnderLog.ts'
import { LevelStore } from './LevelStore.ts'

const key = (text: string): Buffer => Buffer.from(text)
const put = (name: string, value: string) => ({ type: 'put', key: key(name), value: key(value) }) as const

describe('LevelStore', () => {
  let folder: string
  let store: LevelStore

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-store-'))
    store = new LevelStore(folder)
  })
  afterEach(async () => {
    await store.close()
    await rm(folder, { recursive: true })
  })

  it('writes, reads and scans in the order of the keys', async () => {
    await store.open(true)
    await store.write([put('b', '2'), put('a', '1'), put('c', '3')])
    await store.write([{ type: 'del', key: key('b') }])
    expect(await store.get([key('c'), key('b'), key('a')])).toEqual([key('3'), undefined, key('1')])
    expect(await store.scan(key('a'), key('d'))).toEqual([
      [key('a'), key('1')],
      [key('c'), key('3')],
    ])
    expect(await store.scan(key('a'), key('c'))).toHaveLength(1)
    expect(await store.scan(key('a'), key('d'), 1)).toHaveLength(1)
  })

  it('scans more than fits into one read', async () => {
    await store.open(true)
    const value = 'x'.repeat(500)
    await store.write(Array.from({ length: 3000 }, (_, i) => put(`k${String(i).padStart(5, '0')}`, value)))
    const found = await store.scan(key('k'), key('l'))
    expect(found).toHaveLength(3000)
    expect(found.at(-1)?.[0].toString()).toBe('k02999')
  })

  it('is read as it was at one moment through a view, in any order, whatever is written meanwhile', async () => {
    await store.open(true)
    const names = Array.from({ length: 3000 }, (_, i) => `k${String(i).padStart(5, '0')}`)
    await store.write(names.map(name => put(name, 'x'.repeat(100))))
    const view = store.view()
    await store.write(names.map(name => ({ type: 'del', key: key(name) })))
    await store.write([put('k00000', 'new'), put('k9', 'new')])
    await store.compactRange(key('a'), key('z'))
    expect((await view.scan(key('k02'), key('k03'))).map(([name]) => String(name))).toEqual(names.slice(2000))
    expect(await view.scan(key('k'), key('l'))).toHaveLength(3000)
    expect((await view.scan(key('k00000'), key('l'), 2)).map(([name]) => String(name))).toEqual(['k00000', 'k00001'])
    expect(await view.scan(key('k000015'), key('k00002'))).toEqual([])
    expect(await view.scan(key('z'), key('zz'))).toEqual([])
    expect(await store.scan(key('a'), key('z'))).toHaveLength(2)
    await view.close()
    await view.close()
    await expect(view.scan(key('k'), key('l'))).rejects.toMatchObject({ code: 'STORAGE_READ_FAILED' })
  })

  it('ends its views when it is closed, in the middle of a scan, too', async () => {
    await store.open(true)
    await store.write(Array.from({ length: 3000 }, (_, i) => put(`k${i}`, 'x'.repeat(100))))
    const views = [store.view(), store.view()]
    const [scan] = await Promise.all([views[0]?.scan(key('k'), key('l')).catch(error => error.code), store.close()])
    expect(scan === 'STORE_CLOSED' || scan?.length === 3000).toBe(true)
    for (const view of views) {
      await expect(view.scan(key('k'), key('l'))).rejects.toMatchObject({ code: 'STORE_CLOSED' })
      await view.close()
    }
    expect(() => store.view()).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }))
    await store.open(false)
    expect(await store.scan(key('k'), key('l'))).toHaveLength(3000)
  })

  it('refuses every operation before it is open and after it is closed', async () => {
    const operations: (() => Promise<unknown>)[] = [
      () => store.get([key('a')]),
      () => store.scan(key('a'), key('b')),
      () => store.write([put('a', '1')]),
      () => store.compactRange(key('a'), key('b')),
      () => store.approximateSize(key('a'), key('b')),
    ]
    const refuseAll = async (): Promise<void> => {
      for (const operation of operations) await expect(operation()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    }
    await refuseAll()
    const opening = store.open(true)
    expect(store.state).toBe('opening')
    await refuseAll()
    await opening
    await expect(store.open(true)).rejects.toThrow(TypeError)
    const closing = store.close()
    expect(store.state).toBe('closing')
    await refuseAll()
    await closing
    expect(store.state).toBe('closed')
    await refuseAll()
    await store.close()
  })

  it('closes after everything under way is done', async () => {
    await store.open(true)
    await store.write(Array.from({ length: 500 }, (_, i) => put(`k${i}`, 'x'.repeat(1000))))
    const running = [
      store.write([put('a', '1')]),
      store.scan(key('a'), key('z')),
      store.compactRange(key('a'), key('z')),
      store.get([key('k1')]),
    ]
    await Promise.all([store.close(), store.close()])
    await Promise.all(running)
    await store.open(false)
    expect(await store.get([key('a')])).toEqual([key('1')])
  })

  it.runIf(process.platform === 'linux')(
    'refuses every write after a failed one, and reads on, until opened anew',
    async () => {
      await store.open(true)
      await store.write([put('a', '1')])
      fillDiskUnderLog(folder)
      await expect(store.write([put('b', '2')])).rejects.toMatchObject({ code: 'STORAGE_WRITE_FAILED' })
      expect(store.state).toBe('failed')
      await expect(store.write([put('c', '3')])).rejects.toMatchObject({
        code: 'STORAGE_WRITE_FAILED',
        message: expect.stringContaining('until reopened'),
      })
      expect(await store.get([key('a'), key('b')])).toEqual([key('1'), undefined])
      await store.close()
      await store.open(false)
      await store.write([put('b', '4')])
      expect(await store.get([key('a'), key('b'), key('c')])).toEqual([key('1'), key('4'), undefined])
    },
  )

  it('does not make a store where none is', async () => {
    await expect(store.open(false)).rejects.toMatchObject({ code: 'STORE_MISSING' })
    expect(store.state).toBe('closed')
    await expect(new LevelStore(join(folder, 'absent')).open(true)).rejects.toMatchObject({ code: 'STORE_MISSING' })
  })

  it('refuses a folder that another process holds, and takes it when that has ended', async () => {
    const holder = await hold(folder)
    await expect(store.open(true)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    await store.open(true)
    await store.write([put('a', '1')])
  })

  it('refuses a second handle in one process, and keeps other processes out after that', async () => {
    await store.open(true)
    await expect(new LevelStore(`${folder}/.`).open(true)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await expect(hold(folder)).rejects.toThrow(/lock/)
    await store.write([put('a', '1')])
  })
})

/** Another process with leveldown, without our wrapper. */
async function hold(folder: string): Promise<ChildProcess> {
  const script = `require(process.argv[1])(process.argv[2]).open({}, error => {
    process.stdout.write(String(error ?? 'held'))
    if (!error) setInterval(() => {}, 1000)
  })`
  const path = createRequire(import.meta.url).resolve('leveldown')
  const child = spawn(process.execPath, ['-e', script, path, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await once(child.stdout, 'data')
  if (String(said) === 'held') return child
  await once(child, 'exit')
  throw new Error(String(said))
}
