import { expect, it } from 'vitest'
import { tokenInHash, userOfToken } from './token.ts'

it.each([
  ['', null, ''],
  ['#', null, '#'],
  ['#heading', null, '#heading'],
  ['#token=a.b.c', 'a.b.c', ''],
  ['#heading&token=a.b.c', 'a.b.c', '#heading'],
  ['#token=a&x=1&token=b', 'b', '#x=1'],
  ['#token=', '', ''],
  ['#token=a.b%0A.c ', 'a.b.c', ''],
  ['#tokens=a', null, '#tokens=a'],
])('takes the token out of the fragment %j', (hash, token, rest) => {
  expect(tokenInHash(hash)).toEqual({ token, rest })
})

it('knows whose a token is', () => {
  const token = (claims: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(claims))
    return `x.${btoa(String.fromCharCode(...bytes))
      .replaceAll('+', '-')
      .replaceAll('/', '_')}.x`
  }
  expect(userOfToken(token({ sub: 'änn/>?' }))).toBe('änn/>?')
  for (const other of ['', 'a', 'a.b.c', token({}), token({ sub: 7 }), token({ sub: '' }), token(null)]) {
    expect(userOfToken(other)).toBe(null)
  }
})
