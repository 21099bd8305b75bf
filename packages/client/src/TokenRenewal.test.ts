import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TokenRenewal } from './TokenRenewal.ts'
import { tokenExpiry } from './tokenExpiry.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** A token that ends so many seconds after the beginning of a test. */
const token = (seconds: number, name = 'ü') => `${encode({ alg: 'HS256' })}.${encode({ exp: seconds, name })}.x`

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('tokenExpiry', () => {
  it('reads a JWT, and nothing else', () => {
    expect(tokenExpiry(token(3600))).toBe(3_600_000)
    for (const other of [
      '',
      'a',
      'a.b',
      'a.b.c',
      `a.${encode({})}.c`,
      `a.${encode({ exp: 'soon' })}.c`,
      `a.${encode(null)}.c`,
    ]) {
      expect(tokenExpiry(other)).toBe(undefined)
    }
  })
})

describe('TokenRenewal', () => {
  it('asks a minute before the end, sends what it gets, and goes on with that', async () => {
    const tokens = [token(7200), token(10_800)]
    const sent: string[] = []
    const renewal = new TokenRenewal(
      () => tokens.shift() ?? '',
      next => sent.push(next),
    )
    renewal.opened(token(3600))
    await vi.advanceTimersByTimeAsync(3_539_999)
    expect(sent).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(sent).toEqual([token(7200)])
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(sent).toHaveLength(2)
    renewal.closed()
  })

  it('asks a short one’s successor at four fifths of its time, and again where there is none yet', async () => {
    const times: number[] = []
    const renewal = new TokenRenewal(
      () => {
        times.push(Date.now())
        if (times.length === 1) throw new Error('the application restarts')
        return token(10)
      },
      () => {},
    )
    renewal.opened(token(10))
    await vi.advanceTimersByTimeAsync(60_000)
    // Always the same token: asked for until a second is left.
    expect(times.slice(0, 2)).toEqual([8_000, 9_600].slice(0, times.length))
    expect(Math.max(...times)).toBeLessThan(10_000)
    renewal.closed()
  })

  it('asks again where no answer comes, and sends nothing that can’t be a token', async () => {
    const answers: unknown[] = [new Promise(() => {}), undefined, token(7200)]
    const sent: string[] = []
    const renewal = new TokenRenewal(
      () => answers.shift() as string,
      next => sent.push(next),
    )
    renewal.opened(token(3600))
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(sent).toEqual([token(7200)])
    renewal.closed()
  })

  it('does nothing for a token that says no end, or has ended by this device’s clock', async () => {
    let asked = 0
    const renewal = new TokenRenewal(
      () => {
        asked++
        return ''
      },
      () => {},
    )
    for (const given of ['', 'opaque', token(-5)]) {
      renewal.opened(given)
      await vi.advanceTimersByTimeAsync(100_000)
    }
    expect(asked).toBe(0)
  })

  it('sends nothing to the connection that follows', async () => {
    const sent: string[] = []
    let answer = (_: string) => {}
    const renewal = new TokenRenewal(
      () => new Promise(resolve => (answer = resolve)),
      next => sent.push(next),
    )
    renewal.opened(token(100))
    await vi.advanceTimersByTimeAsync(80_000)
    renewal.closed()
    answer(token(1_000))
    await vi.advanceTimersByTimeAsync(1)
    expect(sent).toEqual([])
    renewal.opened(token(100))
    renewal.closed()
    await vi.advanceTimersByTimeAsync(100_000)
    expect(sent).toEqual([])
  })
})
