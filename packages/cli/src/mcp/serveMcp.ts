import { Console } from 'node:console'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import type { Surroundings } from '../Verb.ts'
import { Agent } from './Agent.ts'
import { createMcpServer } from './createMcpServer.ts'
import type { McpSettings } from './McpSettings.ts'

/** Longest message, in bytes: the longest Markdown, whatever its characters are, and then some. */
const MAX_MESSAGE_BYTES = 16 * 2 ** 20

/**
 * Speaks the Model Context Protocol over standard input and output, until the input ends or somebody interrupts it.
 * @returns the exit code: 1 if an edit could not be saved
 */
export async function serveMcp(settings: McpSettings, { signal, note }: Surroundings): Promise<number> {
  // Standard output is the protocol's alone, whatever some library may want to say.
  globalThis.console = new Console(process.stderr, process.stderr)
  const agent = new Agent(settings, signal, note)
  // The transport ends with its input, and drops what is being worked on: so its input ends only when that is answered.
  const input = new PassThrough()
  process.stdin.pipe(input, { end: false })
  const transport = new StdioServerTransport(input, process.stdout, { maxBufferSize: MAX_MESSAGE_BYTES })
  const handle = serveStdio(({ era }) => createMcpServer(agent, era, note), {
    transport,
    onerror: error => note(`weft: ${error.message}`),
  })
  // It ends by itself where a message is too long, or where nobody reads the answers.
  const ended = new AbortController()
  const { onclose } = transport
  transport.onclose = () => {
    onclose?.()
    ended.abort()
  }
  await Promise.race([endOf(process.stdin), abortOf(signal), abortOf(ended.signal)])
  if (!signal.aborted) {
    await readToEnd(input, ended.signal)
    await agent.calls.idle()
    // The answers are on their way.
    await turn()
  }
  process.stdin.unpipe(input)
  process.stdin.destroy()
  await handle.close()
  const problems = await agent.close()
  for (const problem of problems) note(`weft: ${problem}`)
  return problems.length > 0 ? 1 : 0
}

/** Resolves when all that came has been handed over to the protocol. */
async function readToEnd(input: PassThrough, ended: AbortSignal): Promise<void> {
  do await turn()
  while (input.readableLength > 0 && !ended.aborted)
  // What was read last is handed over in the turns that follow: the first message makes the server.
  for (let i = 0; i < 5; i++) await turn()
}

async function endOf(stream: NodeJS.ReadableStream): Promise<void> {
  await Promise.race([once(stream, 'end'), once(stream, 'close')]).catch(() => {})
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
