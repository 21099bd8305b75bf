import { StoreError } from './errors.ts'
import type { LocalStore } from './LocalStore.ts'

/**
 * `y-indexeddb`'s format (9.0), so that its databases go on opening, in an old tab of the same page too: one database per
 * document, whose object store `updates` has one row per update under ascending numbers; `custom` is there and empty.
 *
 * Why not `y-indexeddb` itself; all of it seen in Chromium:
 * - It confirms nothing. A write for which there was no room is lost without an error, an event or a rejection.
 * - It grows by being opened: a row each time, of the whole document where the `Y.Doc` had content (five openings, five copies).
 * - It compacts a second after the last write of more than 500: not while somebody types on, and never for a page that is
 *   closed before (600 writes and a close leave 601 rows, and the next opening 602).
 * - A row that is no update leaves it neither loaded nor failed (`whenSynced` never settles), and edits are written behind it.
 * - Where the browser has closed the database (somebody clears the site's data), every edit throws out of the `Y.Doc`.
 */
const version = 1
const rows = 'updates'

/**
 * Keeps a document in the browser's IndexedDB, so that it opens without a network and keeps what is written offline.
 *
 * Writes have the durability `strict`: they are confirmed when they are on the disk. `relaxed`, the default of Chromium and
 * Safari, confirms what the operating system has been given: that survives a killed tab or browser too, but no loss of power.
 * Measured in Chromium on an SSD: 1.6 ms for a write, 0.3 ms with `relaxed`.
 * Tabs share a database; each reads the others' rows when it opens.
 * @param name the database's name: one per server and document.
 * @example
 * ```js
 * const kept = await connect(url, { store: indexedDbStore(url) })
 * kept.ydoc.getText('notes').insert(0, 'written here')
 * await kept.saved('local') // in this browser's database
 * await kept.close()
 * ```
 */
export function indexedDbStore(name: string): LocalStore {
  let db: IDBDatabase | undefined
  /** Keys of the rows that were read or written since `open`. */
  let known: IDBValidKey[] = []

  /** One transaction; resolves when it is on the disk. */
  const write = (run: (updates: IDBObjectStore) => IDBValidKey[]): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      const transaction = opened(db, name).transaction(rows, 'readwrite', { durability: 'strict' })
      const keys = run(transaction.objectStore(rows))
      transaction.oncomplete = () => {
        known.push(...keys)
        resolve()
      }
      transaction.onabort = () => reject(transaction.error)
      // Not when the page gets to it: it may be about to close.
      transaction.commit()
    }).catch(error => {
      throw storeError(name, error)
    })

  const add = (updates: IDBObjectStore, update: Uint8Array, keys: IDBValidKey[]): void => {
    const request = updates.add(update)
    request.onsuccess = () => keys.push(request.result)
  }

  return {
    async open(lost) {
      try {
        const database = await openDatabase(name)
        // Somebody deletes the database or brings a newer version: it would wait for this page.
        database.onversionchange = () => {
          database.close()
          lost(new StoreError('unavailable', `the database ${name} is being changed by another page`))
        }
        database.onclose = () => lost(new StoreError('unavailable', `the browser has closed the database ${name}`))
        db = database
        const { keys, values } = await readAll(database)
        known = keys
        const updates = values.filter(value => value instanceof Uint8Array)
        const broken = values.length - updates.length
        return { updates, damage: broken === 0 ? null : `${broken} of ${values.length} rows of ${name} are no updates` }
      } catch (error) {
        throw storeError(name, error)
      }
    },
    append(updates) {
      return write(store => {
        const keys: IDBValidKey[] = []
        for (const update of updates) add(store, update, keys)
        return keys
      })
    },
    replace(update) {
      const replaced = known
      return write(store => {
        known = []
        const keys: IDBValidKey[] = []
        for (const key of replaced) store.delete(key)
        add(store, update, keys)
        return keys
      })
    },
    async close() {
      // What is under way goes on to its end.
      db?.close()
      db = undefined
    },
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version)
    request.onupgradeneeded = () => {
      request.result.createObjectStore(rows, { autoIncrement: true })
      request.result.createObjectStore('custom')
    }
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function readAll(db: IDBDatabase): Promise<{ keys: IDBValidKey[]; values: unknown[] }> {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(rows)
    const store = transaction.objectStore(rows)
    const keys = store.getAllKeys()
    const values = store.getAll()
    transaction.oncomplete = () => resolve({ keys: keys.result, values: values.result })
    transaction.onabort = () => reject(transaction.error)
  })
}

function opened(db: IDBDatabase | undefined, name: string): IDBDatabase {
  if (db === undefined) throw new StoreError('unavailable', `the database ${name} is not open`)
  return db
}

function storeError(name: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const { name: kind = '', message = String(error) } = (error ?? {}) as { name?: string; message?: string }
  const text = `the database ${name}: ${message || kind}`
  if (kind === 'QuotaExceededError') return new StoreError('full', text, { cause: error })
  // Not what this wrote: a database of a newer version, or without its object stores.
  if (kind === 'VersionError' || kind === 'NotFoundError') return new StoreError('damaged', text, { cause: error })
  return new StoreError('unavailable', text, { cause: error })
}
