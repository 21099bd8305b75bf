import { Histogram } from '../load/Histogram.ts'
import { describeEnds } from './describeEnds.ts'
import { sleep } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'

const DOCUMENT = 'fuzzed'
/** Nobody may hold up everybody for longer. */
const MAX_STALL_MS = 50

/** Whether any message that breaks the rules holds up the event loop, and everybody with it. */
export const fuzz: Scenario = {
  name: 'fuzz',
  title:
    'strangers send changed frames of all kinds; somebody else asks 500 times a second whether the server is there',
  columns: [
    { key: 'frames', title: 'frames' },
    { key: 'connections', title: 'connections' },
    { key: 'p50', title: 'p50 ms', digits: 1 },
    { key: 'p99', title: 'p99 ms', digits: 1 },
    { key: 'maxWithout', title: 'max ms without', digits: 1 },
    { key: 'max', title: 'max ms', digits: 1 },
  ],
  servers: kind => kind.isWeft,
  async run(bench) {
    const frames = bench.isQuick ? 2000 : 50_000
    const server = await bench.startServer()
    const [strangers, other] = [await bench.startLoad(), await bench.startLoad()]
    await strangers.call('fuzz', 'write', server.target, DOCUMENT, 1)
    // What is compiled and grows at the first of each kind is not what this is about.
    await strangers.call('fuzz', 'run', server.target, DOCUMENT, frames / 5, 2)
    const probe = async <T>(work: () => Promise<T>): Promise<[T, Histogram]> => {
      await other.call('probe', 'begin', server.target)
      const result = await work()
      return [result, Histogram.from(await other.call('probe', 'end'))]
    }
    const [, without] = await probe(() => sleep(bench.isQuick ? 1000 : 5000))
    const [report, during] = await probe(() => strangers.call('fuzz', 'run', server.target, DOCUMENT, frames, 3))
    process.stderr.write(`${describeEnds(report.ends).join('\n')}\n`)
    const problems = during.max > MAX_STALL_MS ? [`an answer took ${during.max.toFixed(0)} ms`] : []
    return {
      figures: {
        frames: report.frames,
        connections: report.connections,
        p50: during.quantile(0.5),
        p99: during.quantile(0.99),
        maxWithout: without.max,
        max: during.max,
      },
      problems,
    }
  },
}
