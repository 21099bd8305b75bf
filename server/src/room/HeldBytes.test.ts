import type { DocumentId } from '@weft/protocol'
import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import type { StoredDocument } from '../log/UpdateLog.ts'
import { BytesCache } from './BytesCache.ts'
import { HeldBytes } from './HeldBytes.ts'

const entry = { seq: 1, update: Uint8Array.of(0, 0), time: 1 }
const stored = { head: 1, keptAfter: 0, snapshotSeq: 0, snapshot: null, entries: [entry] } as unknown as StoredDocument

/** `reads`: how often the store was asked. `wait` lets time pass, and the cache's timer fire. */
function newHolder() {
  let now = 0
  let reads = 0
  const timers: (() => void)[] = []
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    setTimer: callback => timers.push(callback),
    clearTimer: () => {},
    soon: callback => callback(),
  }
  const bytesCache = new BytesCache({ cacheBytes: 1e6, maxLoadedBytes: 1e6, maxWaitSeconds: 1 }, clock)
  const log = {
    read: async () => {
      reads++
      return stored
    },
    readRemains: async () => {
      throw new Error('nothing is damaged')
    },
  }
  const documentId = 'notes' as DocumentId
  const held = new HeldBytes(stored, { documentId, log, bytesCache, clock, head: () => 1, isNeeded: () => false })
  const use = async () => {
    await held.load()
    held.unused()
  }
  const wait = (ms: number) => {
    now += ms
    for (const fire of timers.splice(0)) fire()
  }
  return { held, use, wait, reads: () => reads }
}

it('lets go of a small document when nobody needs it, and keeps one that is asked for again and again', async () => {
  const { held, use, wait, reads } = newHolder()
  await use()
  expect([held.heldBytes, reads()]).toEqual([0, 0])
  for (let i = 0; i < 5; i++) {
    wait(1000)
    await use()
  }
  expect(reads()).toBe(1)
  expect(held.heldBytes).toBeGreaterThan(0)
  wait(10_000)
  expect(held.heldBytes).toBe(0)
})

it('keeps nothing of a small document that is asked for now and then', async () => {
  const { held, use, wait, reads } = newHolder()
  for (let i = 1; i <= 3; i++) {
    await use()
    wait(20_000)
    expect(held.heldBytes).toBe(0)
  }
  expect(reads()).toBe(2)
})
