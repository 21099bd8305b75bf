import { describe, expect, it } from 'vitest'
import { isSafeImage, isSafeLink, isShownImage, isUpload } from './urls.ts'

describe('[threat E1] isSafeLink', () => {
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

describe('[threat E1] isSafeImage', () => {
  it.each(['https://a/b.png', 'http://a/b.png', 'b.png', '/b.png'])('allows %j', url =>
    expect(isSafeImage(url)).toBe(true),
  )
  it.each(['data:image/svg+xml,x', 'javascript:x', 'mailto:a@b', ''])('refuses %j', url =>
    expect(isSafeImage(url)).toBe(false),
  )
})

describe('[threat E1] isShownImage', () => {
  const upload = (name: string, file = `${'0a'.repeat(32)}.png`) => `/api/v1/documents/${name}/uploads/${file}`

  it.each(['https://a.b/c.png', ' HTTPS://a.b/c', upload('a'), upload('team/notes'), upload("M%C3%BC%20(1)'/a%2Fb")])(
    'allows %j',
    url => expect(isShownImage(url)).toBe(true),
  )

  it.each([
    'http://a.b/c.png',
    '//a.b/c.png',
    'c.png',
    '/c.png',
    'data:image/png,x',
    'blob:https://a.b/c',
    'javascript:x',
    'https\u0000javascript:x',
    '',
    null,
    7,
    upload('..'),
    upload('a/../b'),
    upload('%2e%2E/%2e'),
    upload('a/.'),
    upload('a?b'),
    upload('a#b'),
    upload('a\\b'),
    upload('a', '0a.png'),
    upload('a', `${'0a'.repeat(32)}.png?x`),
    `/weft${upload('a')}`,
    `//a.b${upload('a')}`,
  ])('refuses %j', url => {
    expect(isShownImage(url)).toBe(false)
    expect(isUpload(url)).toBe(false)
  })
})
