import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LevelStore } from '@weft/server/LevelStore'
import { repairStore } from '@weft/server/repairStore'
import { readUploads } from '@weft/server/uploadFiles'
import { counted, summaryOf } from '../backup/amounts.ts'
import { FolderOwners } from '../backup/FolderOwners.ts'
import { placeOf } from '../backup/faults.ts'
import { type Restored, restoreFolder } from '../backup/restoreFolder.ts'
import { withCommandErrors } from '../backup/storeErrors.ts'
import { CommandError, UsageError } from '../errors.ts'
import { escapeInvisible } from '../escapeInvisible.ts'
import { holdLock, sizeOf } from '../holdLock.ts'
import { makeTemporaryFolder } from '../makeTemporaryFolder.ts'
import { quoteName } from '../quoteName.ts'
import { defineVerb, type Surroundings } from '../Verb.ts'

export const repairVerb = defineVerb({
  name: 'repair',
  summary: 'make a whole data folder of what can be read of a damaged one',
  usage: ['repair --data FOLDER --to NEW'],
  details: `Reads every record with a right checksum out of the files of FOLDER, whatever is damaged or missing beside it, and
makes NEW, which must not be there or be empty, a data folder of that: weft serve --data NEW. Nothing is written
to FOLDER, whose server must be stopped.

Documents that nothing is wrong with stay as they are. Of the others, all edits that were found are put together,
and it is said which are lost, by their numbers in the document's log, and which were left out because they build on
lost ones. Whoever still has what is lost (an open page, a device that was offline) brings it, and what builds on it,
when it next connects. A document whose name is lost is called recovered/ and a number.

Files that were put into documents are copied where their SHA-256 is right; all others are named.

What is lost in the end may be in a backup: weft restore takes one document out of it, weft import merges it.

Exit code: 0 everything is in NEW, 1 something is lost (NEW has all the rest), or it can't be done, 2 called in a
wrong way.`,
  options: {
    data: { type: 'string', value: 'FOLDER', help: 'the damaged data folder, of a server that is stopped' },
    to: { type: 'string', value: 'NEW', help: 'the data folder to make; TMPDIR needs as much room meanwhile' },
    json: { type: 'boolean', help: 'a JSON object per line: one for each document and lost file, one for the whole' },
  },
  examples: ['weft repair --data ./data --to ./repaired && weft serve --data ./repaired'],
  async run(positionals, { data, to, json }, surroundings) {
    if (positionals.length > 0 || data === undefined || data === '' || to === undefined || to === '') {
      throw new UsageError('expected --data and --to (weft repair --help)')
    }
    const report = new Report(json, surroundings)
    const temporary = await makeTemporaryFolder('weft-repair').catch(error => {
      throw new CommandError(`a folder for temporary files can't be made (TMPDIR chooses where): ${error.message}`)
    })
    const lock = new LevelStore(join(temporary, 'lock'))
    try {
      const isHeld = await lockFolder(data, lock)
      if (!isHeld) surroundings.note(`weft: the lock of ${data} can't be tried: is no server using it?`)
      const scratch = join(temporary, 'found')
      await mkdir(scratch)
      await withCommandErrors(data, () => restoreFolder(to, report.items(data, scratch)))
    } finally {
      await lock.close()
      await rm(temporary, { recursive: true, force: true })
    }
    report.end(data, to)
    return report.hasLoss ? 1 : 0
  },
})

/** @returns false: it can't be tried @throws {CommandError} it is in use, or no folder of LevelDB's files */
async function lockFolder(folder: string, lock: LevelStore): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    throw new CommandError(`${folder} can't be read: ${error.code === 'ENOTDIR' ? 'it is a file' : error.message}`)
  })
  const files = names.filter(name => /^\d+\.(ldb|sst|log)$/.test(name))
  if (files.length === 0) throw new CommandError(`${folder} holds no file of a store's`)
  // LevelDB makes no links: what one leads to is none of the store's.
  for (const name of files) await sizeOf(join(folder, name))
  return names.includes('LOCK') ? holdLock(folder, lock, 'stop that server first') : true
}

/** Prints what became of each document, and counts. */
class Report {
  hasLoss = false
  readonly #isJson: boolean
  readonly #surroundings: Surroundings
  readonly #counts = { whole: 0, repaired: 0, lost: 0, deleted: 0 }
  readonly #files = { copied: 0, damaged: 0 }
  readonly #problems: string[] = []

  constructor(isJson: boolean, surroundings: Surroundings) {
    this.#isJson = isJson
    this.#surroundings = surroundings
  }

  /** What is stored. */
  async *items(folder: string, scratch: string): AsyncGenerator<Restored> {
    const { signal, note, progress } = this.#surroundings
    const owners = await FolderOwners.of(folder)
    let count = 0
    for await (const item of repairStore(folder, scratch)) {
      signal.throwIfAborted()
      if (item.type === 'problem') {
        this.#problems.push(item.problem)
        note(escapeInvisible(`weft: ${item.problem}`))
        continue
      }
      const { documentId, state, document, lost, leftOut, problems } = item.repaired
      this.#counts[state]++
      owners.add(documentId)
      if (state === 'lost' || lost.length > 0 || leftOut.length > 0) this.hasLoss = true
      if (this.#isJson) {
        this.#print(JSON.stringify({ document: documentId, state, lost, leftOut, problems }))
      } else if (problems.length > 0) {
        this.#print(`${state.padEnd(8)}  ${quoteName(documentId)}`)
        for (const problem of problems) this.#print(`          it was damaged: ${problem}`)
        if (state === 'lost') this.#print('          nothing of it was found')
        else if (lost.length > 0) this.#print(`          lost: ${entriesOf(lost)}`)
        if (leftOut.length > 0) this.#print(`          left out, for it builds on what is lost: ${entriesOf(leftOut)}`)
      }
      progress(counted(++count, 'document'))
      if (document !== null) yield document
    }
    yield* this.#uploads(folder, owners)
  }

  /** Also those of documents that are lost: whoever still has one brings it. */
  async *#uploads(folder: string, owners: FolderOwners): AsyncGenerator<Restored> {
    const { signal, progress } = this.#surroundings
    for await (const item of readUploads(folder, name => owners.get(name))) {
      signal.throwIfAborted()
      if (!('damage' in item)) {
        progress(counted(++this.#files.copied, 'file'))
        yield item
        continue
      }
      const { documentId, file, damage } = item
      this.#files.damaged++
      this.hasLoss = true
      if (this.#isJson)
        this.#print(JSON.stringify({ document: documentId, file, state: 'damaged', problems: [damage] }))
      else this.#print(`damaged   ${placeOf({ name: documentId, file })}${damage}`)
    }
  }

  end(data: string, to: string): void {
    if (this.#isJson) {
      const counts = { ...this.#counts, files: this.#files }
      this.#print(JSON.stringify({ data, to, ...counts, complete: !this.hasLoss, problems: this.#problems }))
      return
    }
    const text = summaryOf(this.#counts, this.#files)
    this.#print(`${text}  ${to}`)
  }

  #print(line: string): void {
    this.#surroundings.print(escapeInvisible(line))
  }
}

/** `entries 3, 7-9`. */
function entriesOf(ranges: readonly (readonly [from: number, to: number])[]): string {
  const parts = ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`))
  return `${parts.length === 1 && !parts[0]?.includes('-') ? 'entry' : 'entries'} ${parts.join(', ')}`
}
