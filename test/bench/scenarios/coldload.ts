import { Histogram } from '../load/Histogram.ts'
import type { JoinResult } from '../load/JoinLoad.ts'
import type { Source } from '../load/TestDocument.ts'
import { measureCost, sleep } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'
import { folderBytes, weftLogicalBytes } from './storedBytes.ts'

const DOCUMENT = 'coldload'
/** Weft gives space back to the file system when it has been quiet for 10 s, and looks every 10 s. */
const TIDY_MS = 25_000

/** What went wrong in a wave of joins. */
export function joinProblems({ clients, missing, problems }: JoinResult): string[] {
  return missing === 0 ? [...problems] : [...problems, `${missing} of ${clients} clients don't have everything`]
}

/** A long history is written, the server restarts, and somebody opens the document; then somebody else does. */
export function coldload(updates: number): Scenario {
  return {
    name: `coldload-${updates}`,
    title: `a document of 260,000 edits stored as ${updates} updates; restart; a first and a second client open it`,
    columns: [
      { key: 'first', title: 'first complete ms', isRatio: true, digits: 1 },
      { key: 'second', title: 'second ms', isRatio: true, digits: 1 },
      { key: 'synced', title: 'first told synced ms', digits: 1 },
      { key: 'write', title: 'CPU ms to take it in', isRatio: true },
      { key: 'down', title: 'kB to a client' },
      { key: 'folder', title: 'folder kB' },
      { key: 'logical', title: 'stored kB (Weft)' },
      { key: 'state', title: 'as one update kB' },
    ],
    servers: kind => !kind.isRelay,
    async run(bench) {
      const source: Source =
        bench.traceFile === null
          ? { kind: 'edits', edits: bench.isQuick ? 26_000 : 260_000, seed: 1 }
          : { kind: 'trace', file: bench.traceFile }
      const server = await bench.startServer()
      const load = await bench.startLoad()
      const { stateBytes } = await load.call('joins', 'prepare', source, updates)
      const written = await measureCost(server, load, () => load.call('joins', 'write', server.target, [DOCUMENT]))
      await sleep(bench.isQuick ? 0 : TIDY_MS)
      const folder = folderBytes(bench.folder)
      await server.stop()
      const logical = bench.kind.isWeft ? await weftLogicalBytes(bench.folder, DOCUMENT) : Number.NaN

      await server.start()
      // The load's code is warm after the writing; the server's is not, as after any restart.
      const first = await load.call('joins', 'join', server.target, [DOCUMENT], 1, true)
      const second = await load.call('joins', 'join', server.target, [DOCUMENT], 1, true)
      return {
        figures: {
          first: Histogram.from(first.times).max,
          second: Histogram.from(second.times).max,
          synced: first.firstSyncedMs,
          write: written.cpuMs,
          down: second.traffic.bytesDown / 1000,
          folder: folder / 1000,
          logical: logical / 1000,
          state: stateBytes / 1000,
        },
        problems: [...joinProblems(first), ...joinProblems(second)],
      }
    },
  }
}
