import { sleep } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'

/** What a client costs that is connected and quiet. */
export const connections: Scenario = {
  name: 'connections',
  title: '10,000 quiet clients of 100 empty documents',
  columns: [
    { key: 'perSocket', title: 'RSS kB / socket', isRatio: true, digits: 1 },
    { key: 'cpu', title: 'CPU ms / socket to connect', isRatio: true, digits: 2 },
    { key: 'rss', title: 'RSS MB' },
  ],
  servers: kind => kind.name !== 'relay-batch-10' && kind.name !== 'relay-batch-50',
  async run(bench) {
    const count = bench.isQuick ? 2000 : 10_000
    const documents = Array.from({ length: 100 }, (_, i) => `connections-${i}`)
    const server = await bench.startServer()
    const load = await bench.startLoad()
    await load.call('joins', 'connect', server.target, documents, 1)
    await sleep(1000)
    const [base, cpu] = [server.usage.rssBytes, server.usage.cpuMs]
    await load.call('joins', 'connect', server.target, documents, count / 100)
    await sleep(bench.isQuick ? 2000 : 10_000)
    const rss = server.usage.rssBytes
    const { open, problems } = await load.call('joins', 'staying')
    if (open !== count + 100) problems.push(`${count + 100 - open} clients were sent away`)
    return {
      figures: { perSocket: (rss - base) / count / 1000, cpu: (server.usage.cpuMs - cpu) / count, rss: rss / 1e6 },
      problems,
    }
  },
}
