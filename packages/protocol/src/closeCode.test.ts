import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type CloseName, closeCode, isFinalClose, parseCloseReason, retryAfterSeconds } from './closeCode.ts'
import { closeMeaning } from './closeMeaning.ts'
import { closeReason } from './closeReason.ts'

it('is final for 4400 to 4499 only, and says so in the table', () => {
  for (const [name, { action }] of Object.entries(closeMeaning)) {
    const { code } = closeCode[name as CloseName]
    if (isFinalClose(code)) expect(action).toBe('stop')
    if (action === 'retry' || action === 'retry-later') expect(isFinalClose(code)).toBe(false)
  }
  expect(isFinalClose(4399)).toBe(false)
  expect(isFinalClose(4500)).toBe(false)
})

it('writes reasons of at most 123 bytes, cut at a character', () => {
  const reason = closeReason('malformed', 'ü'.repeat(100))
  expect(new TextEncoder().encode(reason).length).toBeLessThanOrEqual(123)
  expect(reason).toMatch(/^malformed: ü+$/u)
  expect(closeReason('left', 'bye')).toBe('left: bye')
})

it('takes reasons apart', () => {
  expect(parseCloseReason('bad-name: no')).toEqual({ word: 'bad-name', text: 'no' })
  expect(parseCloseReason('')).toEqual({ word: '', text: '' })
  expect(parseCloseReason('Something else')).toEqual({ word: '', text: 'Something else' })
})

it('reads the seconds to wait', () => {
  expect(retryAfterSeconds('overload: retry after 30 s')).toBe(30)
  expect(retryAfterSeconds('overload: later')).toBeNull()
})

it('has the table of PROTOCOL.md', () => {
  const text = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8')
  for (const [name, { meaning }] of Object.entries(closeMeaning)) {
    const { code, word } = closeCode[name as CloseName]
    expect(text).toContain(`| ${code} | \`${word}\` | ${meaning} |`)
  }
})
