import { describe, expect, it } from 'vitest'
import { collaborators, initials, shownUser } from './collaborators.ts'
import { isHexColor } from './color.ts'

describe('collaborators', () => {
  it('puts me first and the others by name', () => {
    const states = new Map([
      [1, { user: { id: 'z', name: 'Zoe', color: '#111111' } }],
      [2, { user: { id: 'm', name: 'Mo', color: '#222222' } }],
      [3, { user: { id: 'a', name: 'Ann', color: '#333333' } }],
    ])
    expect(collaborators(states, 2).map(({ name, isMe }) => [name, isMe])).toEqual([
      ['Mo', true],
      ['Ann', false],
      ['Zoe', false],
    ])
  })

  it('counts two windows of one person once', () => {
    const user = { id: 'a', name: 'Ann', color: '#333333' }
    expect(
      collaborators(
        new Map([
          [1, { user }],
          [2, { user }],
        ]),
        2,
      ),
    ).toHaveLength(1)
    expect(
      collaborators(
        new Map([
          [1, { user }],
          [2, { user }],
        ]),
        2,
      )[0]?.clientID,
    ).toBe(2)
  })

  it('keeps people without an id apart, and leaves out clients that show no user', () => {
    const states = new Map<number, unknown>([
      [1, { user: { name: 'Bot' } }],
      [2, { user: { name: 'Bot' } }],
      [3, {}],
      [4, null],
    ])
    expect(collaborators(states, 9).map(person => person.clientID)).toEqual([1, 2])
  })

  it('reads any state that somebody may send', () => {
    for (const state of [null, 3, 'x', {}, { user: 'x' }, { user: { name: 7, color: 'url(evil)', id: {} } }]) {
      const user = shownUser(state, 5)
      expect(user.name).toBe('Guest')
      expect(isHexColor(user.color)).toBe(true)
    }
    expect(shownUser({ user: { name: 'x'.repeat(1000) } }, 5).name).toHaveLength(60)
  })
})

describe('initials', () => {
  it('takes the first letters of the first and the last word', () => {
    expect(initials('Ada Lovelace')).toBe('AL')
    expect(initials('Ann')).toBe('A')
    expect(initials('jean-luc picard')).toBe('JP')
    expect(initials('😀 smile')).toBe('😀S')
    expect(initials('  ')).toBe('?')
  })
})
