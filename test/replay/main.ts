import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { RefusedError } from '@weft/client'
import { ServerProcess } from '../support/ServerProcess.ts'
import { makeTemporaryFolder, removeFolder } from '../support/temporaryFolder.ts'
import { readTrace, TraceError } from './readTrace.ts'
import { MismatchError, type ReplayResult, replay } from './replay.ts'

const usage = `Replays an editing trace through the headless client, while another client watches.

  npm run replay -- TRACE [--url ws://host:port/document]

TRACE  JSON, perhaps gzipped: an array of [position, deleted, inserted], or { txns: [{ patches }], endContent }.
--url  a document of a running server. Without it: a server of its own on a temporary folder, with raised rate limits.
`

/** A trace is typed in seconds, not in months: the limits for people would only slow it down. */
const limits = {
  WEFT_MESSAGES_PER_SECOND: '10000000',
  WEFT_MESSAGE_BURST: '100000000',
  WEFT_BYTES_PER_SECOND: String(1024 * 1024 * 1024),
  WEFT_BYTE_BURST: String(4096 * 1024 * 1024),
}

class UsageError extends Error {}

const print = (line: string) => process.stdout.write(`${line}\n`)
const number = (value: number) => Math.round(value).toLocaleString('en').replaceAll(',', ' ')
const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`

async function main(): Promise<void> {
  const { path, url } = readArguments()
  const trace = await readTrace(path)
  print(`${basename(path)}: ${number(trace.editCount)} edits, ${number(trace.endContent.length)} characters at the end`)
  if (url !== undefined) {
    report(await replay(trace, url))
    return
  }
  const folder = await makeTemporaryFolder()
  const server = await ServerProcess.start({ folder, env: limits })
  print(`A server of its own, at ${server.url} on a temporary folder, with raised rate limits:`)
  print(
    `  ${Object.entries(limits)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`,
  )
  try {
    report(await replay(trace, `${server.socketUrl}/replay`))
  } finally {
    await server.kill()
    await removeFolder(folder)
  }
}

function readArguments(): { path: string; url: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { url: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help === true) {
      process.stdout.write(usage)
      process.exit(0)
    }
    const [path, more] = positionals
    if (path === undefined || more !== undefined) throw new UsageError('one trace, please')
    return { path, url: values.url }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function report({ edits, characters, typedMs, savedMs, seenMs, joinMs }: ReplayResult): void {
  print(`typed in ${seconds(typedMs)}: ${number((edits * 1000) / typedMs)} edits/s`)
  print(`saved ${seconds(savedMs)} after the first edit: ${number((edits * 1000) / savedMs)} edits/s committed`)
  print(`the other client had everything after ${seconds(seenMs)}; a fresh one joined in ${seconds(joinMs)}`)
  print(`all three have the text of the trace, ${number(characters)} characters`)
}

main().catch((error: unknown) => {
  if (error instanceof UsageError) process.stderr.write(`replay: ${error.message}\n\n${usage}`)
  else if (error instanceof TraceError || error instanceof MismatchError || error instanceof RefusedError) {
    process.stderr.write(`replay: ${error.message}\n`)
  } else if (error instanceof TypeError) process.stderr.write(`replay: ${error.message}\n`)
  else process.stderr.write(`replay: ${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
})
