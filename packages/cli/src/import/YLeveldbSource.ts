import { constants } from 'node:fs'
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  statfs,
  symlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DocumentId, documentIdFromPath } from '@weft/protocol'
import { checkLevelFiles } from '@weft/server/checkLevelFiles'
import { WeftError } from '@weft/server/errors'
import { LevelStore } from '@weft/server/LevelStore'
import { CommandError } from '../errors.ts'
import { quoteName } from '../quoteName.ts'
import type { DocumentSource, SourceDocument } from './DocumentSource.ts'
import { decodeName } from './decodeName.ts'
import { documentEnd, documentsRange, nameInKey, updatesRange } from './yLeveldbKey.ts'

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
 * The folder of a `y-leveldb` store, as the server of `y-websocket` keeps it (`YPERSISTENCE`).
 *
 * Opening a LevelDB store writes to it: a new manifest, tables made of the log, compaction. So a copy is opened, in a temporary
 * folder (TMPDIR chooses where). Links to the tables would not do: LevelDB names a new table by the next number of its manifest
 * and writes through what has that name already, as a table does that a crash left behind. Where the file system can share the
 * bytes of two files (Btrfs, XFS, APFS), the copy takes no room.
 *
 * Meanwhile the store's own LOCK is held, through a link: no server runs on the folder, and none starts.
 */
export class YLeveldbSource implements DocumentSource {
  readonly damage: string | null
  readonly warnings: readonly string[]
  readonly #folder: string
  readonly #standIn: StandIn

  private constructor(folder: string, standIn: StandIn, damage: string | null, warnings: readonly string[]) {
    this.#folder = folder
    this.#standIn = standIn
    this.damage = damage
    this.warnings = warnings
  }

  /**
   * @param signal ends the copying, with its reason
   * @throws {CommandError} it isn't such a folder, it can't be opened or copied, or a server uses it
   */
  static async open(folder: string, signal: AbortSignal): Promise<YLeveldbSource> {
    const names = await readdir(folder).catch(error => {
      if (error.code === 'ENOTDIR') {
        throw new CommandError(
          `${folder} is a file; a y-leveldb store is a folder. Did you mean: weft import hocuspocus ${quoteName(folder)}?`,
        )
      }
      throw new CommandError(`${folder} can't be read: ${error.message}`)
    })
    if (!names.includes('CURRENT')) throw new CommandError(`${folder} holds no LevelDB store (it has no file CURRENT)`)
    const temporary = await mkdtemp(join(tmpdir(), 'weft-import-')).catch(error => {
      throw new CommandError(`a folder for temporary files can't be made (TMPDIR chooses where): ${error.message}`)
    })
    const standIn = new StandIn(temporary)
    try {
      const warnings: string[] = []
      if (names.includes('LOCK')) {
        const isHeld = await standIn.holdLock(folder)
        if (!isHeld)
          warnings.push(`the lock of ${folder} can't be tried without the right to write: is no server using it?`)
      }
      await standIn.imitate(folder, signal)
      let damage: string | null = null
      try {
        for (const warning of await checkLevelFiles(standIn.folder, Number.POSITIVE_INFINITY)) warnings.push(warning)
      } catch (error) {
        damage = explain(error, folder, standIn.folder)
      }
      await standIn.store.open(false)
      const source = new YLeveldbSource(folder, standIn, damage, warnings)
      await source.#checkContent()
      return source
    } catch (error) {
      await standIn.remove()
      if (error instanceof CommandError) throw error
      throw new CommandError(explain(error, folder, standIn.folder), { cause: error })
    }
  }

