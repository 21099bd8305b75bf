import { DocumentClient } from '../DocumentClient.ts'
import { CommandError, UsageError } from '../errors.ts'
import { followLines } from '../followLines.ts'
import { jsonLine } from '../jsonLine.ts'
import { quoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { serverAddress } from '../serverAddress.ts'
import { showControls } from '../showControls.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const tailVerb = defineVerb({
  name: 'tail',
  summary: 'follow the edits of a document',
  usage: ['tail DOCUMENT'],
  details: `Prints what changes in a document's text, as it changes, until it is interrupted: the number of the line (from 1),
who wrote, and the lines as they were (-) and as they are (+). What comes within half a second is one change. After
a broken connection it goes on by itself, with what it missed.`,
  options: {
    ...serverOptions,
    json: {
      type: 'boolean',
      help: 'a JSON object per change: line, removed, inserted (lists of lines), by (list of names)',
    },
  },
  examples: ['weft tail team/notes', "weft tail --json team/notes | jq -r '.inserted[]'"],
  async run(positionals, values, { env, signal, print, note }) {
    const [name, ...rest] = positionals
    if (name === undefined || rest.length > 0) throw new UsageError('expected one document (weft tail --help)')
    const documentId = readDocumentId(name)
    const document = await new DocumentClient(serverAddress(values.url, env), signal).open(documentId)
    const followed = followLines(document, change => {
      if (values.json) {
        print(jsonLine(change))
        return
      }
      const { line, removed, inserted, by } = change
      print(
        [
          `@@ ${line}${by.length > 0 ? `  ${by.map(quoteName).join(', ')}` : ''}`,
          ...removed.map(text => `- ${showControls(text)}`),
          ...inserted.map(text => `+ ${showControls(text)}`),
        ].join('\n'),
      )
    })
    const stop = () => void document.close({ saved: false })
    signal.addEventListener('abort', stop)
    document.on('refused', stop)
    if (signal.aborted) stop()
    note(`weft: following ${quoteName(documentId)}`)
    await followed
    await document.close()
    const { refusal } = document
    if (refusal !== undefined) throw new CommandError(`refused: ${refusal.reason} (${refusal.code})`)
    return 0
  },
})
