import { cpus, release, totalmem } from 'node:os'
import type { Column, Outcome, Scenario } from './scenarios/Scenario.ts'
import type { ServerKind } from './servers/ServerKind.ts'

/** All runs of one scenario: per server its outcomes. */
export interface ScenarioResult {
  readonly scenario: Scenario
  readonly outcomes: ReadonlyMap<ServerKind, readonly Outcome[]>
}

/** Where it was measured, in one line. */
export function describeMachine(): string {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `Node ${process.versions.node}, Linux ${release()}, ${cpus().length} × ${cpu?.model}, ${memory} GiB, loopback`
}

/** The medians of the runs that did not fail; NaN where a figure is in none. */
export function mediansOf(columns: readonly Column[], outcomes: readonly Outcome[]): Record<string, number> {
  const good = outcomes.filter(({ problems }) => problems.length === 0)
  return Object.fromEntries(
    columns.map(({ key }) => {
      const values = good.flatMap(({ figures }) => (figures[key] === undefined ? [] : [figures[key]]))
      return [key, median(values)]
    }),
  )
}

function median(values: readonly number[]): number {
  const sorted = values.filter(value => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

/** One scenario as a Markdown table: medians, and what is paid for as a multiple of Weft's. */
export function renderTable({ scenario, outcomes }: ScenarioResult): string {
  const { columns } = scenario
  const weft = [...outcomes].find(([kind]) => kind.name === 'weft')
  const weftMedians = weft === undefined ? {} : mediansOf(columns, weft[1])
  const header = [
    'server',
    ...columns.flatMap(({ title, isRatio }) => (isRatio === true ? [title, '× Weft'] : [title])),
    'runs',
  ]
  const rows = [...outcomes].map(([kind, runs]) => {
    const medians = mediansOf(columns, runs)
    const failed = runs.filter(({ problems }) => problems.length > 0).length
    const cells = columns.flatMap(({ key, digits = 0, isRatio }) => {
      const value = medians[key] ?? Number.NaN
      const cell = formatNumber(value, digits)
      return isRatio === true ? [cell, formatNumber(value / (weftMedians[key] ?? Number.NaN), 2)] : [cell]
    })
    return [kind.name, ...cells, failed === 0 ? `${runs.length}` : `${runs.length}, ${failed} FAILED`]
  })
  return `### ${scenario.name}: ${scenario.title}\n\n${alignTable([header, ...rows])}\n`
}

function formatNumber(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}

function alignTable(rows: readonly (readonly string[])[]): string {
  const [header = []] = rows
  const widths = header.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(Math.max(1, width - 1))}:`)).join(' | ')} |`
  return [line(header), rule, ...rows.slice(1).map(line)].join('\n')
}

/** Everything, for other programs. */
export function renderJson(results: readonly ScenarioResult[], startedAt: Date): string {
  return JSON.stringify(
    {
      startedAt,
      machine: describeMachine(),
      scenarios: results.map(({ scenario, outcomes }) => ({
        name: scenario.name,
        title: scenario.title,
        columns: scenario.columns,
        servers: [...outcomes].map(([kind, runs]) => ({
          name: kind.name,
          description: kind.description,
          medians: mediansOf(scenario.columns, runs),
          runs,
        })),
      })),
    },
    null,
    1,
  )
}
