import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** With more of them V8's helpers find a core of their own. */
const FEW_CORES = 2

/**
 * On one or two cores V8 collects garbage in the event loop's thread, in steps, without helpers. They would take the cores from the
 * event loop, and from the threads that write to the disk, where something else keeps those busy, too: for 150 ms with each
 * collection of everything; and the event loop would wait for theirs where the young are collected.
 */
export function spareFewCores(): void {
  if (availableParallelism() > FEW_CORES) return
  // Both are read anew at each collection.
  setFlagsFromString('--no-concurrent-marking')
  setFlagsFromString('--no-parallel-scavenge')
}
