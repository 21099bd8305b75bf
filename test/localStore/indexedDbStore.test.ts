import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { testServer } from '../support/testServer.ts'
import { ChromiumProcess, type TabProgram } from './ChromiumProcess.ts'
import { localStoreSuite, type StorePlace } from './localStoreSuite.ts'

let chromium: ChromiumProcess
let placeCount = 0

beforeAll(async () => {
  chromium = await ChromiumProcess.start()
})
afterAll(() => chromium?.stop())

/** The rows of a database: key, size and a sum of its bytes; or what else it is. */
async function rowsOf(tab: TabProgram, name: string): Promise<{ key: number; bytes: number; sum: number | string }[]> {
  return tab.page.evaluate(async name => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    const db = await done(indexedDB.open(name))
    const store = db.transaction('updates').objectStore('updates')
    const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())])
    db.close()
    return keys.map((key, i) => {
      const value: unknown = values[i]
      if (!(value instanceof Uint8Array)) return { key: key as number, bytes: 0, sum: String(value) }
      return { key: key as number, bytes: value.length, sum: value.reduce((sum, byte) => (sum * 31 + byte) | 0, 0) }
    })
  }, name)
}

async function place(quota: number | null = null): Promise<StorePlace> {
  const origin = chromium.origin(`place${++placeCount}`)
  let tabs: TabProgram[] = []
  const withTab = async <T>(work: (tab: TabProgram) => Promise<T>): Promise<T> => {
    const tab = await chromium.tab(origin)
    return work(tab).finally(() => tab.stop())
  }
  return {
    async program() {
      const tab = await chromium.tab(origin)
      tabs.push(tab)
      // Chromium looks once in half a minute how much room there is: it has to be little from the start.
      if (quota !== null) await tab.limitQuota(origin, quota)
      return tab
    },
    async killAll() {
      tabs = []
      await chromium.kill()
    },
    async look(name) {
      const rows = await withTab(tab => rowsOf(tab, name))
      const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
      return { fingerprint: JSON.stringify(rows), bytes }
    },
    damage: name =>
      withTab(tab =>
        tab.page.evaluate(
          name =>
            new Promise<void>((resolve, reject) => {
              const request = indexedDB.open(name)
              request.onsuccess = () => {
                const transaction = request.result.transaction('updates', 'readwrite')
                const updates = transaction.objectStore('updates')
                const keys = updates.getAllKeys()
                keys.onsuccess = () => updates.put('no update', keys.result[1])
                transaction.oncomplete = () => {
                  request.result.close()
                  resolve()
                }
                transaction.onabort = () => reject(transaction.error)
              }
            }),
          name,
        ),
      ),
    async makeRoom() {
      for (const tab of tabs) await tab.limitQuota(origin, null)
    },
    async remove() {
      for (const tab of tabs) await tab.stop()
    },
  }
}

localStoreSuite(
  'indexedDbStore',
  'both write',
  () => place(),
  () => place(3_000_000),
)

async function newTab(origin = chromium.origin(`place${++placeCount}`)): Promise<TabProgram> {
  const tab = await chromium.tab(origin)
  onTestFinished(() => tab.stop())
  return tab
}

