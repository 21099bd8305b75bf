import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, readFile, realpath, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkLevelFiles } from '@weft/server/checkLevelFiles'
import { LevelStore } from '@weft/server/LevelStore'
import { CommandError } from './errors.ts'
import { holdLock, sizeOf } from './holdLock.ts'
import { makeTemporaryFolder } from './makeTemporaryFolder.ts'

/**
 * The files that LevelDB reads (its db/filename.cc). Not LOG, its diary, nor LOCK, which must not even be opened: closing any
 * descriptor of it would release it (fcntl).
 */
const LEVEL_FILE = /^(CURRENT|MANIFEST-\d+|\d+\.(log|ldb|sst))$/
/** What CURRENT holds. LevelDB takes it for a path, wherever that leads. */
const CURRENT_CONTENT = /^MANIFEST-\d+\n$/
const MAX_CURRENT_BYTES = 64
const MiB = 2 ** 20

/**
 * A copy of a LevelDB folder, to be read in its place.
 *
 * Opening a LevelDB store writes to it: a new manifest, tables made of the log, compaction. So a copy is opened, in a temporary
 * folder (TMPDIR chooses where). Links to the tables would not do: LevelDB names a new table by the next number of its manifest
 * and writes through what has that name already, as a table does that a crash left behind. Where the file system can share the
 * bytes of two files (Btrfs, XFS, APFS), the copy takes no room.
 *
 * Meanwhile the store's own LOCK is held, through a link: no server runs on the folder, and none starts.
 */
export class LevelFolderCopy {
  readonly store: LevelStore
  /** What is wrong with the files of the store, in words: something of it may be missing. */
  damage: string | null = null
  /** What else should be known, in words. */
  readonly warnings: string[] = []
  readonly #original: string
  readonly #temporary: string
  readonly #lock: LevelStore

  private constructor(original: string, temporary: string) {
    this.#original = original
    this.#temporary = temporary
    this.store = new LevelStore(join(temporary, 'store'))
    this.#lock = new LevelStore(join(temporary, 'lock'))
  }

  /**
   * @param folder has a file CURRENT
   * @param whenInUse what to do where another process uses the folder, in words
   * @param signal ends the copying, with its reason
   * @throws {CommandError} it can't be copied or opened, or another process uses it
   */
  static async open(folder: string, whenInUse: string, signal: AbortSignal): Promise<LevelFolderCopy> {
    const temporary = await makeTemporaryFolder('weft-copy').catch(error => {
      throw new CommandError(`a folder for temporary files can't be made (TMPDIR chooses where): ${error.message}`)
    })
    const copy = new LevelFolderCopy(folder, temporary)
    try {
      await copy.#open(whenInUse, signal)
      return copy
    } catch (error) {
      await copy.remove()
      throw copy.explained(error)
    }
  }

  async #open(whenInUse: string, signal: AbortSignal): Promise<void> {
    const folder = this.#original
    if ((await readdir(folder)).includes('LOCK')) {
      const isHeld = await holdLock(folder, this.#lock, whenInUse)
      if (!isHeld)
        this.warnings.push(`the lock of ${folder} can't be tried without the right to write: is no server using it?`)
    }
    await this.#imitate(signal)
    try {
      this.warnings.push(...(await checkLevelFiles(this.#folder, Number.POSITIVE_INFINITY)))
    } catch (error) {
      this.damage = this.explained(error).message
    }
    await this.store.open(false)
  }

  /** An error of the copy as one of the folder that was copied. */
  explained(error: unknown): CommandError {
    if (error instanceof CommandError) return error
    const text = error instanceof Error ? error.message : String(error)
    return new CommandError(text.replaceAll(this.#folder, this.#original), { cause: error })
  }

  get #folder(): string {
    return this.store.folder
  }

  /** @throws {CommandError} no store that LevelDB made, or no room for a copy. Also the signal's reason. */
  async #imitate(signal: AbortSignal): Promise<void> {
    await mkdir(this.#folder)
    const real = await realpath(this.#original)
    const sizes = new Map<string, number>()
    // LevelDB makes tables of its logs before it deletes them.
    let needed = 0
    for (const name of await readdir(real)) {
      if (!LEVEL_FILE.test(name)) continue
      const size = await sizeOf(join(real, name))
      sizes.set(name, size)
      if (name.endsWith('.log')) needed += size
    }
    await checkCurrent(join(real, 'CURRENT'), sizes.get('CURRENT') ?? 0)
    // First all that takes no room.
    for (const name of sizes.keys()) {
      signal.throwIfAborted()
      if (await this.#copy(real, name, constants.COPYFILE_FICLONE_FORCE).catch(() => false)) sizes.delete(name)
    }
    for (const size of sizes.values()) needed += size
    await this.#checkRoom(needed)
    for (const name of sizes.keys()) {
      signal.throwIfAborted()
      await this.#copy(real, name, 0)
    }
  }

  async #copy(folder: string, name: string, mode: number): Promise<true> {
    const to = join(this.#folder, name)
    await copyFile(join(folder, name), to, mode)
    // A copy may be overwritten, though its original may not.
    await chmod(to, 0o600)
    return true
  }

  async #checkRoom(needed: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder)
    const free = bavail * bsize
    if (needed <= free) return
    throw new CommandError(
      `a copy of ${this.#original} needs ${Math.ceil(needed / MiB)} MiB, and ${tmpdir()} has ${Math.floor(free / MiB)} MiB left: ` +
        'set TMPDIR to a folder with more room',
    )
  }

  async remove(): Promise<void> {
    await this.store.close()
    await this.#lock.close()
    await rm(this.#temporary, { recursive: true, force: true })
  }
}

async function checkCurrent(path: string, size: number): Promise<void> {
  if (size <= MAX_CURRENT_BYTES && CURRENT_CONTENT.test(await readFile(path, 'latin1'))) return
  throw new CommandError(`${path} names no manifest, as LevelDB's does`)
}
