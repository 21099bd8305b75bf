import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { quoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { isOfOneDocument, ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const rmVerb = defineVerb({
  name: 'rm',
  summary: 'delete documents',
  usage: ['rm DOCUMENT…', 'rm --restore DOCUMENT…'],
  details: `Deletes documents, for everybody and at once: who has one open is told so, and who comes back with a copy can't
bring it back. The server keeps them in its bin (30 days, unless it is set up otherwise); --restore takes them out.

Exit code: 0 all deleted, 1 not all, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    restore: { type: 'boolean', help: 'takes documents out of the bin instead: they are what they were' },
    json: { type: 'boolean', help: 'a JSON object per document: document, deleted (restored), problem' },
  },
  examples: ['weft rm drafts/old', 'weft rm --restore drafts/old'],
  async run(positionals, values, { env, signal, print, note }) {
    if (positionals.length === 0) throw new UsageError('expected a document (weft rm --help)')
    const documentIds = positionals.map(readDocumentId)
    const api = new ServerApi(serverAddress(values.url, env), signal)
    let exitCode = 0
    for (const documentId of documentIds) {
      let problem: string | null = null
      try {
        await (values.restore ? api.restore(documentId) : api.delete(documentId))
      } catch (error) {
        if (!isOfOneDocument(error)) throw error
        problem = error.message
        note(`weft: ${quoteName(documentId)}: ${problem}`)
        exitCode = 1
      }
      const done = { [values.restore ? 'restored' : 'deleted']: problem === null }
      if (values.json) print(jsonLine({ document: documentId, ...done, problem }))
    }
    return exitCode
  },
})
