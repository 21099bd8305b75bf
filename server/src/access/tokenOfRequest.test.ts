import { describe, expect, it } from 'vitest'
import { chooseSubprotocol, tokenOfRequest } from './tokenOfRequest.ts'

describe('the token of an upgrade', () => {
  it.each([
    ['nowhere', '/a', {}, null],
    ['the header', '/a', { authorization: 'Bearer a.b.c' }, 'a.b.c'],
    ['the header, in any case', '/a', { authorization: 'bearer  a.b.c ' }, 'a.b.c'],
    ['the subprotocol', '/a', { 'sec-websocket-protocol': 'weft, weft.token.a.b.c' }, 'a.b.c'],
    ['the query', '/a/b?x=1&token=a.b.c', {}, 'a.b.c'],
    ['the first of two parameters', '/a?token=1&token=2', {}, '1'],
    ['an empty parameter', '/a?token=', {}, ''],
    ['no other parameter', '/a?tokens=1', {}, null],
    [
      'the header before the rest',
      '/a?token=3',
      { authorization: 'Bearer 1', 'sec-websocket-protocol': 'weft.token.2' },
      '1',
    ],
    ['the subprotocol before the query', '/a?token=3', { 'sec-websocket-protocol': 'weft,weft.token.2' }, '2'],
    // A proxy's own question.
    ['no header of another kind', '/a?token=3', { authorization: 'Basic YTpi' }, '3'],
    ['no header without a token', '/a', { authorization: 'Bearer' }, null],
  ])('comes from %s', (_where, url, headers, token) => {
    expect(tokenOfRequest({ url, headers })).toBe(token)
  })
})

it('answers the subprotocol weft, else the first that is offered, and never a token', () => {
  expect(chooseSubprotocol(new Set(['weft.token.a', 'other', 'weft']))).toBe('weft')
  expect(chooseSubprotocol(new Set(['weft.token.a', 'other']))).toBe('other')
  expect(chooseSubprotocol(new Set(['weft.token.a']))).toBe(false)
})
