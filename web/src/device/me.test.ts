import { expect, it } from 'vitest'
import { cleanName, maxNameLength, parseMe } from './me.ts'

it('reads the person who is stored, and nobody from anything else', () => {
  expect(parseMe('{"id":"a1","name":" Ann  Lee "}')).toEqual({ id: 'a1', name: 'Ann Lee' })
  expect(parseMe('{"id":"a1"}')).toEqual({ id: 'a1', name: '' })
  for (const stored of [null, '', '{', '[]', '{"id":""}', '{"name":"x"}']) expect(parseMe(stored)).toBeNull()
})

it('makes one short line of a name', () => {
  expect(cleanName('  Ann\n\tLee\u202e ')).toBe('Ann Lee')
  expect([...cleanName('😀'.repeat(200))]).toHaveLength(maxNameLength)
  expect(cleanName(' \n ')).toBe('')
})
