import type { BigIntStats } from 'node:fs'
import { lstat, mkdir, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { CommandError } from './errors.ts'
import { clearLeftovers, temporaryName } from './TemporaryName.ts'

/** One file can't be written; others may. */
export class RefusedFileError extends CommandError {}

/**
 * Writes files, each whole and on the disk or not at all, with the permissions of the one that was there. What the file
 * system itself refuses is thrown as it comes.
 */
export class FileWriter {
  /** What this has written, by device and inode: the name with which it was. */
  readonly #written = new Map<string, string>()

  /** A file that somebody named: where it is a link, what that leads to; where it is a device or a pipe, into that. */
  async toFile(file: string, bytes: Uint8Array): Promise<void> {
    const there = await stat(file, { bigint: true }).catch(ifMissing)
    if (there === null) {
      await mkdir(dirname(file), { recursive: true })
      await replaceFile(file, bytes, null)
    } else if (there.isFile() || there.isDirectory()) await replaceFile(await realpath(file), bytes, there)
    else await writeFile(file, bytes)
  }

  /**
   * A file in a folder, by a name that somebody else gave it.
   * @throws {RefusedFileError} a link leads out of the folder; or the file system takes its name for that of another one
   */
  async toFolder(folder: string, name: string, bytes: Uint8Array): Promise<void> {
    const file = join(folder, name)
    await mkdir(dirname(file), { recursive: true })
    const [root, place] = await Promise.all([realpath(folder), realpath(dirname(file))])
    if (place !== root && !place.startsWith(root.endsWith(sep) ? root : root + sep)) {
      throw new RefusedFileError(`${dirname(file)} is a link, and leads out of ${folder}`)
    }
    const there = await lstat(file, { bigint: true }).catch(ifMissing)
    const other = there === null ? undefined : this.#written.get(identity(there))
    if (other !== undefined && other !== name) {
      throw new RefusedFileError(`${file} is ${other} already: they are the same to this file system`)
    }
    this.#written.set(identity(await replaceFile(file, bytes, there)), name)
  }
}

/** Writes beside, then renames: nobody ever finds half a file, after a loss of power either. */
async function replaceFile(file: string, bytes: Uint8Array, there: BigIntStats | null): Promise<BigIntStats> {
  const mode = there?.isFile() === true ? Number(there.mode) & 0o777 : null
  await clearLeftovers(dirname(file), '')
  const beside = join(dirname(file), temporaryName(''))
  try {
    const handle = await open(beside, 'wx', mode === null ? 0o666 : 0o600)
    try {
      if (mode !== null) await handle.chmod(mode)
      await handle.writeFile(bytes)
      await handle.sync()
      const written = await handle.stat({ bigint: true })
      await rename(beside, file)
      return written
    } finally {
      await handle.close()
    }
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

function ifMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}
