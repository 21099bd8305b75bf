import { expect, it } from 'vitest'
import { diffLines } from './followLines.ts'

it('tells where two texts differ, line by line, in order', () => {
  const before = ['a', 'b', 'c', 'd', 'e']
  expect(diffLines(before, before)).toEqual([])
  expect(diffLines(before, ['a', 'B', 'c', 'e', 'f'])).toEqual([
    { line: 2, removed: ['b'], inserted: ['B'] },
    { line: 4, removed: ['d'], inserted: [] },
    { line: 5, removed: [], inserted: ['f'] },
  ])
  expect(diffLines([''], ['x', 'y'])).toEqual([{ line: 1, removed: [''], inserted: ['x', 'y'] }])
})