describe('indexedDbStore', () => {
  it('opens what y-indexeddb has written, and leaves what y-indexeddb opens', async () => {
    const tab = await newTab()
    await tab.page.evaluate(`(async () => {
      for (const word of ['one ', 'two ', 'three ']) {
        const ydoc = new Y.Doc()
        const kept = new IndexeddbPersistence('weft/team/notes', ydoc)
        await kept.whenSynced
        ydoc.getText('t').insert(ydoc.getText('t').length, word)
        await kept.destroy()
      }
    })()`)
    // A row for each opening, and one for each word.
    expect(await rowsOf(tab, 'weft/team/notes')).toHaveLength(6)
    const server = await testServer()
    const opened = await tab.call('connect', `${server.socketUrl}/a`, 'weft/team/notes')
    expect(opened).toEqual({ text: 'one two three ', storeError: null })
    await tab.call('insert', 'four', 'three ')
    await tab.call('saved', 'local')
    await tab.call('closeDocument')
    const seen = await tab.page.evaluate(`(async () => {
      const ydoc = new Y.Doc()
      const kept = new IndexeddbPersistence('weft/team/notes', ydoc)
      await kept.whenSynced
      await kept.destroy()
      return ydoc.getText('t').toString()
    })()`)
    expect(seen).toBe('one two three four')
  })

  it('works beside a tab that still has y-indexeddb', async () => {
    const origin = chromium.origin(`place${++placeCount}`)
    const [old, tab] = [await newTab(origin), await newTab(origin)]
    await old.page.evaluate(`(async () => {
      window.ydoc = new Y.Doc()
      window.kept = new IndexeddbPersistence('notes', ydoc)
      await kept.whenSynced
      ydoc.getText('t').insert(0, 'old')
    })()`)
    const server = await testServer()
    await tab.call('connect', `${server.socketUrl}/a`, 'notes')
    await tab.call('insert', 'new', 'old')
    await tab.call('saved', 'local')
    await old.page.evaluate(`(async () => {
      ydoc.getText('t').insert(0, 'and ')
      await kept.destroy()
    })()`)
    await tab.call('closeDocument')
    expect((await tab.call('connect', 'ws://127.0.0.1:9/a', 'notes')).text).toBe('and oldnew')
    await tab.call('closeDocument')
  })

  it('tells when the browser takes its database away; a document then writes all of it anew', async () => {
    const origin = chromium.origin(`place${++placeCount}`)
    const tab = await newTab(origin)
    const server = await testServer()
    await tab.call('connect', `${server.socketUrl}/a`, 'notes')
    await tab.call('insert', 'kept', '')
    await tab.call('saved', 'local')
    await server.kill()
    await tab.clearData(origin)
    await eventually('the database to be filled again', async () => {
      const { storeError, unsavedLocally } = await tab.call('state')
      return storeError === null && unsavedLocally === 0 && (await rowsOf(tab, 'notes')).length === 1
    })
    await tab.kill()
    const next = await newTab(origin)
    expect((await next.call('connect', 'ws://127.0.0.1:9/a', 'notes')).text).toBe('kept')
  })

  it('tells a document that there is no room, which lives on and is kept as soon as there is', async () => {
    const origin = chromium.origin(`place${++placeCount}`)
    const tab = await newTab(origin)
    const server = await testServer()
    await tab.call('connect', `${server.socketUrl}/a`, 'notes')
    await tab.call('saved', 'local')
    await tab.limitQuota(origin, 1_000)
    await tab.call('insert', 'a'.repeat(100_000), '')
    await expect(tab.call('saved', 'local')).rejects.toMatchObject({ code: 'full' })
    await tab.call('saved', 'server')
    expect(await tab.call('state')).toEqual({ unsaved: 0, unsavedLocally: 1, storeError: 'full' })
    await tab.limitQuota(origin, null)
    await tab.call('saved', 'local')
    expect(await tab.call('state')).toEqual({ unsaved: 0, unsavedLocally: 0, storeError: null })
    await tab.call('closeDocument')
    expect((await tab.call('connect', 'ws://127.0.0.1:9/a', 'notes')).text).toHaveLength(100_000)
    await tab.call('closeDocument')
  })

  it('has the last edits when the page is left at once', async () => {
    const origin = chromium.origin(`place${++placeCount}`)
    const tab = await newTab(origin)
    const server = await testServer()
    await tab.call('connect', `${server.socketUrl}/a`, 'notes')
    await server.kill()
    // The second one is written after a pause.
    await tab.call('insert', 'one', '')
    await tab.call('insert', ' two', 'one')
    await tab.page.goto('about:blank')
    const next = await newTab(origin)
    expect((await next.call('connect', 'ws://127.0.0.1:9/a', 'notes')).text).toBe('one two')
  })

  it('says that a database of a newer version is none of its own', async () => {
    const tab = await newTab()
    await tab.page.evaluate(
      () =>
        new Promise<void>(resolve => {
          const request = indexedDB.open('notes', 2)
          request.onsuccess = () => {
            request.result.close()
            resolve()
          }
        }),
    )
    await expect(tab.call('open', 'notes')).rejects.toMatchObject({ code: 'damaged' })
  })
})
