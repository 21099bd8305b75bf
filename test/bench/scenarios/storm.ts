import { Histogram } from '../load/Histogram.ts'
import { joinProblems } from './coldload.ts'
import { measureCost } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'

/** Everybody comes back at once. */
export const storm: Scenario = {
  name: 'storm',
  title: '1,000 clients of 100 documents, who have everything, come back after a restart, all at once',
  columns: [
    { key: 'cpu', title: 'server CPU ms', isRatio: true },
    { key: 'wall', title: 'all in sync ms' },
    { key: 'p50', title: 'p50 ms' },
    { key: 'down', title: 'kB down / client', digits: 2 },
    { key: 'up', title: 'kB up / client', digits: 2 },
    { key: 'uploads', title: 'asked for everything' },
    { key: 'rss', title: 'peak RSS MB' },
  ],
  servers: kind => !kind.isRelay,
  async run(bench) {
    const documents = Array.from({ length: bench.isQuick ? 20 : 100 }, (_, i) => `storm-${i}`)
    const server = await bench.startServer()
    const load = await bench.startLoad()
    await load.call('joins', 'prepare', { kind: 'edits', edits: 12_000, seed: 1 }, 60)
    await measureCost(server, load, () => load.call('joins', 'write', server.target, documents))
    await server.stop()
    await server.start()
    const { result, cpuMs, peakRssBytes } = await measureCost(server, load, () =>
      load.call('joins', 'rejoin', server.target, documents, 10, true),
    )
    return {
      figures: {
        cpu: cpuMs,
        wall: result.wallMs,
        p50: Histogram.from(result.times).quantile(0.5),
        down: result.traffic.bytesDown / result.clients / 1000,
        up: result.traffic.bytesUp / result.clients / 1000,
        uploads: result.uploads,
        rss: peakRssBytes / 1e6,
      },
      problems: joinProblems(result),
    }
  },
}
