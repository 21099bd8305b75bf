import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { extensionOf, formatOption, formOfFile, readForm } from '../contentForm.ts'
import { UsageError } from '../errors.ts'
import { FileWriter, RefusedFileError } from '../FileWriter.ts'
import { jsonLine } from '../jsonLine.ts'
import { leftOutNote } from '../leftOutNote.ts'
import { quoteName, unquoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { type ContentForm, isOfOneDocument, ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, type Surroundings, serverOptions } from '../Verb.ts'

export const exportVerb = defineVerb({
  name: 'export',
  summary: 'write documents to files',
  usage: ['export DOCUMENT FILE', 'export --prefix PREFIX FOLDER'],
  details: `Writes a document to a file, in the form that its name tells (.md, .html, .json, .yjs); or all documents that
begin with PREFIX ('' for all) into a folder: team/notes becomes FOLDER/team/notes.md. A file that is there is
replaced as a whole, and stays as it was where something goes wrong.

Only .yjs holds all of a document; Markdown, HTML and JSON hold its text.

Exit code: 0 all written, 1 not all, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    ...formatOption,
    prefix: { type: 'string', value: 'PREFIX', help: 'all documents that begin so, into a folder' },
    damaged: { type: 'boolean', help: 'of a damaged document, what comes before the damage' },
    json: { type: 'boolean', help: 'a JSON object per document: document, file, bytes, leftOut, problem' },
  },
  examples: [
    'weft export team/notes notes.md',
    "weft export --prefix '' --format html ./site",
    'weft export --prefix team/ --format yjs ./copy',
  ],
  async run(positionals, values, surroundings) {
    const { env, signal } = surroundings
    const [target, ...files] = [...positionals].reverse()
    const isOne = values.prefix === undefined
    if (target === undefined || files.length !== (isOne ? 1 : 0)) {
      throw new UsageError(`expected ${isOne ? 'a document and a file' : 'a folder'} (weft export --help)`)
    }
    const form = values.format === undefined ? (isOne ? formOfFile(target) : 'markdown') : readForm(values.format)
    if (form === null) throw new UsageError(`${target} tells no form: --format does`)
    const api = new ServerApi(serverAddress(values.url, env), signal)
    const exporter = new Exporter(api, form, values, surroundings)
    if (isOne) await exporter.toFile(readDocumentId(files[0] ?? ''), target)
    else {
      let count = 0
      for await (const { name } of api.list(unquoteName(values.prefix ?? '', '--prefix'))) {
        signal.throwIfAborted()
        surroundings.progress(`${++count}: ${quoteName(name)}`)
        await exporter.toFolder(name, target)
      }
    }
    return exporter.isWhole ? 0 : 1
  },
})

class Exporter {
  isWhole = true
  readonly #api: ServerApi
  readonly #form: ContentForm
  readonly #isJson: boolean
  readonly #isDamaged: boolean
  readonly #surroundings: Surroundings
  readonly #writer = new FileWriter()

  constructor(
    api: ServerApi,
    form: ContentForm,
    { json, damaged }: { json: boolean; damaged: boolean },
    surroundings: Surroundings,
  ) {
    this.#api = api
    this.#form = form
    this.#isJson = json
    this.#isDamaged = damaged
    this.#surroundings = surroundings
  }

  toFile(documentId: DocumentId, file: string): Promise<void> {
    return this.#write(documentId, file, bytes => this.#writer.toFile(file, bytes))
  }

  toFolder(documentId: DocumentId, folder: string): Promise<void> {
    const name = `${documentId}${extensionOf[this.#form]}`
    return this.#write(documentId, join(folder, name), bytes => this.#writer.toFolder(folder, name, bytes))
  }

  async #write(documentId: DocumentId, file: string, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    const { print, note } = this.#surroundings
    const report = (said: { bytes: number; leftOut: number; problem: string | null }) => {
      if (this.#isJson) print(jsonLine({ document: documentId, file, ...said }))
    }
    try {
      const content = await this.#api.read(documentId, this.#form, { isDamaged: this.#isDamaged })
      await write(content.bytes)
      if (!this.#isJson) print(`${quoteName(documentId)}  ${quoteName(file)}  (${content.bytes.length} bytes)`)
      if (content.leftOut > 0) note(leftOutNote(documentId, content))
      const problem = content.isDamaged ? 'damaged in the store: this is what comes before the damage' : null
      if (problem !== null) {
        this.isWhole = false
        note(`weft: ${quoteName(documentId)}: ${problem}`)
      }
      report({ bytes: content.bytes.length, leftOut: content.leftOut, problem })
    } catch (error) {
      if (!isOfOneDocument(error) && !isOfOneFile(error)) throw error
      this.isWhole = false
      note(`weft: ${quoteName(documentId)}: ${error.message}`)
      report({ bytes: 0, leftOut: 0, problem: error.message })
    }
  }
}

/** What the file system refuses, or its links. */
function isOfOneFile(error: unknown): error is Error {
  return error instanceof RefusedFileError || (error instanceof Error && 'syscall' in error)
}
