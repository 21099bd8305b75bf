import { toMarkdown } from '@weft/schema'
import * as z from 'zod/v4'
import { quoteName } from '../quoteName.ts'
import { cutLines, describeReading, describeSearch } from './describe.ts'
import { documentOf, findSection } from './sections.ts'
import { ToolError } from './ToolError.ts'
import { answer, documentName, OTHERS_WORDS, readName, reads, type Toolbox, toolText } from './tools.ts'

const DEFAULT_LISTED = 100
const DEFAULT_HITS = 20
const MAX_QUERY_LENGTH = 200

const prefix = z.string().max(1000).default('').describe('Only documents whose names begin so: team/')
const after = z.string().max(1000).optional().describe('Go on behind this name: what the call before returned for it')

/** Tools that change nothing. */
export function registerReadTools(toolbox: Toolbox): void {
  const { server, agent } = toolbox
  server.registerTool(
    'list_documents',
    {
      title: 'List documents',
      description: `Lists the documents that may be read, in the order of their names. ${OTHERS_WORDS}`,
      inputSchema: z.strictObject({
        prefix,
        limit: z.number().int().min(1).max(1000).default(DEFAULT_LISTED),
        after,
      }),
      annotations: reads,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const { documents, next } = await agent.api.listPage(args.prefix, args.limit, args.after ?? null)
        const more = next === null ? '' : `; there are more: go on with after=${JSON.stringify(next)}`
        return toolText(
          [`${documents.length} documents${more}`, ...documents.map(({ name }) => quoteName(name))].join('\n'),
        )
      }),
  )

  server.registerTool(
    'read_document',
    {
      title: 'Read a document',
      description:
        'Returns a document as Markdown: the whole, a section, or some lines of a long one. Says its version, on which ' +
        `replace_section and replace_document are based, and who has it open now. ${OTHERS_WORDS}`,
      inputSchema: z.strictObject({
        document: documentName,
        section: z
          .string()
          .min(1)
          .max(1000)
          .optional()
          .describe('Only the section of this heading, with the heading: its text, or "## Text"'),
        occurrence: z.number().int().min(1).optional().describe('Which one of several equal headings, from 1'),
        start_line: z.number().int().min(1).default(1).describe('Begin at this line of the whole or the section'),
        line_count: z.number().int().min(1).optional().describe('So many lines at most'),
      }),
      annotations: reads,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        const reading = await agent.read(documentId)
        const markdown = toMarkdown(sectionOf(reading.node, args.section, args.occurrence))
        const lines = markdown.replace(/\n$/, '').split('\n')
        if (args.start_line > lines.length) {
          throw new ToolError(`there are ${lines.length} lines, and start_line is ${args.start_line}`)
        }
        const range = { start: args.start_line, count: args.line_count ?? lines.length }
        const { text, next } = cutLines(lines, range)
        const end = next === null ? lines.length : next - 1
        const place = `lines: ${args.start_line} to ${end} of ${lines.length}`
        const more = next === null ? '' : `; go on with start_line=${next}`
        return toolText([...describeReading(documentId, reading), `${place}${more}`].join('\n'), text)
      }),
  )

  server.registerTool(
    'search_documents',
    {
      title: 'Search documents',
      description:
        'Looks for text in the names and contents of documents, capitals or not, and returns the lines where it stands. ' +
        `Several words must stand together, in one line. ${OTHERS_WORDS}`,
      inputSchema: z.strictObject({
        query: z.string().max(MAX_QUERY_LENGTH).regex(/\S/, 'there is nothing to look for').describe('The text'),
        prefix,
        limit: z.number().int().min(1).max(100).default(DEFAULT_HITS).describe('Documents to return at most'),
        after,
      }),
      annotations: reads,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const options = { prefix: args.prefix, limit: args.limit, after: args.after ?? null }
        return toolText(describeSearch(args.query, await agent.search.find(args.query, options)))
      }),
  )
}

function sectionOf(node: ReturnType<typeof documentOf>, heading: string | undefined, occurrence: number | undefined) {
  if (heading === undefined) {
    if (occurrence === undefined) return node
    throw new ToolError('`occurrence` counts headings: say which ones by `section`')
  }
  const { from, to } = findSection(node, heading, occurrence)
  return documentOf(node.children.slice(from - 1, to))
}
