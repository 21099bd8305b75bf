import { expect, it } from 'vitest'
import type { Clock } from './clock.ts'
import { Sweep } from './Sweep.ts'

/** A clock that this test moves; timers that are due ring when it has moved. */
function movedClock() {
  let now = 0
  let timers: { at: number; ring: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    setTimer: (ring, delayMs) => {
      const timer = { at: now + delayMs, ring }
      timers.push(timer)
      return timer
    },
    clearTimer: timer => {
      timers = timers.filter(other => other !== timer)
    },
    soon: callback => callback(),
  }
  const move = (ms: number) => {
    now += ms
    const due = timers.filter(({ at }) => at <= now)
    timers = timers.filter(({ at }) => at > now)
    for (const { ring } of due) ring()
  }
  return { clock, move, count: () => timers.length }
}

it('calls back every so often, as long as it is wanted, and begins once', () => {
  const { clock, move, count } = movedClock()
  let left = 3
  const sweep = new Sweep(clock, 5000, () => --left > 0)
  sweep.start()
  sweep.start()
  expect(count()).toBe(1)
  move(4999)
  expect(left).toBe(3)
  for (const expected of [2, 1, 0, 0]) {
    move(5000)
    expect(left).toBe(expected)
  }
  expect(count()).toBe(0)
})

it('judges nobody before what came while the process stood still has been read', () => {
  const { clock, move } = movedClock()
  let calls = 0
  const sweep = new Sweep(clock, 5000, () => ++calls < 10)
  sweep.start()
  // Late by its interval and no more: the machine is busy.
  move(10_000)
  expect(calls).toBe(1)
  move(60_000)
  expect(calls).toBe(1)
  move(1000)
  expect(calls).toBe(2)
  move(5000)
  expect(calls).toBe(3)
})

it('calls back no more after it was stopped', () => {
  const { clock, move, count } = movedClock()
  let calls = 0
  const sweep = new Sweep(clock, 5000, () => ++calls > 0)
  sweep.start()
  sweep.stop()
  move(5000)
  expect([calls, count()]).toEqual([0, 0])
})
