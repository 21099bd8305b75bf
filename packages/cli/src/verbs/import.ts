import { readFile } from 'node:fs/promises'
import { DocumentClient } from '../DocumentClient.ts'
import { UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import type { DocumentSource } from '../import/DocumentSource.ts'
import { HocuspocusSource } from '../import/HocuspocusSource.ts'
import { type ImportedDocument, importDocuments } from '../import/importDocuments.ts'
import { importFile } from '../import/importFile.ts'
import { Names, readRename } from '../import/Names.ts'
import { YLeveldbSource } from '../import/YLeveldbSource.ts'
import { quoteName, unquoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, type Surroundings, serverOptions } from '../Verb.ts'

/** Stores that can be imported from, by the word that names their kind. */
const stores: Readonly<Record<string, (path: string, signal: AbortSignal) => Promise<DocumentSource>>> = {
  'y-leveldb': YLeveldbSource.open,
  hocuspocus: HocuspocusSource.open,
}

export const importVerb = defineVerb({
  name: 'import',
  summary: 'bring in a file, or the documents of another server',
  usage: ['import FILE DOCUMENT', 'import y-leveldb FOLDER', 'import hocuspocus FILE.sqlite'],
  details: `Makes a document say what FILE says (.md, .html, .json; - is standard input), by the smallest edit: what is
equal stays, with the carets of those who write in it. A Yjs update (.yjs) is merged with what is there.

Or copies every document of another server's store into a running Weft server: the y-leveldb folder of
y-websocket's server (YPERSISTENCE), or the SQLite file of Hocuspocus' extension-sqlite. The store is
only read. What Weft has already stays, and is merged with what comes: run it as often as you like.

A y-leveldb folder is copied first, to the folder for temporary files: TMPDIR names another with more room.

Names: of y-leveldb they are the paths of the clients' URLs, percent-decoded once, as Weft reads those paths.
A name that Weft refuses is reported, and --rename gives it another.

Exit code: 0 all is on the server's disk, 1 something isn't, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    format: { type: 'string', value: 'FORM', help: 'of FILE: markdown, html, json or yjs' },
    files: { type: 'string', value: 'FOLDER', help: 'put these into the document, too: of weft restore --files' },
    anew: { type: 'boolean', help: 'FILE begins a deleted document again' },
    'dry-run': { type: 'boolean', help: 'of a store: list names, sizes and problems; ask no server' },
    only: { type: 'string', value: 'NAME', multiple: true, help: 'only this document of the store; may be repeated' },
    rename: { type: 'string', value: 'OLD=NEW', multiple: true, help: 'another name for a document; may be repeated' },
    renames: { type: 'string', value: 'FILE', help: 'other names, as a JSON object: {"old": "new"}' },
    json: { type: 'boolean', help: 'a JSON object per line: one for each document, one for the whole' },
  },
  examples: [
    'weft import notes.md team/notes',
    'weft import y-leveldb ./yjs-documents --dry-run',
    'weft import y-leveldb ./yjs-documents --url http://127.0.0.1:9091',
    "weft import hocuspocus db.sqlite --rename 'team//notes=team/notes'",
  ],
  async run(positionals, values, surroundings) {
    const { signal } = surroundings
    const [kind, path, ...rest] = positionals
    if (kind !== undefined && path !== undefined && rest.length === 0 && !Object.hasOwn(stores, kind)) {
      const isStore = values['dry-run'] || values.renames !== undefined
      if (isStore || values.only.length + values.rename.length > 0) {
        throw new UsageError(`${kind} is no store, and a file has no such options (weft import --help)`)
      }
      return importFile(kind, readDocumentId(path), values, surroundings)
    }
    if (values.anew || values.format !== undefined || values.files !== undefined) {
      throw new UsageError('--format, --files and --anew are for files (weft import --help)')
    }
    const openStore = kind !== undefined && Object.hasOwn(stores, kind) ? stores[kind] : undefined
    if (openStore === undefined || path === undefined || rest.length > 0) {
      throw new UsageError(
        `expected weft import FILE DOCUMENT, or ${Object.keys(stores).join(' or ')} and one path (weft import --help)`,
      )
    }
    const server = serverAddress(values.url, surroundings.env)
    const only = values.only.map(name => unquoteName(name, '--only'))
    const renames = new Map([
      ...(values.renames === undefined ? [] : await readRenames(values.renames)),
      ...values.rename.map(readRename),
    ])
    const source = await openStore(path, signal)
    try {
      const names = new Names({ only, renames }, name => source.documentId(name))
      const report = new Report(values.json, surroundings)
      for (const warning of source.warnings) report.warning(warning)
      if (source.damage !== null) report.fault(`${source.damage}; what can be read of it is imported`)
      const client = values['dry-run'] ? null : new DocumentClient(server, signal)
      try {
        let count = 0
        for await (const document of importDocuments(source, names, client)) {
          surroundings.progress(`${++count}: ${quoteName(document.source)}`)
          report.document(document)
          signal.throwIfAborted()
        }
        for (const name of names.unused) report.missing(`${path} has no document ${quoteName(name)}`)
      } catch (error) {
        report.isWhole = false
        throw error
      } finally {
        report.end()
      }
      return report.exitCode
    } finally {
      await source.close()
    }
  },
})

/** @throws {UsageError} */
async function readRenames(file: string): Promise<[from: string, to: string][]> {
  const text = await readFile(file, 'utf8').catch(error => {
    throw new UsageError(`--renames: ${error.message}`)
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`--renames: ${file} is no JSON: ${error instanceof Error ? error.message : error}`)
  }
  const entries = value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : null
  if (entries?.every((entry): entry is [string, string] => typeof entry[1] === 'string') !== true) {
    throw new UsageError(`--renames: ${file} is no JSON object of strings`)
  }
  return entries
}

/** Prints what becomes of each document, and counts. */
class Report {
  /** False: the import ended before the last document. */
  isWhole = true
  readonly #isJson: boolean
  readonly #surroundings: Surroundings
  readonly #counts = { imported: 0, found: 0, empty: 0, incomplete: 0, failed: 0 }
  #faults: string[] = []
  #isMissing = false

  constructor(isJson: boolean, surroundings: Surroundings) {
    this.#isJson = isJson
    this.#surroundings = surroundings
  }

  get exitCode(): number {
    return this.#counts.incomplete + this.#counts.failed + this.#faults.length > 0 ? 1 : 0
  }

  document(document: ImportedDocument): void {
    this.#counts[document.state]++
    if (this.#isJson) {
      this.#print(JSON.stringify(document))
      return
    }
    const { source, bytes, updates } = document
    const isRenamed = document.document !== null && document.document !== source
    const target = isRenamed ? ` as ${quoteName(document.document ?? '')}` : ''
    this.#print(
      `${document.state.padEnd(10)}  ${quoteName(source)}${target}  (${counted(bytes, 'byte')}, ${counted(updates, 'update')})`,
    )
    for (const problem of document.problems) this.#print(`            ${problem}`)
  }

  /** Something that is wrong with the whole. */
  fault(text: string): void {
    this.#faults.push(text)
    this.warning(text)
  }

  /** Something that was asked for and is not there. */
  missing(text: string): void {
    this.#isMissing = true
    this.fault(text)
  }

  /** Something that should be known. */
  warning(text: string): void {
    this.#surroundings.note(escapeInvisible(`weft: ${text}`))
  }

  end(): void {
    if (this.#isJson) {
      this.#print(JSON.stringify({ ...this.#counts, complete: this.isWhole, problems: this.#faults }))
      return
    }
    const counts = Object.entries(this.#counts).filter(([, count]) => count > 0)
    // Where nothing came and it was said why, a sum says no more.
    const { imported, found, incomplete } = this.#counts
    if (this.isWhole ? this.#isMissing && counts.length === 0 : imported + found + incomplete === 0) return
    const text = counts.map(([state, count]) => `${count} ${state}`).join(', ')
    this.#print(`${text === '' ? 'no documents' : text}${this.isWhole ? '' : '; not finished: run it again'}`)
  }
  #print(line: string): void {
    this.#surroundings.print(escapeInvisible(line))
  }
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}
