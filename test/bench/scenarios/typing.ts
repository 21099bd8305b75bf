import { Histogram } from '../load/Histogram.ts'
import type { TypingResult } from '../load/TypingLoad.ts'
import { measureCost, warmUpSeconds } from './measureCost.ts'
import type { Column, Scenario } from './Scenario.ts'

export interface TypingShape {
  readonly name: string
  readonly title: string
  readonly documents: number
  readonly writers: number
  readonly readers?: number
  readonly perSecond: number
  readonly seconds: number
  readonly quickSeconds: number
  /** See `TypingPlan`. */
  readonly patienceMs?: number
}

export const typingColumns: readonly Column[] = [
  { key: 'cpu', title: 'CPU ms / 1000 updates', isRatio: true },
  { key: 'p50', title: 'p50 ms', digits: 1 },
  { key: 'p99', title: 'p99 ms', digits: 1 },
  { key: 'rss', title: 'RSS MB' },
  { key: 'frames', title: 'frames/s to a client', digits: 1 },
  { key: 'bytes', title: 'kB/s to a client', digits: 2 },
  { key: 'late', title: 'load late p99 ms', digits: 1 },
  { key: 'busy', title: 'load busy %' },
]

/** What went wrong in a stretch of typing. */
export function typingProblems({ missing, expected, ended }: TypingResult): string[] {
  const problems = ended.map(reason => `a client was sent away: ${reason}`)
  if (missing !== 0) problems.push(`${missing} of ${expected} deliveries are missing`)
  return problems
}

/** People type in some documents, all at the same steady rate. */
export function typing(shape: TypingShape): Scenario {
  return {
    name: shape.name,
    title: shape.title,
    columns: typingColumns,
    async run(bench) {
      const server = await bench.startServer()
      const load = await bench.startLoad()
      await load.call('typing', 'open', {
        target: server.target,
        documents: Array.from({ length: shape.documents }, (_, i) => `${shape.name}-${i}`),
        writersPerDocument: shape.writers,
        readersPerDocument: shape.readers ?? 0,
        ...(shape.patienceMs === undefined ? {} : { patienceMs: shape.patienceMs }),
        seed: 1,
      })
      // Until the code is compiled and memory has been found.
      const warm = await load.call('typing', 'type', shape.perSecond, warmUpSeconds(bench.isQuick))
      const seconds = bench.isQuick ? shape.quickSeconds : shape.seconds
      const { result, cpuMs, peakRssBytes, loadBusy } = await measureCost(server, load, () =>
        load.call('typing', 'type', shape.perSecond, seconds),
      )
      const problems = [...typingProblems(warm), ...typingProblems(result), ...(await load.call('typing', 'check'))]
      const latency = Histogram.from(result.latency)
      const clients = shape.documents * (shape.writers + (shape.readers ?? 0))
      return {
        figures: {
          cpu: (cpuMs / result.sent) * 1000,
          p50: latency.quantile(0.5),
          p99: latency.quantile(0.99),
          rss: peakRssBytes / 1e6,
          frames: result.traffic.framesDown / clients / seconds,
          bytes: result.traffic.bytesDown / clients / seconds / 1000,
          late: Histogram.from(result.lateness).quantile(0.99),
          busy: loadBusy,
        },
        problems,
      }
    },
  }
}
