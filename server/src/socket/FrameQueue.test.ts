import { expect, it } from 'vitest'
import { FrameQueue } from './FrameQueue.ts'

it('gives frames back in their order, whatever comes in between', () => {
  const queue = new FrameQueue()
  const [a, b, c] = [1, 2, 3].map(byte => Uint8Array.of(byte))
  expect([queue.isEmpty, queue.first, queue.take()]).toEqual([true, undefined, undefined])
  for (const frame of [a, b]) if (frame !== undefined) queue.push(frame)
  expect([queue.isEmpty, queue.first, queue.take()]).toEqual([false, a, a])
  if (c !== undefined) queue.push(c)
  expect([queue.take(), queue.take(), queue.take(), queue.isEmpty]).toEqual([b, c, undefined, true])
  if (a !== undefined) queue.push(a)
  queue.clear()
  expect([queue.isEmpty, queue.take()]).toEqual([true, undefined])
})
