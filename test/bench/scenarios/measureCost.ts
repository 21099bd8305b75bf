import type { LoadProcess } from '../load/LoadProcess.ts'
import type { ServerProcess } from '../servers/ServerProcess.ts'

/**
 * Servers do part of the work later: Hocuspocus stores after 2 s of quiet, Weft compacts in a thread. Whatever that costs
 * belongs to the work: at least so long, and until the server is quiet.
 */
const AFTERWARDS_MS = 3000
const QUIET_MS = 1500
const QUIET_CPU_MS = 50
const NEVER_QUIET_MS = 60_000

/**
 * How long a load runs before anything is measured. After 12 s a fifth of Weft's CPU was still V8's optimizing compiler
 * (perf, `fanout`): a cost of every start, but of no update. Servers that do more per update are warm sooner.
 */
export function warmUpSeconds(isQuick: boolean): number {
  return isQuick ? 2 : 30
}

export interface Cost<T> {
  readonly result: T
  /** The server's CPU, ms, from before the work until the server is quiet again. */
  readonly cpuMs: number
  /** Highest resident memory meanwhile, bytes. */
  readonly peakRssBytes: number
  /** How busy the load's own process was, percent of a core: near 100 the load is what is measured. */
  readonly loadBusy: number
}

/** Does some work, and tells what it cost the server. */
export async function measureCost<T>(
  server: ServerProcess,
  load: LoadProcess,
  work: () => Promise<T>,
): Promise<Cost<T>> {
  server.usage.resetPeak()
  const [cpu, loadCpu, begin] = [server.usage.cpuMs, load.usage.cpuMs, performance.now()]
  const result = await work()
  const loadBusy = ((load.usage.cpuMs - loadCpu) / (performance.now() - begin)) * 100
  await quiet(server)
  return { result, cpuMs: server.usage.cpuMs - cpu, peakRssBytes: server.usage.peakRssBytes, loadBusy }
}

/** Resolves when what the server puts off is done, as far as its CPU tells. */
async function quiet(server: ServerProcess): Promise<void> {
  await sleep(AFTERWARDS_MS - QUIET_MS)
  const begin = performance.now()
  for (let before = Number.NEGATIVE_INFINITY; performance.now() - begin < NEVER_QUIET_MS; ) {
    const now = server.usage.cpuMs
    if (now - before < QUIET_CPU_MS) return
    before = now
    await sleep(QUIET_MS)
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
