import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, getPriority, setPriority } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** With more of them V8's helpers find a core of their own. */
const FEW_CORES = 2
/** Of V8's threads on few cores, as `nice` counts: a tenth of the event loop's share where both want the same core. */
const HELPERS_NICE = 10
/** Node's default for `--v8-pool-size`. */
const V8_THREADS = 4

/**
 * On one or two cores V8 collects garbage with one helper, the young without, and its threads give way to the event loop and to those
 * that write to the disk: by default four take the cores from these, where something else keeps them busy, too. Without any helper
 * (`--no-concurrent-marking`) stalls are shorter still, but a quiet document keeps a quarter more memory.
 */
export function spareFewCores(): void {
  if (availableParallelism() > FEW_CORES) return
  // Both are read anew at each collection.
  setFlagsFromString('--concurrent-marking-max-worker-num=1')
  setFlagsFromString('--no-parallel-scavenge')
  lowerHelpers()
}

/** @returns the numbers of the threads of V8's that give way from now on; none where threads have no priority of their own */
export function lowerHelpers(): number[] {
  if (process.platform !== 'linux') return []
  try {
    const helpers = v8Threads()
    for (const thread of helpers) setPriority(thread, Math.max(HELPERS_NICE, getPriority()))
    return helpers
  } catch {
    // A system that hides its threads: they keep their share.
    return []
  }
}

// Later versions of Node name them. Before, they are known by their place: Node starts a thread for timers, then these, then others.
function v8Threads(): number[] {
  const threads = readdirSync('/proc/self/task').map(Number)
  const named = threads.filter(thread =>
    readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').startsWith('V8Worker'),
  )
  return named.length > 0 ? named : threads.slice(2, 2 + V8_THREADS)
}
