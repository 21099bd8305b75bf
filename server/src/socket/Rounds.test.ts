import { expect, it } from 'vitest'
import { SimulatedClock } from '../../../test/simulation/SimulatedClock.ts'
import { Rounds } from './Rounds.ts'

function newRounds() {
  const clock = new SimulatedClock()
  const visits: { member: number; at: number }[] = []
  const rounds = new Rounds<number>(clock.forLife({ isOver: false }), 5000, member =>
    visits.push({ member, at: clock.now() }),
  )
  return { clock, rounds, visits }
}

it('visits each member once in an interval, and never many together', async () => {
  const { clock, rounds, visits } = newRounds()
  for (let member = 0; member < 1000; member++) rounds.add(member)
  await clock.runUntil(clock.now() + 5000)
  expect(visits.map(({ member }) => member).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  expect(new Set(visits.map(({ at }) => at)).size).toBe(50)
  await clock.runUntil(clock.now() + 10_000)
  expect(visits.length).toBe(3000)
})

it('visits whoever is alone an interval after it came, and then so every interval', async () => {
  const { clock, rounds, visits } = newRounds()
  for (const member of [1, 2]) {
    const from = clock.now()
    rounds.add(member)
    await clock.runUntil(from + 4999)
    expect(visits).toEqual([])
    await clock.runUntil(from + 15_000)
    expect(visits.splice(0).map(({ at }) => at - from)).toEqual([5000, 10_000, 15_000])
    rounds.delete(member)
    await clock.runUntil(clock.now() + 730)
  }
})

it('visits nobody who has gone, and nobody once it was stopped', async () => {
  const { clock, rounds, visits } = newRounds()
  for (let member = 0; member < 100; member++) rounds.add(member)
  for (let member = 0; member < 99; member++) rounds.delete(member)
  expect([rounds.size, [...rounds.members()]]).toEqual([1, [99]])
  await clock.runUntil(clock.now() + 5000)
  expect(visits.map(({ member }) => member)).toEqual([99])
  rounds.stop()
  await clock.runUntil(clock.now() + 50_000)
  expect(visits.length).toBe(1)
})
