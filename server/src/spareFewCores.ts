import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** With more of them V8's helpers find a core of their own. */
const FEW_CORES = 2

/**
 * On one or two cores V8 collects garbage with one helper, and the young without: by default there are four, and they take the
 * cores from the event loop, and from the threads that write to the disk, where something else keeps these busy, too. Without any
 * (`--no-concurrent-marking`) stalls are shorter still, but a quiet document keeps a quarter more memory.
 */
export function spareFewCores(): void {
  if (availableParallelism() > FEW_CORES) return
  // Both are read anew at each collection.
  setFlagsFromString('--concurrent-marking-max-worker-num=1')
  setFlagsFromString('--no-parallel-scavenge')
}
