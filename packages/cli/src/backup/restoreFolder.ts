import { chmod, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { buildLevelStore } from '@weft/server/buildLevelStore'
import type { WholeDocument } from '@weft/server/UpdateLog'
import { makeUploadFolder, type UploadedFile, writeUploadFile } from '@weft/server/uploadFiles'
import { CommandError } from '../errors.ts'
import { clearLeftovers, temporaryName } from '../TemporaryName.ts'

/** What a data folder is made of. */
export type Restored = WholeDocument | UploadedFile

/**
 * Makes the data folder of a server, with these documents and files: as a whole, or not at all.
 * @param folder not there, or empty
 * @param items one at a time in memory
 * @throws {CommandError} it is not, or it can't be written; and whatever reading the items throws
 */
export async function restoreFolder(folder: string, items: AsyncIterable<Restored>): Promise<void> {
  await makeFolder(folder, beside => buildLevelStore(beside, withoutFiles(beside, items)))
}

/**
 * Makes a folder that is there as a whole or not at all: filled beside its place, then given its name.
 * @param folder not there, or empty
 * @throws {CommandError} it is not, or it can't be written; and whatever filling it throws
 */
export async function makeFolder(folder: string, fill: (beside: string) => Promise<void>): Promise<void> {
  const present = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new CommandError(`${folder} can't be made: ${error.code === 'ENOTDIR' ? 'it is a file' : error.message}`)
  })
  if (present !== null && present.length > 0) {
    const what = present.includes('CURRENT') ? 'holds a store already' : `is not empty: it holds ${present[0]}`
    throw new CommandError(`${folder} ${what}; restore into a new folder`)
  }
  // A link leads to the folder that counts.
  const path = present === null ? resolve(folder) : await realpath(folder)
  const parent = dirname(path)
  await clearLeftovers(parent, `.${basename(path)}`)
  const beside = join(parent, temporaryName(`.${basename(path)}`))
  // What everybody wrote is in it: only its owner may read it, whatever LevelDB would give its files.
  process.umask(0o077)
  try {
    await mkdir(parent, { recursive: true })
    await mkdir(beside)
    if (present !== null) await chmod(beside, (await stat(path)).mode & 0o7777)
    await fill(beside)
    await rename(beside, path)
    const handle = await open(parent, 'r')
    await handle.sync().finally(() => handle.close())
  } catch (error) {
    throw explained(folder, beside, error)
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
}

/** The documents; files are put into the folder as a server does it. */
async function* withoutFiles(folder: string, items: AsyncIterable<Restored>): AsyncGenerator<WholeDocument> {
  for await (const item of items) {
    if (!('file' in item)) yield item
    else await writeUploadFile(await makeUploadFolder(folder, item.documentId), item.file, item.bytes)
  }
}

function explained(folder: string, beside: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error ? error.code : undefined
  if ('syscall' in error) {
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return new CommandError(`${folder} is not empty any more`)
    if (code === 'ENOSPC' || code === 'EDQUOT')
      return new CommandError(`${folder} can't be written: ${error.message.replaceAll(beside, folder)}`)
    const isPlace = code === 'EBUSY' || code === 'EXDEV'
    const what = isPlace ? 'a file system is mounted there; restore into a folder below it' : error.message
    return new CommandError(`${folder} can't be made: ${what}`)
  }
  if (code === 'STORAGE_WRITE_FAILED' || code === 'STORE_UNWRITABLE') {
    return new CommandError(`${folder} can't be written: ${error.message.replaceAll(beside, folder)}`)
  }
  return error
}
