import { expect, it } from 'vitest'
import { KeyedRate } from './KeyedRate.ts'

it('a rate in minutes, with a burst of some of them', () => {
  const rate = KeyedRate.perMinute(6, 2)
  expect([rate.take('a', 0, 12), rate.take('a', 0)]).toEqual([0, 10_000])
  expect(KeyedRate.perMinute(6).take('a', 0, 6)).toBe(0)
})

it('a rate for each key: a burst, then so many a second, and the time to wait', () => {
  const rate = new KeyedRate(2, 3)
  expect([rate.take('a', 0), rate.take('a', 0, 2)]).toEqual([0, 0])
  expect([rate.take('a', 0), rate.take('a', 0), rate.take('b', 0)]).toEqual([500, 500, 0])
  expect([rate.take('a', 500), rate.take('a', 500, 2)]).toEqual([0, 1000])
})
