import { expect, it } from 'vitest'
import { ByteBudget } from './ByteBudget.ts'

it('holds no more than its bytes, and of one holder no more than a share', () => {
  const budget = new ByteBudget(100, 40)
  expect(budget.take(30, 'eve')).toBe(true)
  expect(budget.take(11, 'eve')).toBe(false)
  expect(budget.take(10, 'eve')).toBe(true)
  expect(budget.take(60, 'ann')).toBe(true)
  expect(budget.take(1, 'bo')).toBe(false)
  budget.give(40, 'eve')
  expect(budget.take(40, 'bo')).toBe(true)
})

it('takes anything of whoever holds nothing, where there is room, and anything at all where nothing is held', () => {
  const budget = new ByteBudget(100, 10)
  expect(budget.take(200, 'ann')).toBe(true)
  expect(budget.take(1, 'bo')).toBe(false)
  budget.give(200, 'ann')
  expect(budget.take(50, 'bo')).toBe(true)
  expect(budget.take(1, 'bo')).toBe(false)
  expect(budget.take(0, 'cy')).toBe(true)
})
