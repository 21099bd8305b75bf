import { checkStoredDocument } from '@weft/server/checkStoredDocument'
import { type BackupItem, decodeBackup } from '@weft/server/decodeBackup'
import { WeftError } from '@weft/server/errors'
import { namedUploads } from '@weft/server/namedUploads'
import type { WholeDocument } from '@weft/server/UpdateLog'
import * as Y from 'yjs'
import { counted, sized, summaryOf } from '../backup/amounts.ts'
import { WITHOUT_FILES } from '../backup/faults.ts'
import { passing } from '../backup/passing.ts'
import { readBackupFile } from '../backup/readBackupFile.ts'
import { type FolderItem, readStoreFolder } from '../backup/readStoreFolder.ts'
import { CommandError, UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import { quoteName } from '../quoteName.ts'
import { ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { defineVerb, type Surroundings, serverOptions } from '../Verb.ts'

export const verifyVerb = defineVerb({
  name: 'verify',
  summary: 'check every stored document and file, of a server, a backup or a data folder',
  usage: ['verify', 'verify FILE', 'verify --data FOLDER'],
  details: `Replays the log of every document and holds it to what is stored beside it: checksums, positions, that each update
decodes and finds all that it builds on, that snapshot and knowledge say what Yjs says, tombstones. What is
damaged is named, and everything else is checked all the same.

A file that was put into a document is damaged where its SHA-256 is not the one that it is called by, missing where
its document names it and it isn't there, orphaned where it is whole and its document isn't there (that is no fault:
the server takes it away).

Of a running server it takes a backup, and checks it here. Of a server that is stopped, the data folder, its
files, and whether anything is there that belongs to no document: it is only read, from a copy (TMPDIR names a
folder with room for it).

Exit code: 0 all is well, 1 something isn't, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    data: { type: 'string', value: 'FOLDER', help: 'the data folder of a server that is stopped' },
    json: { type: 'boolean', help: 'a JSON object per line: one for each document and file, one for the whole' },
  },
  examples: ['weft verify', 'weft verify weft.weft.gz', 'weft verify --data ./data'],
  async run([file, ...rest], values, surroundings) {
    const isOne = [file, values.data, values.url].filter(place => place !== undefined).length <= 1
    if (rest.length > 0 || file === '' || values.data === '' || !isOne) {
      throw new UsageError('expected a file, --data, or neither (weft verify --help)')
    }
    const { env, signal, progress } = surroundings
    const report = new Report(values.json, surroundings)
    let bytes = 0
    const decoded = (chunks: AsyncIterable<Uint8Array>) =>
      withOrphans(
        decodeBackup(
          passing(chunks, chunk => {
            bytes += chunk.length
          }),
        ),
      )
    const items: AsyncIterable<FolderItem> =
      values.data !== undefined
        ? readStoreFolder(values.data, signal)
        : file !== undefined
          ? decoded(readBackupFile(file, signal))
          : decoded(new ServerApi(serverAddress(values.url, env), signal).backup())
    try {
      for await (const item of items) {
        signal.throwIfAborted()
        report.add(item)
        progress(`${counted(report.count, 'document')}${bytes > 0 ? `, ${sized(bytes)}` : ''}`)
      }
    } catch (error) {
      // A verdict as well: what was read so far still counts.
      if (!(error instanceof WeftError || error instanceof CommandError)) throw error
      signal.throwIfAborted()
      report.isWhole = false
      report.fault(error.message)
    }
    report.end()
    return report.exitCode
  },
})

/** A backup has each document's files behind it. */
async function* withOrphans(items: AsyncIterable<BackupItem>): AsyncGenerator<FolderItem> {
  /** Null: the backup is broken there, and nobody knows. */
  let owner: string | null = ''
  for await (const item of items) {
    if (item.type === 'document') owner = item.document.documentId
    else if ((item.type === 'damaged' || item.type === 'broken') && item.file === undefined) owner = item.name
    if (item.type === 'file' && owner !== null && item.upload.documentId !== owner) {
      yield { type: 'orphan', name: item.upload.documentId, file: item.upload.file }
    } else yield item
  }
}

type State = 'sound' | 'deleted' | 'damaged'
type FileState = 'sound' | 'damaged' | 'missing' | 'orphaned'

/** Prints what is wrong, and counts. */
class Report {
  /** False: not all could be read. */
  isWhole = true
  readonly #isJson: boolean
  readonly #surroundings: Surroundings
  readonly #counts: Record<State, number> = { sound: 0, deleted: 0, damaged: 0 }
  readonly #files: Record<FileState, number> = { sound: 0, damaged: 0, missing: 0, orphaned: 0 }
  readonly #faults: string[] = []
  /** Files that documents name, and that haven't come yet; null: none will come. */
  #awaited: Map<string, Set<string>> | null = new Map()

  constructor(isJson: boolean, surroundings: Surroundings) {
    this.#isJson = isJson
    this.#surroundings = surroundings
  }

  get count(): number {
    return this.#counts.sound + this.#counts.deleted + this.#counts.damaged
  }

  get exitCode(): number {
    return this.#counts.damaged + this.#files.damaged + this.#files.missing + this.#faults.length > 0 ? 1 : 0
  }

  add(item: FolderItem): void {
    switch (item.type) {
      case 'document':
        this.#check(item.document)
        break
      case 'file':
        this.#file(item.upload.documentId, item.upload.file, 'sound', [])
        break
      case 'orphan':
        this.#file(item.name, item.file, 'orphaned', ['its document is not there'])
        break
      case 'warning':
        this.#surroundings.note(escapeInvisible(`weft: ${item.problem}`))
        break
      case 'withoutFiles':
        this.#awaited = null
        this.#surroundings.note(`weft: ${WITHOUT_FILES}`)
        break
      case 'damaged':
      case 'broken':
        if (item.file !== undefined) this.#file(item.name, item.file, 'damaged', [item.problem])
        else if (item.name === null) this.fault(item.problem)
        else this.#document(item.name, 'damaged', [item.problem])
    }
  }

  /** Something that is wrong with the whole. */
  fault(text: string): void {
    this.#faults.push(text)
    this.#surroundings.note(escapeInvisible(`weft: ${text}`))
  }

  end(): void {
    // Where not all could be read, they may be in the rest.
    for (const [document, files] of (this.isWhole && this.#awaited) || []) {
      for (const file of files) this.#file(document, file, 'missing', ['its document names it'])
    }
    if (this.#isJson) {
      const whole = { ...this.#counts, files: this.#files, complete: this.isWhole, problems: this.#faults }
      this.#print(JSON.stringify(whole))
      return
    }
    const text = summaryOf(this.#counts, this.#files)
    const isNothing = [...Object.values(this.#counts), ...Object.values(this.#files)].every(count => count === 0)
    if (this.isWhole) this.#print(text)
    else this.#print(isNothing ? 'nothing could be read' : `${text}; not all could be read`)
  }

  #check(document: WholeDocument): void {
    const { documentId, deletedAt } = document
    const doc = new Y.Doc()
    const problems = checkStoredDocument(document, { doc })
    const state = problems.length > 0 ? 'damaged' : deletedAt === null ? 'sound' : 'deleted'
    this.#document(documentId, state, problems)
    const files = namedUploads(doc, documentId)
    if (files.size > 0) this.#awaited?.set(documentId, files)
  }

  #document(document: string, state: State, problems: readonly string[]): void {
    this.#counts[state]++
    if (this.#isJson) this.#print(JSON.stringify({ document, state, problems }))
    else if (state === 'damaged') this.#tell(state, quoteName(document), problems)
  }

  #file(document: string | null, file: string, state: FileState, problems: readonly string[]): void {
    this.#files[state]++
    if (document !== null && state !== 'missing') this.#awaited?.get(document)?.delete(file)
    if (this.#isJson) this.#print(JSON.stringify({ document, file, state, problems }))
    else if (state !== 'sound')
      this.#tell(state, `${document === null ? '' : `${quoteName(document)}: `}${file}`, problems)
  }

  #tell(state: string, what: string, problems: readonly string[]): void {
    this.#print(`${state.padEnd(7)}  ${what}`)
    for (const problem of problems) this.#print(`         ${problem}`)
  }

  #print(line: string): void {
    this.#surroundings.print(escapeInvisible(line))
  }
}
