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
  return { enter, pass, rests }
}

it('lets those in line work for half of the time, the first until it is done', () => {
  const { enter, pass, rests } = newTurns()
  enter('a', 3)
  enter('b', 2)
  expect(pass()).toBe('aa')
  enter('c', 1)
  expect([pass(), pass()]).toEqual(['ab', 'bc'])
  expect(rests).toEqual([2, 2])
  expect(pass()).toBe('')
})

it('begins again after the line was empty, and lets who comes back stand last', () => {
  const { enter, pass } = newTurns()
  enter('a', 1)
  expect(pass()).toBe('a')
  expect(pass()).toBe('')
  enter('b', 1)
  enter('a', 1)
  expect(pass()).toBe('ba')
})
