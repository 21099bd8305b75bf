import { parseDocumentId } from '@weft/protocol'
import { expect, it } from 'vitest'
import { newDocumentId } from './newDocumentId.ts'

it('makes names that are readable, valid and different', () => {
  const names = Array.from({ length: 500 }, () => newDocumentId())
  for (const name of names) {
    expect(name).toMatch(/^[a-z]+-[a-z]+-[2-9a-z]{8}$/)
    expect(parseDocumentId(name)).toBe(name)
  }
  expect(new Set(names).size).toBe(names.length)
})

it('uses every choice that it has', () => {
  const limits = new Set<number>()
  newDocumentId(limit => {
    limits.add(limit)
    return limit - 1
  })
  expect([...limits].every(limit => limit >= 30)).toBe(true)
  expect(newDocumentId(limit => limit - 1)).not.toContain('undefined')
})
