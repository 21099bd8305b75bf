import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addRanges, coversRanges, cutOff, normaliseRanges, type Ranges } from './ranges.ts'

const range = fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 12 }))
const someRanges = fc
  .array(range, { maxLength: 60 })
  .map(list => list.flatMap(([start, length]) => [start, start + length]))

function clocksOf(ranges: Ranges): Set<number> {
  const clocks = new Set<number>()
  for (let index = 0; index < ranges.length; index += 2) {
    for (let clock = ranges[index] ?? 0; clock < (ranges[index + 1] ?? 0); clock++) clocks.add(clock)
  }
  return clocks
}

function sorted(clocks: Set<number>): number[] {
  return [...clocks].sort((a, b) => a - b)
}

/** Sorted, disjoint and not touching. */
function isNormal(ranges: Ranges): boolean {
  return ranges.every((clock, index) => index === 0 || clock > (ranges[index - 1] ?? 0))
}

describe('ranges', () => {
  it('sorts and merges what comes in any order', () => {
    expect(normaliseRanges([5, 7, 0, 2, 2, 3, 6, 9])).toEqual([0, 3, 5, 9])
    fc.assert(
      fc.property(someRanges, ranges => {
        const normal = normaliseRanges(ranges)
        expect(isNormal(normal)).toBe(true)
        expect(sorted(clocksOf(normal))).toEqual(sorted(clocksOf(ranges)))
      }),
    )
  })

  it('adds few ranges and many', () => {
    fc.assert(
      fc.property(someRanges, someRanges, (target, added) => {
        const union = addRanges(normaliseRanges(target), normaliseRanges(added))
        expect(isNormal(union)).toBe(true)
        expect(union).toEqual(normaliseRanges([...target, ...added]))
      }),
    )
  })

  it('adds one range at any place of a long list', () => {
    fc.assert(
      fc.property(fc.nat(999), fc.integer({ min: 1, max: 40 }), (start, length) => {
        const target = Array.from({ length: 200 }, (_, index) => [index * 5, index * 5 + 2]).flat()
        expect(addRanges([...target], [start, start + length])).toEqual(
          normaliseRanges([...target, start, start + length]),
        )
      }),
    )
  })

  it('tells whether all is covered', () => {
    fc.assert(
      fc.property(someRanges, someRanges, (outer, inner) => {
        const known = clocksOf(outer)
        const isCovered = [...clocksOf(inner)].every(clock => known.has(clock))
        expect(coversRanges(normaliseRanges(outer), normaliseRanges(inner))).toBe(isCovered)
        expect(coversRanges(normaliseRanges([...outer, ...inner]), normaliseRanges(inner))).toBe(true)
      }),
    )
  })

  it('cuts off what lies before a clock', () => {
    fc.assert(
      fc.property(someRanges, fc.nat(220), (ranges, clock) => {
        const rest = cutOff(normaliseRanges(ranges), clock)
        expect(sorted(clocksOf(rest))).toEqual(sorted(clocksOf(ranges)).filter(other => other >= clock))
      }),
    )
  })
})
