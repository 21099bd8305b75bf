import { describe, expect, it } from 'vitest'
import { BadDocumentIdError, documentIdFromPath, parseDocumentId } from './documentId.ts'
import { parseDocumentAddress, partOf, splitPart, withPart } from './documentPart.ts'

const notes = parseDocumentId('team/notes')

describe('the part of a document', () => {
  it('has a name that no URL can give', () => {
    const comments = partOf(notes, 'comments')
    expect(comments).toBe('team/notes\u001fcomments')
    expect(() => parseDocumentId(comments)).toThrow(BadDocumentIdError)
    expect(() => documentIdFromPath(`/${encodeURIComponent(comments)}`)).toThrow(BadDocumentIdError)
    expect(splitPart(comments)).toEqual({ document: 'team/notes', part: 'comments' })
    expect(splitPart(notes)).toEqual({ document: 'team/notes', part: null })
  })

  it('is given by an address, or by a parameter', () => {
    expect(parseDocumentAddress('team/notes')).toBe(notes)
    expect(parseDocumentAddress('team/notes\u001fcomments')).toBe(partOf(notes, 'comments'))
    expect(withPart(notes, 'comments')).toBe(partOf(notes, 'comments'))
    expect(withPart(notes, null)).toBe(notes)
  })

  it.each([
    '\u001fcomments',
    '\u001faccess',
    'a\u001faccess',
    'a\u001f',
    'a\u001fcomments\u001fcomments',
    'a//b\u001fcomments',
    '',
  ])('is not given by %j', address => {
    expect(() => parseDocumentAddress(address)).toThrow(BadDocumentIdError)
  })

  it.each(['', 'access', 'Comments', 'comments '])('is not %j', part => {
    expect(() => withPart(notes, part)).toThrow(BadDocumentIdError)
  })
})
