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
  /** @param again how many pieces come when these are done */
  const enter = (name: string, pieces: number, again = 0) => {
    let left = pieces
    let coming = again
    turns.enter({
      takeTurn: until => {
        while (left > 0 && now < until) {
          left--
          now++
          done.push(name)
        }
        if (left > 0) return 'first'
        if (coming === 0) return 'left'
        left = coming
        coming = 0
        return 'last'
      },
    })
  }
  const pass = () => {
    const callbacks = soon
    soon = []
    for (const callback of callbacks) callback()
    return done.splice(0).join('')
  }
  const hear = () => turns.heardOther(now)
  const wait = (ms: number) => {
    now += ms
  }
  return { enter, pass, rests, hear, wait }
}

it('lets those in line work for a tenth of the time, the first until it is done', () => {
  const { enter, pass, rests, hear } = newTurns()
  hear()
  enter('a', 2)
  enter('b', 1)
  expect(pass()).toBe('a')
  enter('c', 1)
  expect([pass(), pass(), pass()]).toEqual(['a', 'b', 'c'])
  expect(rests).toEqual([9, 9, 9])
  expect(pass()).toBe('')
})

it('lets them have half of the time where nobody else says anything', () => {
  const { enter, pass, rests, hear, wait } = newTurns()
  enter('a', 4)
  pass()
  hear()
  pass()
  wait(101)
  pass()
  expect(rests).toEqual([1, 9, 1])
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

it('lets the others come first before somebody who has more', () => {
  const { enter, pass, hear } = newTurns()
  hear()
  enter('a', 2, 1)
  enter('b', 1)
  expect([pass(), pass(), pass(), pass(), pass()]).toEqual(['a', 'a', 'b', 'a', ''])
})
