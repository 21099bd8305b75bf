import { checkStoredDocument } from '@weft/server/checkStoredDocument'
import { decodeBackup, type Fault } from '@weft/server/decodeBackup'
import type { WholeDocument } from '@weft/server/UpdateLog'
import { writeUploadFile } from '@weft/server/uploadFiles'
import * as Y from 'yjs'
import { counted, sized } from '../backup/amounts.ts'
import { type DamagedItem, damagedItem, placeOf, WITHOUT_FILES, whatIsIn } from '../backup/faults.ts'
import { NewFile } from '../backup/NewFile.ts'
import { passing } from '../backup/passing.ts'
import { readBackupFile } from '../backup/readBackupFile.ts'
import { makeFolder, type Restored, restoreFolder } from '../backup/restoreFolder.ts'
import { withCommandErrors } from '../backup/storeErrors.ts'
import { CommandError, UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import { quoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { defineVerb, type Surroundings } from '../Verb.ts'

export const restoreVerb = defineVerb({
  name: 'restore',
  summary: 'make a data folder of a backup, or take one document out of it',
  usage: ['restore FILE --data FOLDER', 'restore FILE --document DOCUMENT --to FILE.yjs [--files FOLDER]'],
  details: `Makes FOLDER, which must not be there or be empty, the data folder of a server that has what the backup has:
weft serve --data FOLDER. It is built beside and put to disk; only when all of FILE has proved whole it is called
FOLDER. Into a server that has documents, nothing is restored: that would take back what was written since.

Or takes one document out, as a Yjs update, which weft import merges with what there is, or begins another
document with. Files that were put into it come into the folder that --files names, which weft import --files puts
into a document again.

Exit code: 0 all is restored, 1 it isn't (documents and files that were damaged in the store are named, and the
others are restored), 2 called in a wrong way.`,
  options: {
    data: { type: 'string', value: 'FOLDER', help: 'the data folder to make' },
    document: { type: 'string', value: 'DOCUMENT', help: 'only this document' },
    to: { type: 'string', value: 'FILE.yjs', help: 'the file that it is written to' },
    files: { type: 'string', value: 'FOLDER', help: 'a new folder for the files that were put into the document' },
    force: { type: 'boolean', help: 'replace FILE.yjs if it is there' },
    json: {
      type: 'boolean',
      help: 'a JSON object: file, data or document and to, documents, deleted, files, bytes, damaged',
    },
  },
  examples: [
    'weft restore weft.weft.gz --data ./data && weft serve --data ./data',
    'weft restore weft.weft.gz --document team/notes --to notes.yjs && weft import notes.yjs team/notes-of-friday',
  ],
  async run([file, ...rest], values, surroundings) {
    if (file === undefined || rest.length > 0) throw new UsageError('expected a file (weft restore --help)')
    const { data, document, to, files: folder } = values
    const isWhole = data !== undefined && data !== '' && document === undefined && to === undefined
    const isOne = data === undefined && document !== undefined && to !== undefined && to !== ''
    if (!isWhole && !isOne) throw new UsageError('expected --data, or --document and --to (weft restore --help)')
    if (isWhole && folder !== undefined) throw new UsageError('--files is for --document: --data has them')
    if (folder === '') throw new UsageError('expected a folder after --files')
    if (isWhole && values.force) throw new UsageError('--force is for --to: a folder is never replaced')
    const reading = new Reading(file, surroundings)
    return withCommandErrors(file, async () => {
      if (isOne) {
        const documentId = readDocumentId(document)
        const taken = { bytes: 0, files: 0 }
        const take = async (beside: string | null): Promise<void> => {
          Object.assign(taken, await takeOut(reading, documentId, { to, files: beside }, values.force))
        }
        await (folder === undefined ? take(null) : makeFolder(folder, take))
        const { bytes, files } = taken
        if (folder === undefined && files > 0) {
          const what = `${counted(files, 'file')} of ${quoteName(documentId)}`
          surroundings.note(escapeInvisible(`weft: ${what} can't be in ${to}: --files FOLDER takes them out, too`))
        }
        const withFiles = folder === undefined ? '' : `, ${counted(files, 'file')}  ${folder}`
        if (values.json) surroundings.print(JSON.stringify({ file, document: documentId, to, bytes, files }))
        else surroundings.print(`${quoteName(documentId)}  ${to}  (${sized(bytes)})${withFiles}`)
        return 0
      }
      await restoreFolder(data ?? '', reading.items())
      const { counts, damaged } = reading
      if (values.json) surroundings.print(JSON.stringify({ file, data, ...counts, damaged }))
      else surroundings.print(`${whatIsIn(counts)}  ${data}`)
      return damaged.length > 0 ? 1 : 0
    })
  },
})

/**
 * @param files a folder that is there; null: they stay in the backup
 * @returns the bytes that were written, and how many files of the document the backup has
 * @throws {CommandError} the backup has no such document, or isn't whole
 */
async function takeOut(
  reading: Reading,
  documentId: string,
  { to, files: folder }: { readonly to: string; readonly files: string | null },
  mayReplace: boolean,
): Promise<{ bytes: number; files: number }> {
  const target = await NewFile.begin(to, mayReplace)
  try {
    let found: WholeDocument | null = null
    let files = 0
    // To the end: only there it is known to be whole.
    for await (const item of reading.items()) {
      if (item.documentId !== documentId) continue
      if ('file' in item) {
        files++
        if (folder !== null) await writeUploadFile(folder, item.file, item.bytes)
      } else found = item
    }
    if (found === null) {
      const damage = reading.damaged.find(({ document, file }) => document === documentId && file === undefined)
      const what = damage === undefined ? 'is not in this backup' : 'was damaged when this backup was made'
      throw new CommandError(`${quoteName(documentId)} ${what}`)
    }
    if (found.deletedAt !== null) {
      throw new CommandError(`${quoteName(documentId)} was deleted at ${new Date(found.deletedAt).toISOString()}`)
    }
    const doc = new Y.Doc()
    const [problem] = checkStoredDocument(found, { doc })
    if (problem !== undefined) throw new CommandError(`${quoteName(documentId)} is damaged: ${problem}`)
    await target.write(Y.encodeStateAsUpdate(doc))
    await target.finish()
    return { bytes: target.bytes, files }
  } finally {
    await target.discard()
  }
}

/** A backup as it is read, and what it said. */
class Reading {
  readonly counts = { documents: 0, deleted: 0, files: 0, bytes: 0 }
  readonly damaged: DamagedItem[] = []
  readonly #file: string
  readonly #surroundings: Surroundings

  constructor(file: string, surroundings: Surroundings) {
    this.#file = file
    this.#surroundings = surroundings
  }

  /** @throws {CommandError} {WeftError} the file isn't whole */
  async *items(): AsyncGenerator<Restored> {
    const { signal, progress, note } = this.#surroundings
    const chunks = passing(readBackupFile(this.#file, signal), chunk => {
      this.counts.bytes += chunk.length
    })
    for await (const item of decodeBackup(chunks)) {
      signal.throwIfAborted()
      switch (item.type) {
        case 'withoutFiles':
          note(`weft: ${WITHOUT_FILES}`)
          break
        case 'file':
          this.counts.files++
          yield item.upload
          break
        case 'document':
          if (item.document.deletedAt === null) this.counts.documents++
          else this.counts.deleted++
          progress(`${counted(this.counts.documents + this.counts.deleted, 'document')}, ${sized(this.counts.bytes)}`)
          yield item.document
          break
        case 'broken':
          throw new CommandError(`${this.#file} is damaged: ${placeOf(item)}${item.problem}`)
        case 'damaged':
          this.#tell(item)
      }
    }
  }

  #tell(fault: Fault): void {
    this.damaged.push(damagedItem(fault))
    const text = `${placeOf(fault)}damaged when the backup was made, and not in it: ${fault.problem}`
    this.#surroundings.note(escapeInvisible(`weft: ${text}`))
  }
}
