import { expect, it } from 'vitest'
import { agoText } from './agoText.ts'

const now = new Date(2026, 10, 21, 12, 0).getTime()
const ago = (ms: number) => agoText(now - ms, now, 'en')
const minute = 60_000
const hour = 60 * minute

it('says how long ago something was as a person would', () => {
  expect(ago(0)).toBe('just now')
  expect(ago(-5 * minute)).toBe('just now')
  expect(ago(5 * minute)).toBe('5 min. ago')
  expect(ago(3 * hour)).toBe('3 hr. ago')
  expect(ago(13 * hour)).toBe('yesterday')
  expect(ago(3 * 24 * hour)).toBe('3 days ago')
  expect(agoText(new Date(2026, 2, 4).getTime(), now, 'en')).toBe('Mar 4')
  expect(agoText(new Date(2024, 2, 4).getTime(), now, 'en')).toBe('Mar 4, 2024')
})
