import { expect, it } from 'vitest'
import { NewDocuments } from './NewDocuments.ts'

it('lets everybody begin ten at once, and one more each 6 s, whatever others do', () => {
  const documents = new NewDocuments(10)
  for (let i = 0; i < 10; i++) expect(documents.take('ann', 0)).toBe(0)
  expect(documents.take('ann', 0)).toBe(6000)
  // Not counted: it doesn't get later by asking.
  expect(documents.take('ann', 3000)).toBe(3000)
  expect(documents.take('bo', 3000)).toBe(0)
  expect(documents.take('ann', 6001)).toBe(0)
  expect(documents.take('ann', 6001)).toBeGreaterThan(5900)
})
