import { measureCost } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'
import { folderBytes, weftLogicalBytes } from './storedBytes.ts'
import { typingProblems } from './typing.ts'

const DOCUMENT = 'longlog'
const STRETCH = 10_000
/** Updates under way: enough that neither side waits for the other. */
const AHEAD = 500
/** One client writes as fast as the server takes it: the limits per connection would be all that is measured. */
const NO_RATE_LIMITS = {
  WEFT_MESSAGES_PER_SECOND: '10000000',
  WEFT_MESSAGE_BURST: '100000000',
  WEFT_BYTES_PER_SECOND: `${2 ** 30}`,
  WEFT_BYTE_BURST: `${2 ** 32}`,
}

/** Whether an edit of an old document costs more than one of a young document. */
export const longlog: Scenario = {
  name: 'longlog',
  title:
    'one document is edited 1,000,000 times: what the last 10,000 edits cost, and the first (Weft: no rate limits)',
  columns: [
    { key: 'first', title: 'CPU ms / 1000, first', digits: 1 },
    { key: 'last', title: 'CPU ms / 1000, last', digits: 1, isRatio: true },
    { key: 'growth', title: 'last / first', digits: 2 },
    { key: 'all', title: 'CPU ms / 1000, all', digits: 1, isRatio: true },
    { key: 'folder', title: 'folder MB', digits: 1 },
    { key: 'logical', title: 'stored MB (Weft)', digits: 2 },
    { key: 'rss', title: 'RSS MB' },
  ],
  servers: kind => !kind.isRelay,
  async run(bench) {
    const updates = bench.isQuick ? 100_000 : 1_000_000
    const server = await bench.startServer(NO_RATE_LIMITS)
    const plan = { target: server.target, writersPerDocument: 1, readersPerDocument: 1, seed: 1 }
    // Another document, so that compiling the code is not what the first edits cost.
    const warming = await bench.startLoad()
    await warming.call('typing', 'open', { ...plan, documents: ['warm'] })
    await warming.call('typing', 'pour', STRETCH, AHEAD)
    warming.stop()

    const load = await bench.startLoad()
    await load.call('typing', 'open', { ...plan, documents: [DOCUMENT] })
    const pour = (count: number) => measureCost(server, load, () => load.call('typing', 'pour', count, AHEAD))
    const first = await pour(STRETCH)
    const middle = await pour(updates - 2 * STRETCH)
    const last = await pour(STRETCH)
    const parts = [first, middle, last]
    const problems = parts.flatMap(({ result }) => typingProblems(result))
    problems.push(...(await load.call('typing', 'check')))
    await server.stop()
    const logical = bench.kind.isWeft ? await weftLogicalBytes(bench.folder, DOCUMENT) : Number.NaN
    return {
      figures: {
        first: (first.cpuMs / STRETCH) * 1000,
        last: (last.cpuMs / STRETCH) * 1000,
        growth: last.cpuMs / first.cpuMs,
        all: (parts.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / updates) * 1000,
        folder: folderBytes(bench.folder) / 1e6,
        logical: logical / 1e6,
        rss: last.peakRssBytes / 1e6,
      },
      problems,
    }
  },
}
