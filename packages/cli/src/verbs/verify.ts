import { checkStoredDocument } from '@weft/server/checkStoredDocument'
import { decodeBackup } from '@weft/server/decodeBackup'
import { WeftError } from '@weft/server/errors'
import { counted, sized } from '../backup/amounts.ts'
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
  summary: 'check every stored document, of a server, a backup or a data folder',
  usage: ['verify', 'verify FILE', 'verify --data FOLDER'],
  details: `Replays the log of every document and holds it to what is stored beside it: checksums, positions, that each update
decodes and finds all that it builds on, that snapshot and knowledge say what Yjs says, tombstones. What is
damaged is named, and everything else is checked all the same.

Of a running server it takes a backup, and checks it here. Of a server that is stopped, the data folder, its
files, and whether anything is there that belongs to no document: it is only read, from a copy (TMPDIR names a
folder with room for it).

Exit code: 0 all is well, 1 something isn't, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    data: { type: 'string', value: 'FOLDER', help: 'the data folder of a server that is stopped' },
    json: { type: 'boolean', help: 'a JSON object per line: one for each document, one for the whole' },
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
      decodeBackup(
        passing(chunks, chunk => {
          bytes += chunk.length
        }),
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

type State = 'sound' | 'deleted' | 'damaged'

/** Prints what is wrong, and counts. */
class Report {
  /** False: not all could be read. */
  isWhole = true
  readonly #isJson: boolean
  readonly #surroundings: Surroundings
  readonly #counts: Record<State, number> = { sound: 0, deleted: 0, damaged: 0 }
  readonly #faults: string[] = []

  constructor(isJson: boolean, surroundings: Surroundings) {
    this.#isJson = isJson
    this.#surroundings = surroundings
  }

  get count(): number {
    return this.#counts.sound + this.#counts.deleted + this.#counts.damaged
  }

  get exitCode(): number {
    return this.#counts.damaged + this.#faults.length > 0 ? 1 : 0
  }

  add(item: FolderItem): void {
    if (item.type === 'document') {
      const { document } = item
      const problems = checkStoredDocument(document)
      const state = problems.length > 0 ? 'damaged' : document.deletedAt === null ? 'sound' : 'deleted'
      this.#document(document.documentId, state, problems)
    } else if (item.type === 'warning') this.#surroundings.note(escapeInvisible(`weft: ${item.problem}`))
    else if (item.name === null) this.fault(item.problem)
    else this.#document(item.name, 'damaged', [item.problem])
  }

  /** Something that is wrong with the whole. */
  fault(text: string): void {
    this.#faults.push(text)
    this.#surroundings.note(escapeInvisible(`weft: ${text}`))
  }

  end(): void {
    if (this.#isJson) {
      this.#print(JSON.stringify({ ...this.#counts, complete: this.isWhole, problems: this.#faults }))
      return
    }
    const counts = Object.entries(this.#counts).filter(([, count]) => count > 0)
    const text = counts.map(([state, count]) => `${count} ${state}`).join(', ')
    this.#print(`${text === '' ? 'no documents' : text}${this.isWhole ? '' : '; not all could be read'}`)
  }

  #document(document: string, state: State, problems: readonly string[]): void {
    this.#counts[state]++
    if (this.#isJson) this.#print(JSON.stringify({ document, state, problems }))
    else if (state === 'damaged') {
      this.#print(`damaged  ${quoteName(document)}`)
      for (const problem of problems) this.#print(`         ${problem}`)
    }
  }

  #print(line: string): void {
    this.#surroundings.print(escapeInvisible(line))
  }
}
