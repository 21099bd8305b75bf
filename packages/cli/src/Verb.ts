import { parseArgs } from 'node:util'
import { UsageError } from './errors.ts'

/** One option of a verb, `--name`. */
export type Option =
  | { readonly type: 'boolean'; readonly help: string }
  | { readonly type: 'string'; readonly value: string; readonly multiple?: boolean; readonly help: string }

export type Options = Readonly<Record<string, Option>>

/** What was given for each option: a flag, all values, or the value if there is one. */
export type Values<T extends Options> = {
  readonly [Name in keyof T]: T[Name] extends { type: 'boolean' }
    ? boolean
    : T[Name] extends { multiple: true }
      ? readonly string[]
      : string | undefined
}

/** What a verb may touch of the world around it. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when somebody interrupts the command. */
  readonly signal: AbortSignal
  /** All that comes over standard input. */
  readInput(): Promise<Buffer>
  /** Prints a line of the result. */
  print(line: string): void
  /** Prints bytes of the result as they are. */
  write(bytes: Uint8Array): Promise<void>
  /** Says how far long work has come, to a person who watches; the next one replaces it. */
  progress(text: string): void
  /** Prints a line about the run, beside the result. */
  note(line: string): void
}

interface Definition<T extends Options> {
  readonly name: string
  readonly summary: string
  /** The forms of the call, without `weft`. */
  readonly usage: readonly string[]
  /** What `--help` says beside usage, options and examples. */
  readonly details: string
  readonly options: T
  readonly examples: readonly string[]
  /** @returns the exit code */
  run(positionals: readonly string[], values: Values<T>, surroundings: Surroundings): Promise<number>
}

/** A verb of the `weft` command. */
export interface Verb {
  readonly name: string
  readonly summary: string
  readonly options: Options
  readonly help: string
  /**
   * @param args what follows the verb
   * @returns the exit code
   * @throws {UsageError} wrong arguments. {CommandError} it can't be done.
   */
  run(args: readonly string[], surroundings: Surroundings): Promise<number>
}

const HELP = { type: 'boolean', help: 'print this' } as const satisfies Option

/** Which server a verb speaks to. */
export const serverOptions = {
  url: { type: 'string', value: 'URL', help: 'the server (WEFT_URL) [http://127.0.0.1:9091]' },
} as const satisfies Options

/** Makes a verb of its description: options are read, and help is written, from the same table. */
export function defineVerb<const T extends Options>(definition: Definition<T>): Verb {
  const { name, summary } = definition
  const options: Options = { ...definition.options, help: HELP }
  return {
    name,
    summary,
    options,
    help: helpOf(definition, options),
    async run(args, surroundings) {
      const { positionals, values } = readArgs(name, args, options)
      if (values.help === true) {
        surroundings.print(this.help)
        return 0
      }
      return definition.run(positionals, values as Values<T>, surroundings)
    },
  }
}

// There are no options of one letter, and text often begins like one: `- an item`. No argument of a process has a NUL.
const hide = (arg: string): string => (/^-(?![-a-z]?$)(?!-)/i.test(arg) ? `\0${arg}` : arg)
const show = <T>(value: T): T => (typeof value === 'string' ? (value.replace(/^\0/, '') as T) : value)

function readArgs(verb: string, args: readonly string[], options: Options) {
  const config = {
    args: args.map(hide),
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, option]) => [
        name,
        { type: option.type, multiple: option.type === 'string' && option.multiple === true },
      ]),
    ),
  }
  const { tokens } = parseArgs({ ...config, strict: false, tokens: true })
  for (const token of tokens) {
    if (token.kind !== 'option' || Object.hasOwn(options, token.name)) continue
    throw new UsageError(`${token.rawName} is no option of weft ${verb} (weft ${verb} --help)`)
  }
  try {
    const { positionals, values } = parseArgs(config)
    const complete: Record<string, unknown> = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, Array.isArray(value) ? value.map(show) : show(value)]),
    )
    for (const [name, option] of Object.entries(options)) {
      if (option.type === 'boolean') complete[name] ??= false
      else if (option.multiple === true) complete[name] ??= []
    }
    return { positionals: positionals.map(positional => show(positional)), values: complete }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new UsageError(`${text.replaceAll('\n', ' ')} (weft ${verb} --help)`)
  }
}

function helpOf(definition: Pick<Definition<Options>, 'usage' | 'details' | 'examples'>, options: Options): string {
  const rows = Object.entries(options).map(([name, option]) => [
    `--${name}${option.type === 'string' ? ` ${option.value}` : ''}`,
    option.help,
  ])
  const width = Math.max(...rows.map(([flag = '']) => flag.length))
  return [
    ...definition.usage.map(form => `weft ${form}`),
    '',
    definition.details,
    '',
    ...rows.map(([flag = '', help]) => `  ${flag.padEnd(width)}  ${help}`),
    '',
    'Examples:',
    ...definition.examples.map(example => `  ${example}`),
  ].join('\n')
}
