import { expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { Pressure } from './Pressure.ts'

it('is high where edits that wait are too many bytes, or where documents take too much; a write that takes too long is a stall', () => {
  const committer = { pendingBytes: 0, stalledMs: 0 }
  const rooms = { isOverMemory: false }
  let now = 0
  const clock = { ...systemClock, now: () => now }
  const pressure = new Pressure(committer, rooms, { maxPendingBytes: 1000, maxPendingSeconds: 5 }, clock)
  expect(pressure.isHigh).toBe(false)
  committer.pendingBytes = 1001
  expect(pressure.isHigh).toBe(true)
  committer.pendingBytes = 1000
  expect([pressure.isHigh, pressure.isStalled]).toEqual([false, false])
  committer.stalledMs = 5001
  expect([pressure.isHigh, pressure.isStalled]).toEqual([false, true])
  rooms.isOverMemory = true
  // Looked at now and then: it is asked for every message.
  now = 21
  expect(pressure.isHigh).toBe(true)
})
