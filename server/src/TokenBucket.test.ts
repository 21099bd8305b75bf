import { expect, it } from 'vitest'
import { TokenBucket } from './TokenBucket.ts'

it('lets a burst through and then a rate', () => {
  const bucket = new TokenBucket(10, 5, 0)
  for (let i = 0; i < 5; i++) expect(bucket.take(1, 0)).toBe(0)
  expect(bucket.take(1, 0)).toBe(100)
  expect(bucket.take(1, 0)).toBe(200)
  expect(bucket.take(1, 300)).toBe(0)
})

it('may begin with less than a burst, and saves up to it', () => {
  const bucket = new TokenBucket(10, 5, 0, 2)
  expect([bucket.take(2, 0), bucket.take(1, 0)]).toEqual([0, 100])
  expect([bucket.take(5, 10_000), bucket.take(1, 10_000)]).toEqual([0, 100])
})

it('saves no more than a burst', () => {
  const bucket = new TokenBucket(10, 5, 0)
  expect(bucket.take(5, 1_000_000)).toBe(0)
  expect(bucket.take(1, 1_000_000)).toBe(100)
})

it('takes only what leaves so many, where that is asked for', () => {
  const bucket = new TokenBucket(10, 5, 0)
  expect([bucket.tryTake(2, 0, 3), bucket.tryTake(1, 0, 3), bucket.tryTake(3, 0), bucket.tryTake(1, 0)]).toEqual([
    true,
    false,
    true,
    false,
  ])
  expect(bucket.tryTake(1, 100)).toBe(true)
})

it('lets one large thing through and makes the next wait for it', () => {
  const bucket = new TokenBucket(1000, 1000, 0)
  expect(bucket.take(3000, 0)).toBe(2000)
})
