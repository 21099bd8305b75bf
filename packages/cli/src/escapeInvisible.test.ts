import fc from 'fast-check'
import { expect, it } from 'vitest'
import { escapeInvisible } from './escapeInvisible.ts'

it.each([
  ['Größe/数🌊 "here"', 'Größe/数🌊 "here"'],
  ['\x1b[2K\rimported\x07', '\\u001b[2K\\u000dimported\\u0007'],
  ['\x9b31m\x7f', '\\u009b31m\\u007f'],
  ['a\u202eb\u2066c', 'a\\u202eb\\u2066c'],
  ['a\nb\u2028c', 'a\\u000ab\\u2028c'],
  ['\ud800', '\\ud800'],
  ['\u{e0041}', '\\udb40\\udc41'],
])('%j is shown as %s', (text, shown) => {
  expect(escapeInvisible(text)).toBe(shown)
})

it('JSON stays the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      expect(JSON.parse(escapeInvisible(JSON.stringify({ text })))).toEqual({ text })
    }),
  )
})
