import type { DocumentId } from '@weft/protocol'
import { Histogram } from '../load/Histogram.ts'
import { joinProblems } from './coldload.ts'
import type { Scenario } from './Scenario.ts'
import { folderBytes, openWeftLog } from './storedBytes.ts'

const STARTS = 5

/** Whether a start takes longer where more is stored. */
export const manystored: Scenario = {
  name: 'manystored',
  title: '200,000 stored documents: start of the server, and opening one of them',
  columns: [
    { key: 'empty', title: 'start, empty store ms' },
    { key: 'full', title: 'start, full store ms' },
    { key: 'growth', title: 'full / empty', digits: 2 },
    { key: 'open', title: 'open one ms', digits: 1 },
    { key: 'folder', title: 'folder MB' },
  ],
  // The store is written directly, since nothing of writing is measured; only ours can be.
  servers: kind => kind.isWeft,
  async run(bench) {
    const server = await bench.startServer()
    const starts = async () => {
      const times: number[] = []
      for (let i = 0; i < STARTS; i++) {
        await server.stop()
        times.push(await server.start())
      }
      return times.sort((a, b) => a - b)[STARTS >> 1] ?? Number.NaN
    }
    const empty = await starts()
    const load = await bench.startLoad()
    await load.call('joins', 'prepare', { kind: 'edits', edits: 100, seed: 1 }, 1)
    await load.call('joins', 'write', server.target, ['stored-0'])
    await server.stop()
    await fill(bench.folder, 'stored-0', bench.isQuick ? 10_000 : 200_000)
    await server.start()
    const full = await starts()
    const opened = await load.call('joins', 'join', server.target, ['stored-7777'], 1, true)
    return {
      figures: {
        empty,
        full,
        growth: full / empty,
        open: Histogram.from(opened.times).max,
        folder: folderBytes(bench.folder) / 1e6,
      },
      problems: joinProblems(opened),
    }
  },
}

/** Copies one stored document many times. */
async function fill(folder: string, model: string, count: number): Promise<void> {
  const log = await openWeftLog(folder)
  const { entries } = await log.read(model as DocumentId)
  const updates = entries.map(({ update }) => update)
  for (let from = 1; from < count; from += 1000) {
    await log.append(
      Array.from({ length: Math.min(1000, count - from) }, (_, i) => ({
        documentId: `stored-${from + i}` as DocumentId,
        after: 0,
        updates,
        time: Date.now(),
      })),
    )
  }
  await log.close()
}
