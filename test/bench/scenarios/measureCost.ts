import type { LoadProcess } from '../load/LoadProcess.ts'
import type { ServerProcess } from '../servers/ServerProcess.ts'

/** Servers store later than they relay: Hocuspocus after 2 s of quiet. Whatever it costs belongs to the work. */
const AFTERWARDS_MS = 3000

export interface Cost<T> {
  readonly result: T
  /** The server's CPU, ms, from before the work until 3 s after it. */
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
  await sleep(AFTERWARDS_MS)
  return { result, cpuMs: server.usage.cpuMs - cpu, peakRssBytes: server.usage.peakRssBytes, loadBusy }
}

export function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
