import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import { Saving } from './Saving.ts'
import { SPACE_INTERVAL_MS, SpaceWatch } from './SpaceWatch.ts'

const MiB = 2 ** 20

/** A disk, a clock that stands still but for `tick`, and what the log says. */
function watch(minFreeBytes: number, minFreePercent: number) {
  const disk = { freeBytes: 0, totalBytes: 10_000 * MiB, isBroken: false }
  const timers: { callback: () => void; delayMs: number }[] = []
  const clock: Clock = {
    now: () => 0,
    wallTime: () => 0,
    setTimer: (callback, delayMs) => {
      const timer = { callback, delayMs }
      timers.push(timer)
      return timer
    },
    clearTimer: timer => {
      timers.splice(timers.indexOf(timer as (typeof timers)[number]), 1)
    },
    soon: callback => callback(),
  }
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line).msg) })
  const saving = new Saving()
  const states: string[] = []
  saving.onChange(() => states.push(saving.state))
  const measure = async () => {
    if (disk.isBroken) throw new Error('EIO')
    return disk
  }
  const spaceWatch = new SpaceWatch(measure, saving, clock, logger, { minFreeBytes, minFreePercent })
  const tick = async () => {
    const [timer] = timers.splice(0)
    expect(timer?.delayMs).toBe(SPACE_INTERVAL_MS)
    timer?.callback()
    await new Promise(resolve => setImmediate(resolve))
  }
  return { disk, spaceWatch, states, lines, tick, timers }
}

it('[threat S5] lets nobody write below the larger of the two bounds, and everybody a tenth above it', async () => {
  const { disk, spaceWatch, states, lines, tick, timers } = watch(512 * MiB, 5)
  for (const [freeMiB, expected] of [
    [513, []],
    [511, ['disk-full']],
    [560, ['disk-full']],
    [564, ['disk-full', 'saving']],
  ] as const) {
    disk.freeBytes = freeMiB * MiB
    if (timers.length === 0) await spaceWatch.start()
    else await tick()
    expect([freeMiB, states]).toEqual([freeMiB, expected])
  }
  expect(lines).toEqual([expect.stringContaining('can only be read now'), expect.stringContaining('space')])
  disk.totalBytes = 20_000 * MiB
  disk.freeBytes = 999 * MiB
  await tick()
  expect(states.at(-1)).toBe('disk-full')
  // A disk that can't be asked is as it was before, and is asked again.
  disk.isBroken = true
  await tick()
  expect(states.at(-1)).toBe('disk-full')
  disk.isBroken = false
  disk.freeBytes = 1200 * MiB
  await tick()
  expect(states.at(-1)).toBe('saving')
  spaceWatch.stop()
  expect(timers).toEqual([])
})
