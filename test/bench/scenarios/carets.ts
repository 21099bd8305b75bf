import { Histogram } from '../load/Histogram.ts'
import { measureCost, warmUpSeconds } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'

export interface CaretShape {
  readonly name: string
  readonly title: string
  readonly clients: number
  readonly perSecond: number
  readonly isEchoing: boolean
  readonly seconds: number
  readonly quickSeconds: number
}

/** People move their carets in one document. */
export function carets(shape: CaretShape): Scenario {
  return {
    name: shape.name,
    title: shape.title,
    columns: [
      { key: 'cpu', title: 'CPU ms / 1000 moves', isRatio: true },
      { key: 'p50', title: 'p50 ms', digits: 1 },
      { key: 'p99', title: 'p99 ms', digits: 1 },
      { key: 'rss', title: 'RSS MB' },
      { key: 'frames', title: 'frames/s to a client', digits: 1 },
      { key: 'bytes', title: 'kB/s to a client', digits: 1 },
      { key: 'up', title: 'kB/s from a client', digits: 1 },
      { key: 'late', title: 'load late p99 ms', digits: 1 },
      { key: 'busy', title: 'load busy %' },
    ],
    // A relay would pass on every echo of every echo.
    servers: kind => !shape.isEchoing || !kind.isRelay,
    async run(bench) {
      const server = await bench.startServer()
      const load = await bench.startLoad()
      await load.call('carets', 'open', {
        target: server.target,
        document: shape.name,
        clients: shape.clients,
        isEchoing: shape.isEchoing,
        seed: 1,
      })
      await load.call('carets', 'move', shape.perSecond, warmUpSeconds(bench.isQuick))
      const seconds = bench.isQuick ? shape.quickSeconds : shape.seconds
      const { result, cpuMs, peakRssBytes, loadBusy } = await measureCost(server, load, () =>
        load.call('carets', 'move', shape.perSecond, seconds),
      )
      const problems = result.ended.map(reason => `a client was sent away: ${reason}`)
      if (result.missing > 0) problems.push(`${result.missing} carets are not where they should be`)
      const latency = Histogram.from(result.latency)
      return {
        figures: {
          cpu: (cpuMs / result.moves) * 1000,
          p50: latency.quantile(0.5),
          p99: latency.quantile(0.99),
          rss: peakRssBytes / 1e6,
          frames: result.traffic.framesDown / shape.clients / seconds,
          bytes: result.traffic.bytesDown / shape.clients / seconds / 1000,
          up: result.traffic.bytesUp / shape.clients / seconds / 1000,
          late: Histogram.from(result.lateness).quantile(0.99),
          busy: loadBusy,
        },
        problems,
      }
    },
  }
}
