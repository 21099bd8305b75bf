import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoadProcess } from './load/LoadProcess.ts'
import type { Bench, Outcome, Scenario } from './scenarios/Scenario.ts'
import type { ServerKind } from './servers/ServerKind.ts'
import { ServerProcess } from './servers/ServerProcess.ts'

/** Runs one scenario once against one server. Whatever goes wrong is a problem of that run, never an exception. */
export async function runScenario(
  scenario: Scenario,
  kind: ServerKind,
  options: Pick<Bench, 'isQuick' | 'traceFile' | 'connections' | 'seconds' | 'kinds'>,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), `weft-bench-${kind.name}-`))
  const servers: ServerProcess[] = []
  const loads: LoadProcess[] = []
  try {
    return await scenario.run({
      kind,
      folder,
      ...options,
      startServer: async (weftSettings = {}) => {
        const server = await ServerProcess.start(kind, folder, kind.isWeft ? weftSettings : {})
        servers.push(server)
        return server
      },
      startLoad: async () => {
        const load = await LoadProcess.start()
        loads.push(load)
        return load
      },
    })
  } catch (error) {
    return { figures: {}, problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)] }
  } finally {
    for (const load of loads) load.stop()
    for (const server of servers) await (process.env.BENCH_NODE_OPTIONS ? server.stop() : server.kill())
    rmSync(folder, { recursive: true, force: true })
  }
}
