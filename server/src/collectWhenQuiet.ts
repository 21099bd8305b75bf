import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Clock, systemClock } from './clock.ts'
import { Sweep } from './Sweep.ts'

const LOOK_MS = 1000
/** Looks in a row without much to do before anything is collected. */
const QUIET_LOOKS = 5
/** The event loop's share of a core below which there isn't much to do: 2,000 connections that are only there take less. */
const QUIET_SHARE = 0.06
/** What the heap must have grown by. */
const GROWN_BYTES = 8 << 20
/** A collection takes 0.7 ms for each MiB that is in use: above this, somebody who begins to type at that moment would feel it. */
const MAX_HEAP_BYTES = 96 << 20
/** The first finds what is garbage, the next gives back what that leaves empty: V8 does once little was allocated for five seconds. */
const COLLECTIONS = 2

/** What is looked at, and done. */
export interface Heap {
  /** Bytes in use, garbage included that V8 hasn't found yet. */
  usedBytes(): number
  /** Collects all that is garbage, at once. */
  collect(): void
  /** @returns the event loop's share of a core since the last call */
  busyShare(): number
}

/**
 * V8 collects garbage when much is allocated, so that what opening thousands of documents left behind stays until somebody goes on
 * writing: of 2,000 quiet documents a third of their memory, for as long as they are quiet. It is collected as soon as there is
 * nothing else to do.
 *
 * @returns stops it
 */
export function collectWhenQuiet(clock: Clock = systemClock, heap: Heap | null = v8Heap()): () => void {
  if (heap === null) return () => {}
  let quietLooks = 0
  let keptBytes = 0
  let collectionsLeft = 0
  const sweep = new Sweep(clock, LOOK_MS, () => {
    quietLooks = heap.busyShare() < QUIET_SHARE ? quietLooks + 1 : 0
    if (quietLooks < QUIET_LOOKS) return true
    const usedBytes = heap.usedBytes()
    if (usedBytes > keptBytes + GROWN_BYTES) collectionsLeft = COLLECTIONS
    if (collectionsLeft === 0 || usedBytes > MAX_HEAP_BYTES) return true
    collectionsLeft--
    quietLooks = 0
    heap.collect()
    // What a collection itself takes is no work of anybody's.
    heap.busyShare()
    keptBytes = heap.usedBytes()
    return true
  })
  sweep.start()
  return () => sweep.stop()
}

/** null: V8 gives nobody its `gc`. */
function v8Heap(): Heap | null {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect !== 'function') return null
  let before = performance.eventLoopUtilization()
  return {
    usedBytes: () => getHeapStatistics().used_heap_size,
    collect: () => collect(),
    busyShare() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      return utilization
    },
  }
}
