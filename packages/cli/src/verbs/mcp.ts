import { UsageError } from '../errors.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

const DEFAULT_COLOR = '#0f766e'
/** How long it is still shown after an edit, in s. */
const DEFAULT_LINGER_S = 60
const MAX_LINGER_S = 3600
/** As many characters of a name as the editor shows. */
const MAX_NAME_LENGTH = 60

export const mcpVerb = defineVerb({
  name: 'mcp',
  summary: 'let a language model read and edit documents (MCP)',
  usage: ['mcp'],
  details: `A Model Context Protocol server over standard input and output, to be started by the program that runs the model:

  { "mcpServers": { "weft": { "command": "npx", "args": ["weft", "mcp"] } } }

with WEFT_URL and WEFT_TOKEN in its "env". The model lists, reads and searches documents, and edits them as a
participant whom people see, with the smallest change: what they write meanwhile stays. What the token allows
is what it can do.

It ends when its input does: what was asked for is done and saved first. Exit code: 0 everything is on the
server's disk, 1 something isn't, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    name: { type: 'string', value: 'NAME', help: 'how people see it [the name of the program that started it]' },
    color: { type: 'string', value: '#RRGGBB', help: `its colour [${DEFAULT_COLOR}]` },
    linger: { type: 'string', value: 'SECONDS', help: `how long it is shown after an edit [${DEFAULT_LINGER_S}]` },
    'read-only': { type: 'boolean', help: 'it can list, read and search, and nothing else' },
    'allow-delete': { type: 'boolean', help: 'it can delete documents, too: for everybody' },
  },
  examples: ['weft mcp', "weft mcp --name 'Research agent' --color '#7c3aed'", 'weft mcp --read-only'],
  async run(positionals, values, surroundings) {
    if (positionals.length > 0) throw new UsageError('expected no argument (weft mcp --help)')
    if (values['read-only'] && values['allow-delete']) {
      throw new UsageError('--read-only and --allow-delete exclude each other')
    }
    const settings = {
      server: serverAddress(values.url, surroundings.env),
      name: readName(values.name),
      color: readColor(values.color),
      lingerMs: readLinger(values.linger) * 1000,
      isReadOnly: values['read-only'],
      mayDelete: values['allow-delete'],
    }
    // Here, for it brings the protocol along, and an editor's schema.
    const { serveMcp } = await import('../mcp/serveMcp.ts')
    return serveMcp(settings, surroundings)
  },
})

function readName(text: string | undefined): string | null {
  if (text === undefined) return null
  const name = text.trim()
  if (name === '' || name.length > MAX_NAME_LENGTH) {
    throw new UsageError(`--name has ${name.length} characters: it has 1 to ${MAX_NAME_LENGTH}`)
  }
  return name
}

function readColor(text = DEFAULT_COLOR): string {
  if (/^#[0-9a-f]{6}$/i.test(text)) return text
  throw new UsageError(`--color is '${text}': it is like ${DEFAULT_COLOR}`)
}

function readLinger(text = String(DEFAULT_LINGER_S)): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (seconds >= 1 && seconds <= MAX_LINGER_S) return seconds
  throw new UsageError(`--linger is '${text}': it is a whole number of seconds, 1 to ${MAX_LINGER_S}`)
}
