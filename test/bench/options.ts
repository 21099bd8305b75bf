import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** What the benchmark was asked to do. */
export interface Options {
  /** Empty: all. */
  readonly scenarios: readonly string[]
  /** Empty: all. */
  readonly servers: readonly string[]
  readonly runs: number
  readonly isQuick: boolean
  /** Where the figures go, beside the table. */
  readonly jsonFile: string | null
  /** A real trace for `coldload`; null: a generated one of the same size. */
  readonly traceFile: string | null
  /** Of `hostile`. */
  readonly connections: number | undefined
  readonly seconds: number | undefined
  /** Empty: all. */
  readonly kinds: readonly string[]
}

export const usage = `npm run bench -- [options]
  --scenario NAME[,NAME]  only these
  --server NAME[,NAME]    only these
  --runs N                runs of each server, interleaved; medians are shown [3]
  --quick                 shorter and smaller, one run: to see that it works
  --trace FILE            keystrokes for coldload (josephg/editing-traces, may be gzipped)
  --connections N         connections of hostile, a tenth of them hostile [5000]
  --seconds N             how long hostile measures, without them and with them [180]
  --kinds KIND[,KIND]     what the hostile ones of hostile do: flood, malformed, slow, silent, awareness, questions,
                          trickle, halfOpen [all]
  --json FILE             all figures of all runs
  --list                  the names of scenarios and servers
`

/** @throws {TypeError} with what is wrong */
export function parseOptions(args: readonly string[]): Options & { readonly isList: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      server: { type: 'string', multiple: true, default: [] },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      trace: { type: 'string' },
      connections: { type: 'string' },
      seconds: { type: 'string' },
      kinds: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  const whole = (name: 'runs' | 'connections' | 'seconds', least: number): number | undefined => {
    const text = values[name]
    if (text === undefined || (Number.isInteger(Number(text)) && Number(text) >= least))
      return text === undefined ? undefined : Number(text)
    throw new TypeError(`--${name} is '${text}': a whole number from ${least}`)
  }
  const runs = whole('runs', 1) ?? (values.quick ? 1 : 3)
  if (values.trace !== undefined && !existsSync(values.trace)) throw new TypeError(`${values.trace} does not exist`)
  return {
    scenarios: values.scenario.flatMap(names => names.split(',')),
    servers: values.server.flatMap(names => names.split(',')),
    runs,
    isQuick: values.quick,
    jsonFile: values.json ?? null,
    traceFile: values.trace ?? null,
    connections: whole('connections', 100),
    seconds: whole('seconds', 1),
    kinds: values.kinds.flatMap(names => names.split(',')),
    isList: values.list,
  }
}

/** The named ones of a list, in its order; all where no name is given. @throws {TypeError} for an unknown name */
export function chooseByName<T extends { readonly name: string }>(all: readonly T[], names: readonly string[]): T[] {
  for (const name of names) {
    if (all.some(item => item.name === name)) continue
    throw new TypeError(`'${name}' is none of ${all.map(item => item.name).join(', ')}`)
  }
  return names.length === 0 ? [...all] : all.filter(({ name }) => names.includes(name))
}
