import { Histogram } from '../load/Histogram.ts'
import { joinProblems } from './coldload.ts'
import { measureCost } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'

const MB = 1_000_000

/** Many clients open one large document at the same time. */
export function bigjoin(megabytes: number): Scenario {
  const document = `bigjoin-${megabytes}`
  return {
    name: document,
    title: `150 clients open a document of ${megabytes} MB at the same time, after a restart`,
    columns: [
      { key: 'wall', title: 'all have it ms', isRatio: true },
      { key: 'cpu', title: 'server CPU ms', isRatio: true },
      { key: 'rate', title: 'joins/s', digits: 1 },
      { key: 'p50', title: 'p50 ms' },
      { key: 'rss', title: 'RSS growth MB', isRatio: true },
      { key: 'down', title: 'MB to a client', digits: 2 },
      { key: 'busy', title: 'load busy %' },
    ],
    servers: kind => !kind.isRelay,
    async run(bench) {
      const size = bench.isQuick ? megabytes / 4 : megabytes
      const clients = bench.isQuick ? 40 : 150
      const server = await bench.startServer()
      const load = await bench.startLoad()
      await load.call('joins', 'prepare', { kind: 'prose', bytes: size * MB, seed: 1 }, 500)
      await measureCost(server, load, () => load.call('joins', 'write', server.target, [document]))
      await server.stop()
      await server.start()
      await load.call('joins', 'connect', server.target, ['small'], 1)
      const before = server.usage.rssBytes
      const { result, cpuMs, peakRssBytes, loadBusy } = await measureCost(server, load, () =>
        load.call('joins', 'join', server.target, [document], clients, true),
      )
      return {
        figures: {
          wall: result.wallMs,
          cpu: cpuMs,
          rate: clients / (result.wallMs / 1000),
          p50: Histogram.from(result.times).quantile(0.5),
          rss: (peakRssBytes - before) / MB,
          down: result.traffic.bytesDown / clients / MB,
          busy: loadBusy,
        },
        problems: joinProblems(result),
      }
    },
  }
}
