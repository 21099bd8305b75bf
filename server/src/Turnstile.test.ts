import { describe, expect, it } from 'vitest'
import { Turnstile } from './Turnstile.ts'

const work = () => {
  let end = () => {}
  let hasBegun = false
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  const run = async () => {
    hasBegun = true
    await ended
  }
  return { run, end, begun: () => hasBegun }
}

const settled = () => new Promise(resolve => setImmediate(resolve))

describe('a turnstile', () => {
  it('lets so many run, the next in order, and is free after the last', async () => {
    const turnstile = new Turnstile(2, 10)
    const works = [work(), work(), work(), work()]
    const all = Promise.all(works.map(({ run }) => turnstile.pass(run)))
    await settled()
    expect(works.map(({ begun }) => begun())).toEqual([true, true, false, false])
    works[1]?.end()
    await settled()
    expect(works.map(({ begun }) => begun())).toEqual([true, true, true, false])
    expect(turnstile.isFree).toBe(false)
    for (const { end } of works) end()
    await all
    expect(turnstile.isFree).toBe(true)
  })

  it('goes on after a failure', async () => {
    const turnstile = new Turnstile(1, 10)
    const failing = turnstile.pass(() => Promise.reject(new Error('failed')))
    const next = turnstile.pass(async () => 'done')
    await expect(failing).rejects.toThrow('failed')
    expect(await next).toBe('done')
    expect(turnstile.isFree).toBe(true)
  })

  it('refuses beyond its bound', async () => {
    const turnstile = new Turnstile(1, 1)
    const [first, second] = [work(), work()]
    const passing = [turnstile.pass(first.run), turnstile.pass(second.run)]
    await expect(turnstile.pass(async () => {})).rejects.toMatchObject({ code: 'WORKER_BUSY' })
    first.end()
    second.end()
    await Promise.all(passing)
  })

  describe('holders', () => {
    const holder = (id: string) => ({ id, isBound: true })
    /** Passes works of holders; `order` says whose begin. */
    function setUp(turnstile: Turnstile) {
      const order: string[] = []
      const ends: (() => void)[] = []
      const pass = (id: string, isBound = true) =>
        turnstile.pass(
          () => {
            order.push(id)
            return new Promise<void>(resolve => ends.push(resolve))
          },
          { id, isBound },
        )
      const endNext = async () => {
        ends.shift()?.()
        await settled()
      }
      return { order, pass, endNext }
    }

    it('[threat C7] take turns, and a bound one has half of what runs', async () => {
      const { order, pass, endNext } = setUp(new Turnstile(2, 10))
      const passing = ['eve', 'eve', 'eve', 'bo', 'cy', 'bo'].map(id => pass(id))
      await settled()
      expect(order).toEqual(['eve', 'bo'])
      for (let i = 0; i < 6; i++) await endNext()
      await Promise.all(passing)
      expect(order).toEqual(['eve', 'bo', 'cy', 'eve', 'bo', 'eve'])
    })

    it('[threat C7] have a share of the places, but those who are not bound', async () => {
      const turnstile = new Turnstile(1, 10, 2)
      const { pass, endNext } = setUp(turnstile)
      const passing = ['eve', 'eve', 'eve'].map(id => pass(id))
      await expect(pass('eve')).rejects.toMatchObject({ code: 'SHARE_USED' })
      passing.push(...Array.from({ length: 8 }, () => pass('host', false)))
      for (let i = 0; i < 11; i++) await endNext()
      await Promise.all(passing)
      expect(turnstile.isFree).toBe(true)
    })

    it('[threat C7] who has few finds a place where others have many: the last of whoever has most goes', async () => {
      const turnstile = new Turnstile(1, 4)
      const { order, pass, endNext } = setUp(turnstile)
      const ofEve = Array.from({ length: 5 }, () => pass('eve'))
      const lost = expect(ofEve[4]).rejects.toMatchObject({ code: 'WORKER_BUSY' })
      const others = [pass('bo')]
      await lost
      const lostToo = expect(ofEve[3]).rejects.toMatchObject({ code: 'WORKER_BUSY' })
      others.push(pass('cy'))
      await lostToo
      // Two and one and one: nobody has so many more that another must go.
      await expect(turnstile.pass(async () => {}, holder('bo'))).rejects.toMatchObject({ code: 'WORKER_BUSY' })
      for (let i = 0; i < 5; i++) await endNext()
      await Promise.all([...ofEve.slice(0, 3), ...others])
      expect(order).toEqual(['eve', 'bo', 'cy', 'eve', 'eve'])
      expect(turnstile.isFree).toBe(true)
    })
  })
})
