import { expect, it } from 'vitest'
import { Offences } from './Offences.ts'

it('counts the third offence within 60 s, per sender and document', () => {
  const offences = new Offences()
  expect(offences.record('a', 'x', 0)).toBe(false)
  expect(offences.record('a', 'x', 1000)).toBe(false)
  expect(offences.record('a', 'y', 2000)).toBe(false)
  expect(offences.record('b', 'x', 2000)).toBe(false)
  expect(offences.record('a', 'x', 59_999)).toBe(true)
})

it('forgets after 60 s', () => {
  const offences = new Offences()
  offences.record('a', 'x', 0)
  offences.record('a', 'x', 1)
  expect(offences.record('a', 'x', 60_000)).toBe(false)
})
