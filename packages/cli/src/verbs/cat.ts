import { formatOption, readForm } from '../contentForm.ts'
import { UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { leftOutNote } from '../leftOutNote.ts'
import { quoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { type Content, type ContentForm, isOfOneDocument, ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, serverOptions } from '../Verb.ts'

export const catVerb = defineVerb({
  name: 'cat',
  summary: 'print documents',
  usage: ['cat DOCUMENT…'],
  details: `Prints what is stored of each document, one after the other: as Markdown, or in another form.

Exit code: 0 all printed, 1 not all, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    ...formatOption,
    json: {
      type: 'boolean',
      help: 'a JSON object per document: document, version, leftOut, content (of yjs: base64), problem',
    },
  },
  examples: ['weft cat team/notes', 'weft cat --format html team/notes > notes.html', 'weft cat --json a b'],
  async run(positionals, values, { env, signal, print, note, write }) {
    if (positionals.length === 0) throw new UsageError('expected a document (weft cat --help)')
    const documentIds = positionals.map(readDocumentId)
    const form = readForm(values.format ?? 'markdown')
    const api = new ServerApi(serverAddress(values.url, env), signal)
    let exitCode = 0
    for (const documentId of documentIds) {
      try {
        const content = await api.read(documentId, form)
        if (values.json) print(jsonLine({ document: documentId, ...describe(content, form), problem: null }))
        else await write(content.bytes)
        if (content.leftOut > 0) note(leftOutNote(documentId, content))
      } catch (error) {
        if (!isOfOneDocument(error)) throw error
        note(`weft: ${quoteName(documentId)}: ${error.message}`)
        if (values.json) print(jsonLine({ document: documentId, problem: error.message }))
        exitCode = 1
      }
    }
    return exitCode
  },
})

function describe({ bytes, version, leftOut }: Content, form: ContentForm) {
  const text = Buffer.from(bytes).toString(form === 'yjs' ? 'base64' : 'utf8')
  return { version, leftOut, content: form === 'json' ? JSON.parse(text) : text }
}
