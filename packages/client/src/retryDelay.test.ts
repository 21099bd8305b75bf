import { describe, expect, it } from 'vitest'
import { backOff, retryDelay } from './retryDelay.ts'

const lowest = () => 0
const highest = () => 0.999_999

describe('backOff', () => {
  it('doubles from the first pause to the longest, of each a random half to whole', () => {
    const pauses = { firstMs: 1_000, longestMs: 60_000 }
    const delays = [1, 2, 3, 7, 2_000].map(failures => backOff(pauses, failures, highest))
    expect(delays.map(delay => Math.round(delay))).toEqual([1_000, 2_000, 4_000, 60_000, 60_000])
    expect(backOff(pauses, 1, lowest)).toBe(500)
  })
})

describe('retryDelay', () => {
  it('doubles from 200 ms to 2.5 s, of each a random half to whole', () => {
    const delays = [0, 1, 2, 3, 4, 5, 2_000].map(failures => retryDelay({ code: 1006, reason: '' }, failures, highest))
    expect(delays.map(delay => Math.round(delay))).toEqual([200, 400, 800, 1_600, 2_500, 2_500, 2_500])
    expect(retryDelay({ code: 1006, reason: '' }, 0, lowest)).toBe(100)
  })

  it('takes a link that was dropped on this side for any other failure', () => {
    expect(retryDelay(null, 0, lowest)).toBe(100)
  })

  it.each([4399, 4500, 1000, 1007, 1011])('tries again after %i', code => {
    expect(retryDelay({ code, reason: '' }, 0, lowest)).toBe(100)
  })

  it('spreads the return to a restarted server over 5 s, whatever the reason says', () => {
    expect(retryDelay({ code: 1012, reason: 'restart: retry after 60 s' }, 9, lowest)).toBe(0)
    expect(retryDelay({ code: 1012, reason: '' }, 0, () => 0.5)).toBe(2_500)
  })

  it('waits as long as an overloaded server asks, and never less', () => {
    expect(retryDelay({ code: 1013, reason: 'overload: retry after 4 s' }, 0, lowest)).toBe(4_000)
    expect(retryDelay({ code: 1013, reason: 'overload: retry after 4 s' }, 0, () => 0.5)).toBe(4_400)
    expect(retryDelay({ code: 1013, reason: 'overload' }, 0, () => 0.5)).toBe(2_500)
  })

  it('does not wait for hours because a number says so', () => {
    expect(retryDelay({ code: 1013, reason: 'overload: retry after 999999 s' }, 0, lowest)).toBe(600_000)
  })
})
