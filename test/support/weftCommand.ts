import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const BIN = fileURLToPath(new URL('../../node_modules/.bin/weft', import.meta.url))

/** How a run of the command ended, and all that it printed. */
export interface CommandResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The `weft` command in a process of its own. */
export interface RunningCommand {
  readonly child: ChildProcess
  readonly result: Promise<CommandResult>
}

/** @param onLine is given each line of the result as it is printed @param input what comes over standard input */
export function startCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onLine: (line: string) => void = () => {},
  input?: string,
): RunningCommand {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('WEFT_') && name !== 'NODE_OPTIONS')
  const child = spawn(BIN, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // It may end before it has read all of it.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8')
    child[stream].on('data', (text: string) => {
      printed[stream] += text
    })
  }
  createInterface(child.stdout).on('line', onLine)
  const result = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...printed }))
  })
  return { child, result }
}

/** Runs it to its end. */
export function runCommand(
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
  input?: string,
): Promise<CommandResult> {
  return startCommand(args, env, undefined, input).result
}
