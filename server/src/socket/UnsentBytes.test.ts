import { expect, it } from 'vitest'
import { UnsentBytes } from './UnsentBytes.ts'

const KiB = 1024

it('lets each connection have its bound, until all together have half of theirs: then 64 KiB', () => {
  const unsent = new UnsentBytes(1024 * KiB, 10_000 * KiB)
  unsent.changed(5000 * KiB)
  expect(unsent.bound).toBe(1024 * KiB)
  unsent.changed(1)
  expect(unsent.bound).toBe(64 * KiB)
  unsent.changed(-2)
  expect(unsent.bound).toBe(1024 * KiB)
})

it('lets those go who have more, where there is no room for all: nobody who reads', () => {
  const unsent = new UnsentBytes(1024 * KiB, 10_000 * KiB)
  unsent.changed(10_000 * KiB)
  expect(unsent.isTooMuch(1024 * KiB)).toBe(false)
  unsent.changed(1)
  expect([unsent.isTooMuch(64 * KiB + 1), unsent.isTooMuch(64 * KiB)]).toEqual([true, false])
})
