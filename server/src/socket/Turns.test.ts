import { expect, it } from 'vitest'
import type { Clock } from '../clock.ts'
import { Turns } from './Turns.ts'

/** Each piece of work takes a millisecond of this clock; `pass` is one turn of the event loop. */
function newTurns() {
  let now = 0
  let soon: (() => void)[] = []
  const clock: Clock = {
    now: () => now,
    wallTime: () => now,
    setTimer: (callback, delayMs) => {
      rests.push(delayMs)
      soon.push(callback)
      return null
    },
    clearTimer: () => {},
    soon: callback => soon.push(callback),
  }
  const done: string[] = []
  const rests: number[] = []
  const turns = new Turns(clock)
  const enter = (name: string, pieces: number) => {
    let left = pieces
    turns.enter({
      takeTurn: until => {
        while (left > 0 && now < until) {
          left--
          now++
          done.push(name)
        }
        return left === 0
      },
    })
  }
  const pass = () => {
    const callbacks = soon
    soon = []
    for (const callback of callbacks) callback()
    return done.splice(0).join('')
  }
  /** Others take the event loop for so long. */
  const occupy = (ms: number) => {
    now += ms
  }
  return { enter, pass, rests, occupy }
}

it('lets those in line work for a fifth of the time, the first until it is done', () => {
  const { enter, pass, rests } = newTurns()
  enter('a', 2)
  enter('b', 1)
  expect(pass()).toBe('a')
  enter('c', 1)
  expect([pass(), pass(), pass()]).toEqual(['a', 'b', 'c'])
  expect(rests).toEqual([4, 4, 4])
  expect(pass()).toBe('')
})

it('rests for longer while the event loop has other work', () => {
  const { enter, pass, rests, occupy } = newTurns()
  enter('a', 12)
  pass()
  for (let i = 0; i < 6; i++) {
    occupy((rests.at(-1) ?? 0) + 5)
    pass()
  }
  expect(rests).toEqual([4, 8, 16, 32, 64, 64, 64])
  for (let i = 0; i < 3; i++) {
    occupy(rests.at(-1) ?? 0)
    pass()
  }
  expect(rests.slice(7)).toEqual([32, 16, 8])
})

it('begins again after the line was empty, and lets who comes back stand last', () => {
  const { enter, pass } = newTurns()
  enter('a', 1)
  expect(pass()).toBe('a')
  expect(pass()).toBe('')
  enter('b', 1)
  enter('a', 1)
  expect([pass(), pass()]).toEqual(['b', 'a'])
})
