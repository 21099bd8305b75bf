import { expect, it } from 'vitest'
import { isRole, mayWrite, roles } from './Role.ts'

it('lets editors and owners write, and viewers and commenters read', () => {
  expect(roles.map(role => [role, mayWrite(role)])).toEqual([
    ['viewer', false],
    ['commenter', false],
    ['editor', true],
    ['owner', true],
  ])
})

it('knows a role from anything else', () => {
  for (const value of ['Editor', '', 'admin', 'toString', null, undefined, 2, ['editor']])
    expect(isRole(value)).toBe(false)
  for (const role of roles) expect(isRole(role)).toBe(true)
})
