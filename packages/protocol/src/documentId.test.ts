import { expect, it } from 'vitest'
import { BadDocumentIdError, documentIdFromPath, documentPath, parseDocumentId } from './documentId.ts'

it('takes names of 1 to 255 bytes of UTF-8, slashes inside', () => {
  for (const name of ['a', 'team/notes', 'Grüße', '日本語/文書', '👩‍👩‍👧', 'a b', 'a'.repeat(255)]) {
    expect(parseDocumentId(name)).toBe(name)
  }
})

it.each([
  ['empty', ''],
  ['256 bytes', 'a'.repeat(256)],
  ['256 bytes in fewer characters', 'ü'.repeat(128)],
  ['a control character', 'a\u0000b'],
  ['the separator of parts', 'a\u001fcomments'],
  ['a line separator', 'a\u2028b'],
  ['a bidi override', 'a\u202eb'],
  ['a lone surrogate', 'a\ud800'],
  ['a backslash', 'a\\b'],
  ['not NFC', 'u\u0308'],
  ['an empty segment', 'a//b'],
  ['a slash at the start', '/a'],
  ['a slash at the end', 'a/'],
  ['a dot segment', 'a/./b'],
  ['a segment of two dots', '../b'],
])('refuses %s', (_what, name) => {
  expect(() => parseDocumentId(name)).toThrow(BadDocumentIdError)
})

it('decodes percent-escapes once', () => {
  expect(documentIdFromPath('/team/notes')).toBe('team/notes')
  expect(documentIdFromPath('/team%2Fnotes')).toBe('team/notes')
  expect(documentIdFromPath('/100%2525')).toBe('100%25')
  expect(() => documentIdFromPath('/%ff')).toThrow(BadDocumentIdError)
  expect(() => documentIdFromPath('/%')).toThrow(BadDocumentIdError)
  expect(() => documentIdFromPath('/')).toThrow(BadDocumentIdError)
})

it('writes the path that it reads', () => {
  for (const name of ['team/notes', '100%', 'a?b#c', 'Grüße', 'a b']) {
    expect(documentIdFromPath(`/${documentPath(parseDocumentId(name))}`)).toBe(name)
  }
})
