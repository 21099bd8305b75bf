import { expect, it, onTestFinished, vi } from 'vitest'
import * as Y from 'yjs'
import { LocalCopy } from './LocalCopy.ts'
import type { LocalStore, StoredUpdates } from './LocalStore.ts'

it('is told at once, as long as the store does not answer, that nothing is kept', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const rows: Uint8Array[] = []
  let answer: (stored: StoredUpdates) => void = () => {}
  const store: LocalStore = {
    open: () =>
      new Promise(resolve => {
        answer = resolve
      }),
    async append(updates) {
      rows.push(...updates)
    },
    async replace() {},
    async close() {},
  }
  const ydoc = new Y.Doc()
  const copy = new LocalCopy(store, ydoc, { edits: { version: 1 }, loaded() {}, kept() {}, storeChanged() {} })
  const opening = copy.open()
  await vi.advanceTimersByTimeAsync(3_000)
  await opening
  ydoc.getText('t').insert(0, 'a')
  await expect(copy.flush()).rejects.toMatchObject({ code: 'unavailable' })
  answer({ updates: [], damage: null })
  await vi.advanceTimersByTimeAsync(0)
  await copy.flush()
  expect(rows.length).toBe(1)
  await copy.close()
})
