import { closeCode } from '@weft/protocol'
import { expect, it } from 'vitest'
import { fileName } from './exportDocument.ts'
import { refusalText } from './refusalText.ts'

it('has words for every final close code', () => {
  const other = refusalText(4499, '', '').title
  for (const { code, word } of Object.values(closeCode)) {
    if (code < 4400) continue
    const { short, title, advice } = refusalText(code, word, 'why')
    expect(title).not.toBe(other)
    expect(title).toMatch(/[^.]$/)
    expect(advice).toMatch(/\.$/)
    expect(short).toMatch(/^[a-z]/)
  }
})

it('repeats the server’s reason where it has no words of its own', () => {
  expect(refusalText(4450, 'moon', 'the moon is full').advice).toBe('The moon is full.')
  expect(refusalText(4450, '', '').advice).toContain('4450')
})

it('tells access that has expired from none', () => {
  expect(refusalText(4401, 'unauthorized', 'the token has expired').title).toBe('Your access has expired')
  expect(refusalText(4401, 'unauthorized', 'the token was revoked').title).toBe('Your access was taken back')
  expect(refusalText(4401, 'unauthorized', 'no token was given').title).toBe('The server doesn’t know who you are')
})

it('tells a deleted document from a name that can’t be one', () => {
  expect(refusalText(4404, 'deleted', '').title).toBe('This document was deleted')
  expect(refusalText(4404, 'bad-name', 'it is empty').advice).toBe('It is empty. Choose another name.')
})

it('makes names of files that every system takes', () => {
  expect(fileName('Plan: 1/2 "draft"?')).toBe('Plan 1 2 draft')
  expect(fileName('...')).toBe('document')
  expect(fileName('')).toBe('document')
  expect(fileName('x'.repeat(300))).toHaveLength(80)
})
