import { expect, it } from 'vitest'
import { setSignedUser, signedUserIn, signedUserOf } from './signedUser.ts'

it('reads the name in a token, and takes the id where there is none', () => {
  const token = (claims: unknown) => `x.${btoa(JSON.stringify(claims))}.x`
  expect(signedUserOf(token({ sub: 'ann', name: 'Ann' }))).toEqual({ id: 'ann', name: 'Ann' })
  expect(signedUserOf(token({ sub: 'ann', name: ' ' }))).toEqual({ id: 'ann', name: 'ann' })
  expect(signedUserOf(token({ sub: 'ann', name: 7 }))).toEqual({ id: 'ann', name: 'ann' })
  expect(signedUserOf(token({ name: 'Ann' }))).toBe(null)
})

it('knows a guest where their link led, and whoever has a token of their own everywhere else', () => {
  expect(signedUserIn('a')).toBe(null)
  setSignedUser({ id: 'ann', name: 'Ann' })
  setSignedUser({ id: 'link:1:2', name: 'Gina' }, 'a')
  expect([signedUserIn('a')?.name, signedUserIn('b')?.name]).toEqual(['Gina', 'Ann'])
  setSignedUser(null)
  expect([signedUserIn('a')?.name, signedUserIn('b')]).toEqual(['Gina', null])
})
