import { checkStoredDocument } from '@weft/server/checkStoredDocument'
import { type BackupItem, decodeBackup } from '@weft/server/decodeBackup'
import type { WholeDocument } from '@weft/server/UpdateLog'
import * as Y from 'yjs'
import { counted, sized } from '../backup/amounts.ts'
import { NewFile } from '../backup/NewFile.ts'
import { passing } from '../backup/passing.ts'
import { readBackupFile } from '../backup/readBackupFile.ts'
import { restoreFolder } from '../backup/restoreFolder.ts'
import { withCommandErrors } from '../backup/storeErrors.ts'
import { CommandError, UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import { quoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { defineVerb, type Surroundings } from '../Verb.ts'

export const restoreVerb = defineVerb({
  name: 'restore',
  summary: 'make a data folder of a backup, or take one document out of it',
  usage: ['restore FILE --data FOLDER', 'restore FILE --document DOCUMENT --to FILE.yjs'],
  details: `Makes FOLDER, which must not be there or be empty, the data folder of a server that has what the backup has:
weft serve --data FOLDER. It is built beside and put to disk; only when all of FILE has proved whole it is called
FOLDER. Into a server that has documents, nothing is restored: that would take back what was written since.

Or takes one document out, as a Yjs update, which weft import merges with what there is, or begins another
document with.

Exit code: 0 all is restored, 1 it isn't (documents that were damaged in the store are named, and the others are
restored), 2 called in a wrong way.`,
  options: {
    data: { type: 'string', value: 'FOLDER', help: 'the data folder to make' },
    document: { type: 'string', value: 'DOCUMENT', help: 'only this document' },
    to: { type: 'string', value: 'FILE.yjs', help: 'the file that it is written to' },
    force: { type: 'boolean', help: 'replace FILE.yjs if it is there' },
    json: { type: 'boolean', help: 'a JSON object: file, data or document and to, documents, deleted, bytes, damaged' },
  },
  examples: [
    'weft restore weft.weft.gz --data ./data && weft serve --data ./data',
    'weft restore weft.weft.gz --document team/notes --to notes.yjs && weft import notes.yjs team/notes-of-friday',
  ],
  async run([file, ...rest], values, surroundings) {
    if (file === undefined || rest.length > 0) throw new UsageError('expected a file (weft restore --help)')
    const { data, document, to } = values
    const isWhole = data !== undefined && data !== '' && document === undefined && to === undefined
    const isOne = data === undefined && document !== undefined && to !== undefined && to !== ''
    if (!isWhole && !isOne) throw new UsageError('expected --data, or --document and --to (weft restore --help)')
    if (isWhole && values.force) throw new UsageError('--force is for --to: a folder is never replaced')
    const reading = new Reading(file, surroundings)
    return withCommandErrors(file, async () => {
      if (isOne) {
        const documentId = readDocumentId(document)
        const bytes = await takeOut(reading, documentId, to, values.force)
        if (values.json) surroundings.print(JSON.stringify({ file, document: documentId, to, bytes }))
        else surroundings.print(`${quoteName(documentId)}  ${to}  (${sized(bytes)})`)
        return 0
      }
      await restoreFolder(data ?? '', reading.documents())
      const { counts, damaged } = reading
      if (values.json) surroundings.print(JSON.stringify({ file, data, ...counts, damaged }))
      else {
        const deleted = counts.deleted > 0 ? `, ${counts.deleted} deleted` : ''
        surroundings.print(`${counted(counts.documents, 'document')}${deleted}  ${data}`)
      }
      return damaged.length > 0 ? 1 : 0
    })
  },
})

/** @returns the bytes that were written @throws {CommandError} the backup has no such document, or isn't whole */
async function takeOut(reading: Reading, documentId: string, to: string, mayReplace: boolean): Promise<number> {
  const target = await NewFile.begin(to, mayReplace)
  try {
    let found: WholeDocument | null = null
    // To the end: only there it is known to be whole.
    for await (const document of reading.documents()) if (document.documentId === documentId) found = document
    if (found === null) {
      const damage = reading.damaged.find(({ document }) => document === documentId)
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
    return target.bytes
  } finally {
    await target.discard()
  }
}

/** A backup as it is read, and what it said. */
class Reading {
  readonly counts = { documents: 0, deleted: 0, bytes: 0 }
  readonly damaged: { document: string | null; problem: string }[] = []
  readonly #file: string
  readonly #surroundings: Surroundings

  constructor(file: string, surroundings: Surroundings) {
    this.#file = file
    this.#surroundings = surroundings
  }

  /** @throws {CommandError} {WeftError} the file isn't whole */
  async *documents(): AsyncGenerator<WholeDocument> {
    const { signal, progress } = this.#surroundings
    const chunks = passing(readBackupFile(this.#file, signal), chunk => {
      this.counts.bytes += chunk.length
    })
    for await (const item of decodeBackup(chunks)) {
      signal.throwIfAborted()
      if (item.type !== 'document') {
        this.#tell(item)
        continue
      }
      if (item.document.deletedAt === null) this.counts.documents++
      else this.counts.deleted++
      progress(`${counted(this.counts.documents + this.counts.deleted, 'document')}, ${sized(this.counts.bytes)}`)
      yield item.document
    }
  }

  #tell({ type, name, problem }: Exclude<BackupItem, { type: 'document' }>): void {
    const prefix = name === null ? '' : `${quoteName(name)}: `
    if (type === 'broken') throw new CommandError(`${this.#file} is damaged: ${prefix}${problem}`)
    this.damaged.push({ document: name, problem })
    const text = `${prefix}damaged when the backup was made, and not in it: ${problem}`
    this.#surroundings.note(escapeInvisible(`weft: ${text}`))
  }
}
