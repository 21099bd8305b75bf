import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import { Recheck } from './Recheck.ts'

/** Each look takes 10 ms. */
function setUp() {
  let now = 0
  let timer: { at: number; ring: () => void } | null = null
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    setTimer: (callback, delayMs) => {
      timer = { at: now + delayMs, ring: callback }
      return timer
    },
    clearTimer: () => {},
    soon: callback => callback(),
  }
  const looks: number[] = []
  const recheck = new Recheck(clock, () => {
    looks.push(now)
    now += 10
  })
  const ring = () => {
    if (timer === null) throw new Error('no timer is set')
    now = timer.at
    timer.ring()
  }
  return { recheck, looks, ring }
}

it('[threat P2] all look at their rights at once, and those who ask again and again are one within a pause', async () => {
  const { recheck, looks, ring } = setUp()
  await recheck.ask()
  expect(looks).toEqual([0])
  const settled: number[] = []
  const asked = [1, 2, 3].map(number => recheck.ask().then(() => settled.push(number)))
  expect(looks).toEqual([0])
  ring()
  await Promise.all(asked)
  // Nine times as long as it took, and within the second that revocations have.
  expect([looks, settled]).toEqual([
    [0, 100],
    [1, 2, 3],
  ])
  ring()
  await recheck.ask()
  expect(looks).toEqual([0, 100, 200])
})
