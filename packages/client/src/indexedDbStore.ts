import { IndexeddbPersistence } from 'y-indexeddb'
import type { LocalStore } from './LocalStore.ts'

/**
 * Keeps a document in the browser's IndexedDB (`y-indexeddb`), so that it opens without a network and keeps what is
 * written offline.
 * @param name the database's name: one per server and document.
 */
export function indexedDbStore(name: string): LocalStore {
  let persistence: IndexeddbPersistence | undefined
  return {
    async open(ydoc) {
      const opened = new IndexeddbPersistence(name, ydoc)
      persistence = opened
      // `whenSynced` alone would never settle where the database can't be opened.
      await opened._db
      await opened.whenSynced
      return { isEmpty: ydoc.store.clients.size === 0 }
    },
    async close() {
      await persistence?.destroy()
    },
  }
}
