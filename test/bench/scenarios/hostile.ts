import { execFileSync } from 'node:child_process'
import { Histogram } from '../load/Histogram.ts'
import type { HostileReport } from '../load/HostileLoad.ts'
import { describeEnds } from './describeEnds.ts'
import { measureCost, warmUpSeconds } from './measureCost.ts'
import type { Scenario } from './Scenario.ts'
import { typingProblems } from './typing.ts'

/** Each honest document has so many people, of whom so many write. */
const PEOPLE = 15
const WRITERS = 2
const PER_SECOND = 1
/** One in so many connections means no good. */
const HOSTILE_SHARE = 10
/** What the honest may notice: their p99 grows to no more than so many times what it is without the others. */
const MAX_FACTOR = 2

/**
 * What the server says that its memory is at most, in bytes.
 * @param command how it is started
 */
function printedBound(command: readonly string[], env: Readonly<Record<string, string>>): number {
  const [program = '', ...args] = command
  const text = execFileSync(program, [...args, '--explain-limits'], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  const [, mebibytes] = /^(\d[\d\s]*) MiB in all/mu.exec(text) ?? []
  if (mebibytes === undefined) throw new Error(`--explain-limits names no sum:\n${text}`)
  return Number(mebibytes.replace(/\s/gu, '')) * 2 ** 20
}

function describe({ open, connects, framesSent, bytesSent, ends }: HostileReport): string {
  const sent = `${connects} connections, ${framesSent} messages, ${(bytesSent / 1e6).toFixed(0)} MB; ${open} open at the end`
  return [`  the hostile ones: ${sent}`, ...describeEnds(ends)].join('\n')
}

/** Whether some who mean no good are felt by all the others. */
export const hostile: Scenario = {
  name: 'hostile',
  title: `people write and read, ${WRITERS} of ${PEOPLE} in each document; then a tenth of all connections floods, stalls, asks and breaks rules`,
  columns: [
    { key: 'honest', title: 'honest' },
    { key: 'hostile', title: 'hostile' },
    { key: 'p50Without', title: 'p50 ms without', digits: 1 },
    { key: 'p50', title: 'p50 ms with', digits: 1 },
    { key: 'p99Without', title: 'p99 ms without', digits: 1 },
    { key: 'p99', title: 'p99 ms with', digits: 1 },
    { key: 'factor', title: 'times', digits: 2 },
    { key: 'sentAway', title: 'honest sent away' },
    { key: 'rss', title: 'RSS MB' },
    { key: 'bound', title: 'printed bound MB' },
    { key: 'cpu', title: 'CPU % with' },
    { key: 'late', title: 'load late p99 ms', digits: 1 },
  ],
  servers: kind => kind.isWeft,
  async run(bench) {
    const total = bench.connections ?? (bench.isQuick ? 500 : 5000)
    const seconds = bench.seconds ?? (bench.isQuick ? 6 : 180)
    const hostileCount = Math.floor(total / HOSTILE_SHARE)
    const documents = Array.from({ length: Math.floor((total - hostileCount) / PEOPLE) }, (_, i) => `honest-${i}`)
    const server = await bench.startServer()
    const [people, others] = [await bench.startLoad(), await bench.startLoad()]
    await people.call('typing', 'open', {
      target: server.target,
      documents,
      writersPerDocument: WRITERS,
      readersPerDocument: PEOPLE - WRITERS,
      seed: 1,
    })
    const type = (forSeconds: number) =>
      measureCost(server, people, () => people.call('typing', 'type', PER_SECOND, forSeconds))
    const warm = await people.call('typing', 'type', PER_SECOND, warmUpSeconds(bench.isQuick))
    const without = await type(seconds)

    // From their first moment on: a burst is felt most when it comes.
    await others.call('hostile', 'begin', {
      target: server.target,
      documents,
      count: hostileCount,
      kinds: bench.kinds ?? [],
      seed: 2,
    })
    server.usage.resetPeak()
    const cpuBefore = server.usage.cpuMs
    const result = await people.call('typing', 'type', PER_SECOND, seconds)
    const cpu = (server.usage.cpuMs - cpuBefore) / seconds / 10
    const rss = server.usage.peakRssBytes
    const report = await others.call('hostile', 'report')
    await others.call('hostile', 'end')
    process.stderr.write(`${describe(report)}\n`)

    const { command, env } = server.kind.launch(server.port, server.folder)
    const bound = printedBound(command, env)
    const [before, during] = [Histogram.from(without.result.latency), Histogram.from(result.latency)]
    const factor = during.quantile(0.99) / before.quantile(0.99)
    const problems = [warm, without.result, result].flatMap(typingProblems)
    if (factor > MAX_FACTOR) problems.push(`the honest ones' p99 is ${factor.toFixed(2)} times what it was`)
    if (rss > bound) problems.push(`${(rss / 1e6).toFixed(0)} MB are over the printed bound`)
    problems.push(...(await people.call('typing', 'check')))
    return {
      figures: {
        honest: documents.length * PEOPLE,
        hostile: hostileCount,
        p50Without: before.quantile(0.5),
        p50: during.quantile(0.5),
        p99Without: before.quantile(0.99),
        p99: during.quantile(0.99),
        factor,
        sentAway: result.endedCount,
        rss: rss / 1e6,
        bound: bound / 1e6,
        cpu,
        late: Histogram.from(result.lateness).quantile(0.99),
      },
      problems,
    }
  },
}
