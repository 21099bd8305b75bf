import { joinProblems } from './coldload.ts'
import { measureCost, sleep } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'

/** What an open document costs while nothing happens in it. */
export const idle: Scenario = {
  name: 'idle',
  title: '2,000 documents of 10 kB, opened by one quiet client each, then by a second one',
  columns: [
    { key: 'perDocument', title: 'RSS kB / document', isRatio: true, digits: 1 },
    { key: 'anonymous', title: 'of it not files', isRatio: true, digits: 1 },
    { key: 'perClient', title: 'RSS kB / further client', isRatio: true, digits: 1 },
    { key: 'base', title: 'RSS MB before' },
    { key: 'rss', title: 'RSS MB after' },
  ],
  servers: kind => !kind.isRelay,
  async run(bench) {
    const count = bench.isQuick ? 200 : 2000
    const pauseMs = bench.isQuick ? 2000 : 20_000
    const documents = Array.from({ length: count }, (_, i) => `idle-${i}`)
    const server = await bench.startServer()
    const load = await bench.startLoad()
    await load.call('joins', 'prepare', { kind: 'edits', edits: 10_000, seed: 1 }, 10)
    await measureCost(server, load, () => load.call('joins', 'write', server.target, documents))
    await server.stop()
    await server.start()
    await load.call('joins', 'connect', server.target, ['warm'], 20)
    // What a start leaves behind is no document's, whenever it is given back.
    await sleep(pauseMs)
    const [base, anonymousBase] = [server.usage.rssBytes, server.usage.anonymousBytes]
    const first = await load.call('joins', 'join', server.target, documents, 1, true)
    // Quiet documents may give back what they needed to open.
    await sleep(pauseMs)
    const [one, anonymous] = [server.usage.rssBytes, server.usage.anonymousBytes]
    const second = await load.call('joins', 'join', server.target, documents, 1, true)
    await sleep(pauseMs)
    const two = server.usage.rssBytes
    return {
      figures: {
        perDocument: (one - base) / count / 1000,
        anonymous: (anonymous - anonymousBase) / count / 1000,
        perClient: (two - one) / count / 1000,
        base: base / 1e6,
        rss: two / 1e6,
      },
      problems: [...joinProblems(first), ...joinProblems(second)],
    }
  },
}
