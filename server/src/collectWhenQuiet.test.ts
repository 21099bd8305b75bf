import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { SimulatedClock } from '../../test/simulation/SimulatedClock.ts'
import { collectWhenQuiet } from './collectWhenQuiet.ts'

const MIB = 1 << 20

function newHeap(liveMiB: number) {
  const clock = new SimulatedClock()
  const begin = clock.now()
  const heap = {
    used: liveMiB * MIB,
    share: 0,
    /** Seconds. */
    collectedAt: [] as number[],
    usedBytes: () => heap.used,
    busyShare: () => heap.share,
    collect() {
      heap.used = liveMiB * MIB
      heap.collectedAt.push((clock.now() - begin) / 1000)
    },
  }
  const run = (seconds: number) => clock.runUntil(clock.now() + seconds * 1000)
  return { heap, run, stop: collectWhenQuiet(clock.forLife({ isOver: false }), heap) }
}

it('collects after five quiet seconds, and five later, and again only when the heap has grown', async () => {
  const { heap, run, stop } = newHeap(20)
  await run(24)
  expect(heap.collectedAt).toEqual([5, 10])
  heap.used += 7 * MIB
  await run(20)
  expect(heap.collectedAt.length).toBe(2)
  heap.used += 2 * MIB
  await run(20)
  expect(heap.collectedAt.length).toBe(4)
  stop()
  heap.used += 50 * MIB
  await run(20)
  expect(heap.collectedAt.length).toBe(4)
})

it('never while there is something to do, nor where it would take long', async () => {
  const { heap, run, stop } = newHeap(20)
  for (let second = 0; second < 20; second++) {
    heap.share = second % 4 === 0 ? 0.5 : 0
    await run(1)
  }
  expect(heap.collectedAt.length).toBe(0)
  heap.share = 0
  heap.used = 97 * MIB
  await run(20)
  expect(heap.collectedAt.length).toBe(0)
  stop()
})

it('collects what V8 keeps', () => {
  const program = `
    import { PerformanceObserver, constants } from 'node:perf_hooks'
    import { collectWhenQuiet } from '${new URL('./collectWhenQuiet.ts', import.meta.url)}'
    const forced = []
    new PerformanceObserver(list => {
      forced.push(...list.getEntries().filter(({ detail }) => detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED))
      if (forced.length > 0) process.exit(0)
    }).observe({ entryTypes: ['gc'] })
    const kept = Array.from({ length: 200_000 }, (_, i) => ({ i }))
    collectWhenQuiet()
    setTimeout(() => process.exit(kept.length), 60_000)
  `
  execFileSync('node', ['--import', 'tsx', '--input-type=module', '-e', program])
})
