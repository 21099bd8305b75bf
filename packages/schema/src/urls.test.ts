import { describe, expect, it } from 'vitest'
import { isSafeImage, isSafeLink } from './urls.ts'

describe('isSafeLink', () => {
  it.each([
    'https://a.example/b?c#d',
    'HTTP://a',
    'mailto:a@b',
    'tel:+49',
    '/a',
    'a/b',
    '../a:b',
    '#a',
    '?a=b:c',
    '//a/b',
    'a b',
  ])('allows %j', url => expect(isSafeLink(url)).toBe(true))

  it.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'java\nscript:alert(1)',
    'java\tscript:alert(1)',
    '\u0001javascript:alert(1)',
    'java\u200bscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:x',
    '',
    null,
    undefined,
    5,
  ])('refuses %j', url => expect(isSafeLink(url)).toBe(false))
})

describe('isSafeImage', () => {
  it.each(['https://a/b.png', 'http://a/b.png', 'b.png', '/b.png'])('allows %j', url =>
    expect(isSafeImage(url)).toBe(true),
  )
  it.each(['data:image/svg+xml,x', 'javascript:x', 'mailto:a@b', ''])('refuses %j', url =>
    expect(isSafeImage(url)).toBe(false),
  )
})
