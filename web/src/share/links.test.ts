import { expect, it } from 'vitest'
import { linkText, type ShareLink } from './links.ts'

const now = Date.parse('2026-12-01T12:00:00Z')
const link: ShareLink = {
  id: 'a',
  role: 'editor',
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
