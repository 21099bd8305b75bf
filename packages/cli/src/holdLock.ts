import { lstat, mkdir, realpath, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { WeftError } from '@weft/server/errors'
import type { LevelStore } from '@weft/server/LevelStore'
import { CommandError } from './errors.ts'

/**
 * Takes the lock of a store, by an empty one elsewhere whose LOCK is a link to it: no server runs on the folder, and none starts,
 * until `holder` is closed. Nothing of the folder is written to.
 * @param holder a store whose folder isn't there @param whenInUse what to do where another process uses the folder, in words
 * @returns false: without the right to
 * @throws {CommandError} another process uses it
 */
export async function holdLock(folder: string, holder: LevelStore, whenInUse: string): Promise<boolean> {
  const file = join(await realpath(folder), 'LOCK')
  // Opening it would make the file that a link leads to.
  await sizeOf(file)
  await mkdir(holder.folder)
  await symlink(file, join(holder.folder, 'LOCK'))
  try {
    await holder.open(true)
    return true
  } catch (error) {
    if (error instanceof WeftError && error.code === 'STORE_UNWRITABLE') return false
    if (!(error instanceof WeftError && error.code === 'STORE_LOCKED')) throw error
    throw new CommandError(`${folder} is in use by another process: ${whenInUse}`)
  }
}

/** @throws {CommandError} no regular file: LevelDB makes no others, and what they lead to is none of the store's */
export async function sizeOf(path: string): Promise<number> {
  const status = await lstat(path)
  if (status.isFile()) return status.size
  throw new CommandError(`${path} is ${status.isSymbolicLink() ? 'a link' : 'no file'}; LevelDB makes none`)
}
