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
  usage: ['rm DOCUMENT…'],
  details: `Deletes documents, for everybody and at once: who has one open is told so, and who comes back with a copy can't
bring it back. There is no way to undo it: export what you may still need.

Exit code: 0 all deleted, 1 not all, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    json: { type: 'boolean', help: 'a JSON object per document: document, deleted, problem' },
  },
  examples: ['weft rm drafts/old', 'weft export drafts/old old.yjs && weft rm drafts/old'],
  async run(positionals, values, { env, signal, print, note }) {
    if (positionals.length === 0) throw new UsageError('expected a document (weft rm --help)')
    const documentIds = positionals.map(readDocumentId)
    const api = new ServerApi(serverAddress(values.url, env), signal)
    let exitCode = 0
    for (const documentId of documentIds) {
      let problem: string | null = null
      try {
        await api.delete(documentId)
      } catch (error) {
        if (!isOfOneDocument(error)) throw error
        problem = error.message
        note(`weft: ${quoteName(documentId)}: ${problem}`)
        exitCode = 1
      }
      if (values.json) print(jsonLine({ document: documentId, deleted: problem === null, problem }))
    }
    return exitCode
  },
})
