import { append, insertAfterHeading } from '@weft/client/text'
import { asCommandError } from '../asCommandError.ts'
import { DocumentClient } from '../DocumentClient.ts'
import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const appendVerb = defineVerb({
  name: 'append',
  summary: 'add text to a document',
  usage: ['append DOCUMENT TEXT', 'append DOCUMENT < FILE'],
  details: `Adds Markdown at the end of a document, or below a heading of it: TEXT, or what comes over standard input. Touches
nothing else. A document that isn't there begins with it.

Exit code: 0 it is on the server's disk, 1 it isn't, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    below: { type: 'string', value: 'HEADING', help: 'directly below this heading' },
    json: { type: 'boolean', help: 'a JSON object: document, block (the number of the first new one, from 0)' },
  },
  examples: [
    "weft append team/shopping '- bought **milk**'",
    'date | weft append log',
    "weft append team/notes --below Decisions 'We ship on Friday.'",
  ],
  async run(positionals, values, { env, signal, readInput, print }) {
    const [name, text, ...rest] = positionals
    if (name === undefined || rest.length > 0)
      throw new UsageError('expected a document and a text (weft append --help)')
    const documentId = readDocumentId(name)
    const server = serverAddress(values.url, env)
    const markdown = text ?? (await readInput()).toString()
    if (markdown.trim() === '') throw new UsageError('there is nothing to append')
    const { below } = values
    const block = await new DocumentClient(server, signal)
      .edit(documentId, document =>
        below === undefined ? append(document, markdown) : insertAfterHeading(document, below, markdown),
      )
      .catch(error => {
        throw asCommandError(documentId, error)
      })
    if (values.json) print(jsonLine({ document: documentId, block }))
    return 0
  },
})
