import { Client, type ClientOptions } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { connect, type WeftDocument } from '@weft/client'
import { onTestFinished } from 'vitest'
import { api, apiPath } from './apiClient.ts'
import type { ServerProcess } from './ServerProcess.ts'
import { BIN } from './weftCommand.ts'

/** What a tool has answered. */
export interface ToolAnswer {
  readonly isError: boolean
  /** The first block: what the program says. */
  readonly said: string
  /** The second: what a document says. */
  readonly content: string
}

/** A model's program, made with the protocol's own client, and the `weft mcp` that it has started. */
export interface McpClient {
  readonly client: Client
  readonly pid: number
  /** What it has printed on standard error so far. */
  readonly stderr: () => string
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>
  /** Calls what must succeed. */
  done(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>
  /** Calls what must fail, and gives what it says. */
  fails(tool: string, args?: Record<string, unknown>): Promise<string>
}

interface McpOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What the client calls itself. */
  readonly name?: string
  readonly client?: ClientOptions
}

/** @param url of the Weft server */
export async function startMcp(url: string, options: McpOptions = {}): Promise<McpClient> {
  const { args = [], env = {}, name = 'test-model' } = options
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith('WEFT_') && key !== 'NODE_OPTIONS')
  const transport = new StdioClientTransport({
    command: BIN,
    args: ['mcp', ...args],
    env: { ...(Object.fromEntries(inherited) as Record<string, string>), WEFT_URL: url, ...env },
    stderr: 'pipe',
  })
  let printed = ''
  transport.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString()
  })
  const client = new Client({ name, version: '1.0.0' }, options.client)
  onTestFinished(() => client.close())
  await client.connect(transport)
  const call = async (tool: string, given: Record<string, unknown> = {}): Promise<ToolAnswer> => {
    const { content, isError } = await client.callTool({ name: tool, arguments: given })
    const texts = content.map(block => (block.type === 'text' ? block.text : ''))
    return { isError: isError === true, said: texts[0] ?? '', content: texts[1] ?? '' }
  }
  return {
    client,
    pid: transport.pid ?? 0,
    stderr: () => printed,
    call,
    async done(tool, given) {
      const answer = await call(tool, given)
      if (answer.isError) throw new Error(`${tool}: ${answer.said}`)
      return answer
    },
    async fails(tool, given) {
      const answer = await call(tool, given)
      if (!answer.isError) throw new Error(`${tool} did not fail: ${answer.said}`)
      return answer.said
    },
  }
}

/** The version in what a tool has said. */
export function versionIn(said: string): string {
  return /^version: (\S+)$/m.exec(said)?.[1] ?? ''
}

/** Markdown of a document as the server has it. */
export const stored = async (server: ServerProcess, name: string) => (await api(server, 'GET', apiPath(name))).text

/** A person who is shown in a document. */
export async function person(server: ServerProcess, documentId: string, name: string): Promise<WeftDocument> {
  const document = await connect(server.socketUrl, { documentId, user: { name, color: '#123456' } })
  onTestFinished(() => document.close({ saved: false }))
  return document
}

/** The awareness state of whoever is called so, as a person sees it. */
export const seen = (document: WeftDocument, name: string) =>
  [...document.awareness.getStates().values()].find(state => state.user?.name === name)
