import fc from 'fast-check'
import { expect, it } from 'vitest'
import { UsageError } from './errors.ts'
import { readRename } from './import/Names.ts'
import { quoteName, unquoteName } from './quoteName.ts'

it.each([
  ['team/notes', 'team/notes'],
  ['Größe/数🌊', 'Größe/数🌊'],
  ['with spaces', '"with spaces"'],
  ['', '""'],
  ['a\0b', '"a\\u0000b"'],
  ['a\u202eb', '"a\\u202eb"'],
  ['cafe\u0301', '"cafe\\u0301"'],
  ['"quoted"', '"\\"quoted\\""'],
  ['\ud800', '"\\ud800"'],
])('%j is shown as %s', (name, shown) => {
  expect(quoteName(name)).toBe(shown)
})

it('what is shown can be typed: it is read as the same name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), name => {
      expect(unquoteName(quoteName(name), '--only')).toBe(name)
      expect(readRename(`${quoteName(name)}=new`)).toEqual([name, 'new'])
    }),
  )
})

it('a quote that does not end is a wrong call', () => {
  expect(() => unquoteName('"a', '--only')).toThrow(UsageError)
})
