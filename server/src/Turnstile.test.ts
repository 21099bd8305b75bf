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
})
