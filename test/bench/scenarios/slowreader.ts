import { Histogram } from '../load/Histogram.ts'
import { measureCost } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'
import { typingProblems } from './typing.ts'

const WRITERS = 20
const PER_SECOND = 20
/** 20 writers × 20/s × 5 kB = 2 MB/s: 50 MB in 25 s. */
const UPDATE_CHARS = 5000

/** What one reader who doesn't read costs the server, and the others. */
export const slowreader: Scenario = {
  name: 'slowreader',
  title: 'one reader stops reading while 20 people write 50 MB into its document, then reads again',
  columns: [
    { key: 'rss', title: 'RSS growth MB' },
    { key: 'rssBefore', title: 'without it, 20 MB written' },
    { key: 'p99', title: 'p99 ms, others', digits: 1 },
    { key: 'p99Before', title: 'p99 ms, before', digits: 1 },
    { key: 'cpu', title: 'CPU ms / 1000 updates', isRatio: true },
    { key: 'again', title: 'has all after ms' },
  ],
  servers: kind => !kind.isRelay,
  async run(bench) {
    const server = await bench.startServer()
    const load = await bench.startLoad()
    await load.call('typing', 'open', {
      target: server.target,
      documents: ['slowreader'],
      writersPerDocument: WRITERS,
      readersPerDocument: 1,
      updateChars: UPDATE_CHARS,
      seed: 1,
    })
    const type = (seconds: number) => measureCost(server, load, () => load.call('typing', 'type', PER_SECOND, seconds))
    await type(2)
    const start = server.usage.rssBytes
    const before = await type(bench.isQuick ? 2 : 10)
    const middle = server.usage.rssBytes
    await load.call('typing', 'stopReading', 1)
    const slow = await type(bench.isQuick ? 4 : 25)
    const again = await load.call('typing', 'readAgain')
    const problems = [before, slow].flatMap(({ result }) => typingProblems(result))
    if (again.missing > 0) problems.push(`the slow reader lacks ${again.missing} updates`)
    problems.push(...(await load.call('typing', 'check')))
    return {
      figures: {
        rss: (slow.peakRssBytes - middle) / 1e6,
        rssBefore: (before.peakRssBytes - start) / 1e6,
        p99: Histogram.from(slow.result.latency).quantile(0.99),
        p99Before: Histogram.from(before.result.latency).quantile(0.99),
        cpu: (slow.cpuMs / slow.result.sent) * 1000,
        again: again.ms,
      },
      problems,
    }
  },
}
