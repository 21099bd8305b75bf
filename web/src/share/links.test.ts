import { expect, it } from 'vitest'
import { byLink, hereText, linkText, madeText, type ShareLink } from './links.ts'

const now = Date.parse('2026-12-01T12:00:00Z')
const link: ShareLink = {
  id: 'a',
  role: 'editor',
  creator: 'ann',
  createdAt: '2026-11-30T12:00:00.000Z',
  expiresAt: '2026-12-07T12:00:00.000Z',
  lastUsedAt: null,
  uses: 0,
  maxUses: null,
}
const text = (changed: Partial<ShareLink>) => linkText({ ...link, ...changed }, () => '3 h ago', now)

it('says of a link until when, how often, and when last', () => {
  const lastUsedAt = '2026-12-01T09:00:00.000Z'
  expect(text({})).toMatch(/^Until .*7.* · never opened$/)
  expect(text({ maxUses: 1 })).toMatch(/ · never opened · lets in one person$/)
  expect(text({ uses: 2, lastUsedAt })).toMatch(/ · used 2 times · last 3 h ago$/)
  expect(text({ uses: 2, maxUses: 10, lastUsedAt })).toMatch(/ · used 2 of 10 times · last 3 h ago$/)
  expect(text({ uses: 1, maxUses: 1, lastUsedAt })).toBe('Used up · used once · last 3 h ago')
  expect(text({ expiresAt: '2026-12-01T11:00:00.000Z' })).toBe('Expired · never opened')
})

it('says of a link when it was made, and by whom', () => {
  const made = (changed: Partial<ShareLink>, me: string | null = 'ann') => madeText({ ...link, ...changed }, me, now)
  expect(made({})).toMatch(/^Made .*30.* at .*\d.* by you$/)
  expect(made({ createdAt: '2026-12-01T11:50:00.000Z' })).toMatch(/^Made today at .*50.* by you$/)
  expect(made({}, 'bo')).toMatch(/ by ann$/)
  expect(made({ creator: null })).toMatch(/\d\d(?: [AP]M)?$/u)
  expect(made({ createdAt: '2025-11-30T12:00:00.000Z' })).toContain('2025')
})

it('says who is here by a link: each person once, in words', () => {
  const found = byLink([
    { user: 'ann', name: 'Ann' },
    { user: 'link:a:1', name: 'Gus' },
    { user: 'link:a:1', name: 'Gus' },
    { user: 'link:a:2', name: null },
    { user: 'link:b:1', name: 'Ida' },
    { user: null, name: null },
  ])
  expect([...found]).toEqual([
    ['a', ['Gus', 'Guest']],
    ['b', ['Ida']],
  ])
  expect(hereText([])).toBe('')
  expect(hereText(['Gus'])).toBe('Gus is here now')
  expect(hereText(['Gus', 'Hal'])).toBe('Gus and Hal are here now')
  expect(hereText(['Gus', 'Hal', 'Ida'])).toBe('Gus, Hal and Ida are here now')
  expect(hereText(['Gus', 'Hal', 'Ida', 'Jo'])).toBe('Gus, Hal and 2 others are here now')
})
