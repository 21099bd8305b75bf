import { Histogram } from '../load/Histogram.ts'
import { joinProblems } from './coldload.ts'
import { measureCost, sleep } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'
import { typingProblems } from './typing.ts'

const PER_SECOND = 5

/** Whether work on one large document is felt in the small ones. */
export const blocked: Scenario = {
  name: 'blocked',
  title:
    '20 small documents with 2 people each, while a document of 20 MB is opened by 5 clients, and another is written',
  columns: [
    { key: 'p99', title: 'p99 ms, undisturbed', digits: 1 },
    { key: 'p99Join', title: 'p99 ms, opening', digits: 1, isRatio: true },
    { key: 'maxJoin', title: 'max ms, opening' },
    { key: 'p99Write', title: 'p99 ms, writing and compacting', digits: 1, isRatio: true },
    { key: 'maxWrite', title: 'max ms, writing' },
  ],
  servers: kind => !kind.isRelay,
  async run(bench) {
    const server = await bench.startServer()
    const [people, large] = [await bench.startLoad(), await bench.startLoad()]
    await large.call('joins', 'prepare', { kind: 'prose', bytes: bench.isQuick ? 4e6 : 20e6, seed: 1 }, 500)
    await large.call('joins', 'write', server.target, ['large'])
    await people.call('typing', 'open', {
      target: server.target,
      documents: Array.from({ length: 20 }, (_, i) => `blocked-${i}`),
      writersPerDocument: 2,
      seed: 1,
    })
    const seconds = bench.isQuick ? 4 : 12
    const type = () => people.call('typing', 'type', PER_SECOND, seconds)
    await type()
    const undisturbed = await measureCost(server, people, type)
    const [opening, opened] = await Promise.all([
      type(),
      sleep(1000).then(() => large.call('joins', 'join', server.target, ['large'], 5, false)),
    ])
    await sleep(3000)
    const [writing] = await Promise.all([
      type(),
      sleep(1000).then(() => large.call('joins', 'write', server.target, ['large-2'])),
    ])
    const problems = [undisturbed.result, opening, writing].flatMap(typingProblems)
    problems.push(...joinProblems(opened), ...(await people.call('typing', 'check')))
    const [quiet, whileOpening, whileWriting] = [undisturbed.result, opening, writing].map(({ latency }) =>
      Histogram.from(latency),
    )
    return {
      figures: {
        p99: quiet?.quantile(0.99) ?? Number.NaN,
        p99Join: whileOpening?.quantile(0.99) ?? Number.NaN,
        maxJoin: whileOpening?.max ?? Number.NaN,
        p99Write: whileWriting?.quantile(0.99) ?? Number.NaN,
        maxWrite: whileWriting?.max ?? Number.NaN,
      },
      problems,
    }
  },
}
