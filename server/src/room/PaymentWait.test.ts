import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import { PaymentWait } from './PaymentWait.ts'

function setUp() {
  let now = 0
  const timers: { at: number; ring: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    setTimer: (ring, delayMs) => timers.push({ at: now + delayMs, ring }),
    clearTimer: () => {},
    soon: callback => callback(),
  }
  const runUntil = (until: number) => {
    for (let next = timers.shift(); next !== undefined; next = timers.shift()) {
      if (next.at > until) {
        timers.unshift(next)
        break
      }
      now = next.at
      next.ring()
    }
    now = until
  }
  const wait = new PaymentWait(clock)
  const told: string[] = []
  let isWanted = true
  const begin = () =>
    wait
      .begin(
        () => isWanted,
        5000,
        () => told.push('too long'),
      )
      .then(() => told.push('over'))
  return { wait, begin, runUntil, told, leave: () => (isWanted = false) }
}

it('[threat K6] a session that is owed much waits until it is owed less', async () => {
  const { wait, begin, runUntil, told } = setUp()
  const waiting = begin()
  runUntil(4500)
  expect(told).toEqual([])
  wait.end()
  await waiting
  // What is left of its timer concerns nobody, nor a wait that began later.
  const again = begin()
  runUntil(9000)
  expect(told).toEqual(['over'])
  wait.end()
  await again
})

it('[threat K6] it waits no longer than it may, and not where nobody is there any more', async () => {
  const slow = setUp()
  const waiting = slow.begin()
  slow.runUntil(5000)
  await waiting
  expect(slow.told).toEqual(['too long', 'over'])
  const gone = setUp()
  const left = gone.begin()
  gone.leave()
  gone.runUntil(1000)
  await left
  expect(gone.told).toEqual(['over'])
})
