import { Histogram } from '../load/Histogram.ts'
import type { TypingResult } from '../load/TypingLoad.ts'
import { type Cost, measureCost } from './measureCost.ts'
import type { Bench, Scenario } from './Scenario.ts'
import { typingProblems } from './typing.ts'

const WRITERS = 20
const PER_SECOND = 20
/** 20 writers × 20/s × 5 kB = 2 MB/s: 50 MB in 25 s. */
const UPDATE_CHARS = 5000

interface Phase {
  readonly growthBytes: number
  readonly cost: Cost<TypingResult>
  readonly againMs: number
  readonly problems: readonly string[]
}

/** The same writing twice, each time from a fresh start: everybody reads; one reader doesn't. */
async function write(bench: Bench, document: string, isSlow: boolean): Promise<Phase> {
  const server = await bench.startServer()
  const load = await bench.startLoad()
  await load.call('typing', 'open', {
    target: server.target,
    documents: [document],
    writersPerDocument: WRITERS,
    readersPerDocument: 1,
    updateChars: UPDATE_CHARS,
    seed: 1,
  })
  const type = (seconds: number) => measureCost(server, load, () => load.call('typing', 'type', PER_SECOND, seconds))
  await type(2)
  const before = server.usage.rssBytes
  if (isSlow) await load.call('typing', 'stopReading', 1)
  const cost = await type(bench.isQuick ? 4 : 25)
  const again = await load.call('typing', 'readAgain')
  const problems = [...typingProblems(cost.result), ...(await load.call('typing', 'check'))]
  if (again.missing > 0) problems.push(`the slow reader lacks ${again.missing} updates`)
  load.stop()
  await server.stop()
  return { growthBytes: cost.peakRssBytes - before, cost, againMs: again.ms, problems }
}

/** What one reader who doesn't read costs the server, and the others. */
export const slowreader: Scenario = {
  name: 'slowreader',
  title: 'one reader stops reading while 20 people write 50 MB into its document, then reads again',
  columns: [
    { key: 'extra', title: 'RSS MB for it' },
    { key: 'rss', title: 'RSS growth MB' },
    { key: 'rssWithout', title: 'growth if all read MB' },
    { key: 'p99', title: 'p99 ms, others', digits: 1 },
    { key: 'p99Without', title: 'p99 ms if all read', digits: 1 },
    { key: 'cpu', title: 'CPU ms / 1000 updates', isRatio: true },
    { key: 'again', title: 'has all after ms' },
  ],
  servers: kind => !kind.isRelay,
  async run(bench) {
    const without = await write(bench, 'all-read', false)
    const slow = await write(bench, 'one-slow', true)
    return {
      figures: {
        extra: (slow.growthBytes - without.growthBytes) / 1e6,
        rss: slow.growthBytes / 1e6,
        rssWithout: without.growthBytes / 1e6,
        p99: Histogram.from(slow.cost.result.latency).quantile(0.99),
        p99Without: Histogram.from(without.cost.result.latency).quantile(0.99),
        cpu: (slow.cost.cpuMs / slow.cost.result.sent) * 1000,
        again: slow.againMs,
      },
      problems: [...without.problems, ...slow.problems],
    }
  },
}
