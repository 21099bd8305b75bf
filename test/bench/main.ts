// The benchmark that can disprove our claims: the same load on Weft, its peers, and relays that do nothing but relay.
import { writeFileSync } from 'node:fs'
import { chooseByName, type Options, parseOptions, usage } from './options.ts'
import { describeMachine, renderJson, renderTable, type ScenarioResult } from './report.ts'
import { runScenario } from './runScenario.ts'
import type { Outcome, Scenario } from './scenarios/Scenario.ts'
import { scenarios } from './scenarios/scenarios.ts'
import { installPeers } from './servers/installPeers.ts'
import type { ServerKind } from './servers/ServerKind.ts'
import { serverKinds } from './servers/serverKinds.ts'

const say = (text: string) => process.stderr.write(`${text}\n`)

/** A B C A B C …: what changes on the machine meanwhile changes for all. */
async function runInterleaved(
  scenario: Scenario,
  kinds: readonly ServerKind[],
  options: Options,
): Promise<ScenarioResult> {
  const outcomes = new Map<ServerKind, Outcome[]>(kinds.map(kind => [kind, []]))
  for (let run = 1; run <= options.runs; run++) {
    for (const kind of kinds) {
      const outcome = await runScenario(scenario, kind, options)
      outcomes.get(kind)?.push(outcome)
      const figures = scenario.columns.map(({ key, title, digits = 0 }) => {
        const value = outcome.figures[key]
        return value === undefined || Number.isNaN(value) ? '' : `${title} ${value.toFixed(digits)}`
      })
      say(`${scenario.name} ${run}/${options.runs} ${kind.name}: ${figures.filter(text => text !== '').join(', ')}`)
      for (const problem of outcome.problems) say(`  FAILED: ${problem}`)
    }
  }
  return { scenario, outcomes }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  if (options.isList) {
    for (const { name, title } of scenarios) console.log(`${name.padEnd(16)} ${title}`)
    console.log(`\nservers: ${serverKinds.map(({ name }) => name).join(', ')}`)
    return
  }
  const chosen = chooseByName(scenarios, options.scenarios)
  const kinds = chooseByName(serverKinds, options.servers).filter(kind =>
    chosen.some(({ servers }) => servers?.(kind) ?? true),
  )
  if (kinds.some(({ isWeft, isRelay }) => !isWeft && !isRelay)) installPeers()

  const startedAt = new Date()
  console.log(
    `${describeMachine()}\n${startedAt.toISOString()}${options.isQuick ? ', quick' : ''}, ${options.runs} runs\n`,
  )
  for (const { name, description } of kinds) console.log(`- ${name}: ${description}`)
  console.log('')
  const results: ScenarioResult[] = []
  for (const scenario of chosen) {
    const result = await runInterleaved(
      scenario,
      kinds.filter(kind => scenario.servers?.(kind) ?? true),
      options,
    )
    results.push(result)
    console.log(renderTable(result))
    // After each, so that a long series that ends early leaves something.
    if (options.jsonFile !== null) writeFileSync(options.jsonFile, `${renderJson(results, startedAt)}\n`)
  }
  const hasFailed = results.some(({ outcomes }) =>
    [...outcomes.values()].some(runs => runs.some(({ problems }) => problems.length > 0)),
  )
  if (hasFailed) {
    say('Some runs failed: what they measured does not count.')
    process.exitCode = 1
  }
}

main().catch(error => {
  say(error instanceof TypeError ? `${error.message}\n\n${usage}` : String(error?.stack ?? error))
  process.exitCode = 2
})
