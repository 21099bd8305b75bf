import type { WeftDocument } from '@weft/client'
import { replaceText, textOf } from '@weft/client/text'
import { asCommandError } from '../asCommandError.ts'
import { DocumentClient } from '../DocumentClient.ts'
import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const replaceVerb = defineVerb({
  name: 'replace',
  summary: 'replace text in a document',
  usage: ['replace DOCUMENT OLD NEW'],
  details: `Replaces the first place where the plain text OLD stands within a paragraph (or heading, item, cell …). Only the
characters that differ are touched: formatting, carets and what others write beside it stay.

Exit code: 0 it is on the server's disk, 1 OLD wasn't found or it couldn't be done, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    all: { type: 'boolean', help: 'every place where OLD stands' },
    json: { type: 'boolean', help: 'a JSON object: document, replaced (how many)' },
  },
  examples: [
    'weft replace team/notes Friday Monday',
    'weft replace team/notes --all colour color',
    "weft replace log 'draft: ' ''",
  ],
  async run(positionals, values, { env, signal, print }) {
    const [name, old, wanted, ...rest] = positionals
    if (name === undefined || old === undefined || wanted === undefined || rest.length > 0) {
      throw new UsageError('expected a document, the old text and the new one (weft replace --help)')
    }
    if (old === '') throw new UsageError('the old text is empty')
    const documentId = readDocumentId(name)
    const replaced = await new DocumentClient(serverAddress(values.url, env), signal)
      .edit(documentId, document => {
        if (values.all) return replaceAll(document, old, wanted)
        replaceText(document, old, wanted)
        return 1
      })
      .catch(error => {
        throw asCommandError(documentId, error)
      })
    print(values.json ? jsonLine({ document: documentId, replaced }) : `${replaced} replaced`)
    return 0
  },
})

/** As one edit. @returns how many */
function replaceAll(document: WeftDocument, old: string, wanted: string): number {
  return document.ydoc.transact(() => {
    // The first one is looked for as without --all, so that both fail alike where there is none.
    let { to } = replaceText(document, old, wanted)
    let count = 1
    for (;;) {
      const from = textOf(document).indexOf(old, to)
      if (from < 0) return count
      to = replaceText(document, { from, to: from + old.length }, wanted).to
      count++
    }
  })
}