  async *documents(): AsyncGenerator<SourceDocument> {
    const { gte, lt } = documentsRange
    let from = gte
    for (;;) {
      const [first] = await this.#scan(from, lt, 1)
      if (first === undefined) return
      const name = nameInKey(first[0])
      if (name === null)
        throw new CommandError(`${this.#folder}: a key that is not y-leveldb's: ${first[0].toString('hex')}`)
      yield { ...decodeName(name), read: () => this.#read(name) }
      from = documentEnd(name)
    }
  }

  /** That server knows a document by the path of its URL as it stands; here the path is percent-decoded, once. */
  documentId(name: string): DocumentId {
    return documentIdFromPath(`/${name}`)
  }

  async close(): Promise<void> {
    await this.#standIn.remove()
  }

  async #read(name: Uint8Array): Promise<Uint8Array[]> {
    const { gte, lt } = updatesRange(name)
    return (await this.#scan(gte, lt)).map(([, value]) => value)
  }

  async #checkContent(): Promise<void> {
    const { gte, lt } = documentsRange
    if ((await this.#scan(gte, lt, 1)).length > 0) return
    if ((await this.#scan(Buffer.of(), Buffer.of(0xff), 1)).length > 0) {
      throw new CommandError(`${this.#folder} is a LevelDB store, but not one of y-leveldb`)
    }
  }

  async #scan(gte: Buffer, lt: Buffer, limit?: number): Promise<[key: Buffer, value: Buffer][]> {
    try {
      return await this.#standIn.store.scan(gte, lt, limit)
    } catch (error) {
      throw new CommandError(explain(error, this.#folder, this.#standIn.folder), { cause: error })
    }
  }
}

/** What is opened in place of a store. */
class StandIn {
  readonly store: LevelStore
  readonly #temporary: string
  readonly #lock: LevelStore

  constructor(temporary: string) {
    this.#temporary = temporary
    this.store = new LevelStore(join(temporary, 'store'))
    this.#lock = new LevelStore(join(temporary, 'lock'))
  }

  get folder(): string {
    return this.store.folder
  }

  /** Takes the lock of the real store, by an empty one beside it. @returns false: without the right to */
  async holdLock(folder: string): Promise<boolean> {
    const file = join(await realpath(folder), 'LOCK')
    // Opening it would make the file that a link leads to.
    await sizeOf(file)
    await mkdir(this.#lock.folder)
    await symlink(file, join(this.#lock.folder, 'LOCK'))
    try {
      await this.#lock.open(true)
      return true
    } catch (error) {
      if (error instanceof WeftError && error.code === 'STORE_UNWRITABLE') return false
      if (!(error instanceof WeftError && error.code === 'STORE_LOCKED')) throw error
      throw new CommandError(
        `${folder} is in use by another process: stop that server, or import a copy of the folder while it runs, and the ` +
          'folder itself after it has stopped',
      )
    }
  }

  /** @throws {CommandError} no store that LevelDB made, or no room for a copy. Also the signal's reason. */
  async imitate(folder: string, signal: AbortSignal): Promise<void> {
    await mkdir(this.folder)
    const real = await realpath(folder)
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
    await this.#checkRoom(folder, needed)
    for (const name of sizes.keys()) {
      signal.throwIfAborted()
      await this.#copy(real, name, 0)
    }
  }

  async #copy(folder: string, name: string, mode: number): Promise<true> {
    const to = join(this.folder, name)
    await copyFile(join(folder, name), to, mode)
    // A copy may be overwritten, though its original may not.
    await chmod(to, 0o600)
    return true
  }

  async #checkRoom(folder: string, needed: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.folder)
    const free = bavail * bsize
    if (needed <= free) return
    throw new CommandError(
      `a copy of ${folder} needs ${Math.ceil(needed / MiB)} MiB, and ${tmpdir()} has ${Math.floor(free / MiB)} MiB left: ` +
        'set TMPDIR to a folder with more room',
    )
  }

  async remove(): Promise<void> {
    await this.store.close()
    await this.#lock.close()
    await rm(this.#temporary, { recursive: true, force: true })
  }
}

function explain(error: unknown, folder: string, standIn: string): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(standIn, folder)
}

/** @throws {CommandError} no regular file: LevelDB makes no others, and what they lead to is none of the store's */
async function sizeOf(path: string): Promise<number> {
  const status = await lstat(path)
  if (status.isFile()) return status.size
  throw new CommandError(`${path} is ${status.isSymbolicLink() ? 'a link' : 'no file'}; LevelDB makes none`)
}

async function checkCurrent(path: string, size: number): Promise<void> {
  if (size <= MAX_CURRENT_BYTES && CURRENT_CONTENT.test(await readFile(path, 'latin1'))) return
  throw new CommandError(`${path} names no manifest, as LevelDB's does`)
}
