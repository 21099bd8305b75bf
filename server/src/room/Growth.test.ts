import { expect, it } from 'vitest'
import { Growth, type SizeState } from './Growth.ts'

const LIMITS = { warnDocumentBytes: 400, maxDocumentBytes: 1600, maxDocumentClients: 10 }

function setUp() {
  const states: SizeState[] = []
  const growth = new Growth(LIMITS, state => states.push(state))
  return { growth, states }
}

it('warns of a large document, takes nothing more into a full one, and does again when it is clearly smaller', () => {
  const { growth, states } = setUp()
  growth.measure(399, false)
  expect(growth.refuses(399, 1)).toBe(false)
  growth.measure(400, false)
  growth.measure(1599, false)
  expect(growth.refuses(1599, 1)).toBe(false)
  expect(growth.refuses(1599, 2)).toBe(true)
  // As long as it isn't compacted, it may still be as large as before.
  growth.measure(100, false)
  growth.measure(1500, true)
  expect(growth.refuses(1500, 1)).toBe(true)
  growth.measure(1499, true)
  expect(growth.refuses(1499, 1)).toBe(false)
  growth.measure(10, true)
  expect(states).toEqual(['large', 'full', 'large', 'fine'])
})

it('refuses an update that is too large by itself, and lets others write on', () => {
  const { growth, states } = setUp()
  expect(growth.refuses(0, 1601)).toBe(true)
  growth.measure(1000, false)
  expect(growth.refuses(1000, 1000)).toBe(true)
  expect(growth.refuses(1000, 1)).toBe(false)
  expect(states).toEqual(['large'])
})
