import { append } from '@weft/client/text'
import * as z from 'zod/v4'
import { quoteName } from '../quoteName.ts'
import type { Edited } from './Agent.ts'
import { insertBelow, replaceAll, replaceSection, replaceText } from './changes.ts'
import { describeEdit } from './describe.ts'
import { answer, documentName, markdownText, readName, type Toolbox, toolText } from './tools.ts'

const ADDS = { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true } as const
const REPLACES = { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true } as const

const LIVE = 'People see the edit at once, with your name and caret; what they write meanwhile stays.'

const somethingInMarkdown = markdownText.regex(/\S/, 'there is nothing in it')
const heading = z.string().min(1).max(1000).describe('The heading: its text, or "## Text"')
const occurrence = z.number().int().min(1).optional().describe('Which one of several equal headings, from 1')
const base = z
  .string()
  .min(1)
  .max(100)
  .describe('The version that read_document gave for what this is based on: what others wrote since then stays')

/** Tools that write. */
export function registerEditTools(toolbox: Toolbox): void {
  const { server, agent } = toolbox
  const report = (documentId: string, edited: Edited) => toolText(describeEdit(documentId, edited))

  server.registerTool(
    'append_text',
    {
      title: 'Append text',
      description: `Adds Markdown at the end of a document. ${LIVE}`,
      inputSchema: z.strictObject({ document: documentName, markdown: somethingInMarkdown }),
      annotations: ADDS,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        return report(documentId, await agent.append(documentId, ({ document }) => append(document, args.markdown)))
      }),
  )

  server.registerTool(
    'insert_after_heading',
    {
      title: 'Insert after a heading',
      description: `Adds Markdown directly below a heading, before what its section already holds. ${LIVE}`,
      inputSchema: z.strictObject({ document: documentName, heading, occurrence, markdown: somethingInMarkdown }),
      annotations: ADDS,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        const change = insertBelow(args.heading, args.occurrence, args.markdown)
        return report(documentId, await agent.edit(documentId, null, change))
      }),
  )

  server.registerTool(
    'replace_text',
    {
      title: 'Replace text',
      description:
        'Replaces a stretch of a document’s Markdown by another one; nothing else is touched. The stretch must stand there ' +
        `exactly once (or set \`all\`). The best tool for small changes. ${LIVE}`,
      inputSchema: z.strictObject({
        document: documentName,
        old: markdownText
          .min(1)
          .describe('The Markdown to replace, exactly as read_document shows it; it may go over several lines'),
        new: markdownText.describe('The Markdown in its place; empty: it is deleted'),
        all: z.boolean().default(false).describe('Replace it everywhere'),
      }),
      annotations: { ...REPLACES, idempotentHint: false },
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        let count = 0
        const change = replaceText(args, found => {
          count = found
        })
        const edited = await agent.edit(documentId, null, change)
        return toolText(`${count === 1 ? '1 place' : `${count} places`}; ${describeEdit(documentId, edited)}`)
      }),
  )

  server.registerTool(
    'replace_section',
    {
      title: 'Replace a section',
      description:
        'Makes the section of a heading (all below it, up to the next heading of its level or above) say what the Markdown ' +
        `says, with the smallest change against the version that you have read. The heading itself stays. ${LIVE}`,
      inputSchema: z.strictObject({
        document: documentName,
        heading,
        occurrence,
        markdown: markdownText.describe('The section without its heading; empty: nothing is left below it'),
        base_version: base,
      }),
      annotations: REPLACES,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        const change = replaceSection(args.heading, args.occurrence, args.markdown)
        return report(documentId, await agent.edit(documentId, args.base_version, change))
      }),
  )

  server.registerTool(
    'replace_document',
    {
      title: 'Replace a document',
      description:
        'Makes the whole document say what the Markdown says, with the smallest change against the version that you have ' +
        `read: leave what you do not want to change as it is. ${LIVE}`,
      inputSchema: z.strictObject({ document: documentName, markdown: somethingInMarkdown, base_version: base }),
      annotations: REPLACES,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        return report(documentId, await agent.edit(documentId, args.base_version, replaceAll(args.markdown)))
      }),
  )

  server.registerTool(
    'create_document',
    {
      title: 'Create a document',
      description: 'Begins a new document with this Markdown. One that is there already is not changed.',
      inputSchema: z.strictObject({
        document: documentName.describe('Its name, up to 255 bytes, with slashes as folders: team/notes'),
        markdown: somethingInMarkdown,
      }),
      annotations: ADDS,
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        return report(documentId, await agent.create(documentId, ({ document }) => append(document, args.markdown)))
      }),
  )
}

/** The tool that only `--allow-delete` gives. */
export function registerDeleteTool(toolbox: Toolbox): void {
  const { server, agent } = toolbox
  server.registerTool(
    'delete_document',
    {
      title: 'Delete a document',
      description:
        'Deletes a document for everybody: people who have it open lose it. Its owners can restore it for a while; you can’t.',
      inputSchema: z.strictObject({ document: documentName }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
    },
    (args, context) =>
      answer(toolbox, context, async () => {
        const documentId = readName(args.document)
        await agent.api.delete(documentId)
        await agent.sessions.leave(documentId)
        return toolText(`deleted ${quoteName(documentId)}`)
      }),
  )
}
