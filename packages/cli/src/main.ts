import { readFile } from 'node:fs/promises'
import { CommandError, UsageError } from './errors.ts'
import { escapeInvisible } from './escapeInvisible.ts'
import { Progress } from './Progress.ts'
import { readInput } from './readInput.ts'
import { showControls } from './showControls.ts'
import type { Surroundings } from './Verb.ts'
import { verbLoaders } from './verbLoaders.ts'

/** Exit codes: 0 all done, 1 not (all) done, 2 called in a wrong way, 130 and 143 interrupted (128 + the signal's number). */
const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const signals = { SIGINT: 130, SIGTERM: 143 } as const

async function help(): Promise<string> {
  const verbs = await Promise.all(Object.values(verbLoaders).map(load => load()))
  return [
    'weft VERB …: a Weft server from the command line.',
    '',
    ...verbs.map(verb => `  ${verb.name.padEnd(10)}  ${verb.summary}`),
    '',
    'weft VERB --help says more. WEFT_URL or --url names the server, WEFT_TOKEN holds a token where it asks for one.',
  ].join('\n')
}

async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const [name, ...rest] = args
  if (name === '--version') {
    const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
    surroundings.print(version)
    return 0
  }
  if (name === 'help' && rest[0] !== undefined) return main([rest[0], '--help'], surroundings)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    surroundings.print(await help())
    return name === undefined ? EXIT_USAGE : 0
  }
  const load = Object.hasOwn(verbLoaders, name) ? verbLoaders[name] : undefined
  if (load === undefined) {
    const what = name.startsWith('-') ? 'options come after the verb, like weft ls --json' : `${name} is no verb`
    throw new UsageError(`${what} (weft --help lists them)`)
  }
  return (await load()).run(rest, surroundings)
}

const interruption = new AbortController()
const interrupted = interruption.signal
// A server stops in its own way.
if (process.argv[2] !== 'serve') {
  catchSignals()
  process.on('exit', () => {
    if (process.exitCode !== undefined) return
    // Nothing is left to wait for, and the verb hasn't ended: a fault of ours, and no success.
    process.stderr.write('weft: the command broke off\n')
    process.exitCode = EXIT_FAILURE
  })
}

function catchSignals(): void {
  for (const [signal, exitCode] of Object.entries(signals)) {
    process.on(signal, () => {
      // The second time: now.
      if (interrupted.aborted) process.exit(exitCode)
      process.exitCode = exitCode
      interruption.abort(new CommandError(`interrupted by ${signal}`))
    })
  }
}
// Nobody reads the result any more (`weft … | head`).
process.stdout.on('error', () => interruption.abort(new CommandError('the output could not be written')))

const progress = new Progress(process.stderr, process.stdout, () => performance.now())
const note = (line: string): void => {
  progress.clear()
  process.stderr.write(`${escapeInvisible(line)}\n`)
}
// Anybody may have written a document: to a terminal it must not speak.
const asShown = (bytes: Uint8Array) => (process.stdout.isTTY ? showControls(Buffer.from(bytes).toString()) : bytes)

main(process.argv.slice(2), {
  env: process.env,
  signal: interrupted,
  readInput() {
    if (process.stdin.isTTY) note('weft: reading standard input; Ctrl-D ends it')
    return readInput(process.stdin, interrupted)
  },
  print: line => process.stdout.write(`${line}\n`),
  progress: text => progress.show(text),
  write: bytes => new Promise(resolve => process.stdout.write(asShown(bytes), () => resolve())),
  note,
})
  .finally(() => progress.clear())
  .then(
    exitCode => {
      process.exitCode ??= exitCode
    },
    error => {
      const isOurs = error instanceof CommandError || error instanceof UsageError
      const text = isOurs ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
      const lines = isOurs ? [text] : text.split('\n')
      process.stderr.write(`weft: ${lines.map(escapeInvisible).join('\n')}\n`)
      process.exitCode ??= error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE
    },
  )
