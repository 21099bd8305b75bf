import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { WeftError } from '../errors.ts'

// Stands in the folder from before LevelDB's first file until the sentinel record is on disk: a crash in between leaves a
// folder that may be started anew, and that nothing has been committed to.
const firstStartName = 'FIRST_START'
const probeName = 'PROBE'
/** A file system's own, where a volume is mounted as the data folder. */
const ignoredNames = new Set(['lost+found', probeName])

/** What is in a data folder before the store is opened. */
export type FolderContent =
  /** Nothing yet; or a first start that was cut short: no sentinel has been written. */
  | 'first start'
  /** Files of a store. */
  | 'store'

/**
 * Looks at a data folder; with `create`, makes it where it is absent.
 * LevelDB opens an empty store where its file `CURRENT` is missing, so a folder that is neither empty nor whole is refused here.
 * @throws {WeftError} `STORE_MISSING`, `STORE_FOREIGN`, `STORE_DAMAGED`, `STORE_UNWRITABLE`
 */
export async function prepareFolder(folder: string, create: boolean): Promise<FolderContent> {
  const names = await readNames(folder)
  if (names?.includes('CURRENT') && !names.includes(firstStartName)) {
    await probeWrite(folder, 1)
    return 'store'
  }
  if (names !== null && names.length > 0 && !names.includes(firstStartName)) {
    const files = names.slice(0, 5).join(', ')
    if (names.some(name => /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/.test(name))) {
      throw new WeftError('STORE_DAMAGED', `the file CURRENT is missing in ${folder}, which holds ${files}`)
    }
    throw new WeftError('STORE_FOREIGN', `${folder} is neither empty nor a store: it holds ${files}`)
  }
  if (!create) throw new WeftError('STORE_MISSING', `there is no store in ${folder}`)
  try {
    if (names === null) {
      // The name of a folder is an entry of its parent, and as lost as that after a loss of power unless that is synced.
      const first = await makeFolder(resolve(folder))
      for (let made = resolve(folder); first !== null; made = dirname(made)) {
        await syncFolder(dirname(made))
        if (made === first || made === dirname(made)) break
      }
    }
    const marker = await open(join(folder, firstStartName), 'a')
    await marker.sync()
    await marker.close()
    await syncFolder(folder)
  } catch (error) {
    throw unwritable(folder, error)
  }
  return 'first start'
}

/**
 * Makes a folder and those above it that are missing. Not `mkdir` with `recursive`: where a file system takes no folder and says
 * that there is none (`/proc/x`), that one tries for ever (Node 20.20).
 * @returns the first one that was made; null: all were there
 */
async function makeFolder(folder: string): Promise<string | null> {
  try {
    await mkdir(folder, { mode: 0o700 })
    return folder
  } catch (error) {
    if (await isFolder(folder)) return null
    const parent = dirname(folder)
    if (!isErrno(error) || error.code !== 'ENOENT' || (await isFolder(parent))) throw error
    const first = await makeFolder(parent)
    return (await makeFolder(folder)) === null ? first : (first ?? folder)
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    found => found.isDirectory(),
    () => false,
  )
}

/** What others on this machine may do with a data folder, in words; null: nothing. Documents are in its files. */
export async function describeRights(folder: string): Promise<string | null> {
  const rights = (await stat(folder)).mode & 0o777
  if (process.platform === 'win32' || (rights & 0o077) === 0) return null
  return `the data folder ${folder} is open to others on this machine (its rights are ${rights.toString(8)}): chmod 700 ${folder}`
}

/** Ends a first start: what LevelDB made and the sentinel in it are on disk, names of files included. */
export async function finishFirstStart(folder: string): Promise<void> {
  await syncFolder(folder)
  await rm(join(folder, firstStartName))
  await syncFolder(folder)
}

/**
 * Writes a file of so many bytes, to disk, and takes it away again.
 * @throws {WeftError} `STORE_UNWRITABLE`
 */
export async function probeWrite(folder: string, bytes: number): Promise<void> {
  const path = join(folder, probeName)
  try {
    const file = await open(path, 'w')
    try {
      const block = Buffer.alloc(64 << 10, 0x2e)
      for (let left = bytes; left > 0; ) {
        const { bytesWritten } = await file.write(block, 0, Math.min(left, block.length))
        left -= bytesWritten
      }
      await file.datasync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw unwritable(folder, error)
  } finally {
    await rm(path, { force: true }).catch(error => {
      throw unwritable(folder, error)
    })
  }
}

/** Bytes of all files in the folder, and bytes left on its file system for us. */
export async function measureFolder(folder: string): Promise<{ bytes: number; logBytes: number; freeBytes: number }> {
  let bytes = 0
  let logBytes = 0
  for (const name of (await readNames(folder)) ?? []) {
    // LevelDB deletes files at any moment: one that is gone takes no space.
    const size = await stat(join(folder, name)).then(
      file => file.size,
      () => 0,
    )
    bytes += size
    if (name.endsWith('.log')) logBytes += size
  }
  const fs = await statfs(folder)
  return { bytes, logBytes, freeBytes: fs.bavail * fs.bsize }
}

/** Bytes that are left for us on the folder's file system, and bytes that it has in all. */
export async function measureDisk(folder: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const { bavail, blocks, bsize } = await statfs(folder)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

async function readNames(folder: string): Promise<string[] | null> {
  try {
    return (await readdir(folder)).filter(name => !ignoredNames.has(name))
  } catch (error) {
    if (isErrno(error) && error.code === 'ENOENT') return null
    if (isErrno(error) && error.code === 'ENOTDIR')
      throw new WeftError('STORE_FOREIGN', `${folder} is not a folder`, { cause: error })
    throw unwritable(folder, error)
  }
}

/** Puts a folder's names to disk: of files that were made, renamed or removed. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function unwritable(folder: string, error: unknown): WeftError {
  if (error instanceof WeftError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new WeftError('STORE_UNWRITABLE', `the data folder ${folder} cannot be written to: ${text}`, { cause: error })
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error
}
