import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import type { LogState } from '../log/UpdateLog.ts'
import { RECOVERY_INTERVAL_MS, StoreRecovery } from './StoreRecovery.ts'

it('[threat S5] a log that a compaction or a deletion left failing is opened again, though nobody writes', async () => {
  let ring = () => {}
  const waits: number[] = []
  const clock = {
    setTimer: (callback: () => void, delayMs: number) => {
      waits.push(delayMs)
      ring = callback
    },
    clearTimer: () => {
      ring = () => {}
    },
  } as unknown as Clock
  let isDiskFull = true
  const log = {
    state: 'failed' as LogState,
    reopenings: 0,
    reopen: async () => {
      log.reopenings++
      if (isDiskFull) throw new Error('no space left on device')
      log.state = 'open'
    },
  }
  const recovery = new StoreRecovery(log, clock, pino({ level: 'silent' }))
  const pass = async () => {
    ring()
    await new Promise(setImmediate)
  }
  recovery.start()
  await pass()
  expect([log.state, log.reopenings]).toEqual(['failed', 1])
  isDiskFull = false
  await pass()
  expect([log.state, log.reopenings]).toEqual(['open', 2])
  await pass()
  expect(log.reopenings).toBe(2)
  expect(new Set(waits)).toEqual(new Set([RECOVERY_INTERVAL_MS]))
  log.state = 'failed'
  recovery.stop()
  await pass()
  expect(log.reopenings).toBe(2)
})
