import { copyFile, mkdir, mkdtemp, readdir, realpath, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DocumentId, documentIdFromPath } from '@weft/protocol'
import { checkLevelFiles } from '@weft/server/checkLevelFiles'
import { WeftError } from '@weft/server/errors'
import { LevelStore } from '@weft/server/LevelStore'
import { CommandError } from '../errors.ts'
import type { DocumentSource, SourceDocument } from './DocumentSource.ts'
import { decodeLevelName, documentEnd, documentsRange, updatesRange } from './yLeveldbKey.ts'

/** LevelDB's tables: written once, later only deleted. */
const TABLE = /\.(ldb|sst)$/

/**
 * The folder of a `y-leveldb` store, as the server of `y-websocket` keeps it (`YPERSISTENCE`).
 *
 * Opening a LevelDB store writes to it: a new manifest, tables made of the log, compaction. So a stand-in is opened, in a
 * temporary folder: copies of the small files that say what the store is, and symbolic links to the tables, which LevelDB
 * only reads or unlinks. It takes no room to speak of.
 *
 * Meanwhile the store's own LOCK is held, through a link too: no server runs on the folder, and none starts.
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

  /** @throws {CommandError} it isn't such a folder, it can't be opened, or a server uses it */
  static async open(folder: string): Promise<YLeveldbSource> {
    const names = await readdir(folder).catch(error => {
      throw new CommandError(`${folder} can't be read: ${error.message}`)
    })
    if (!names.includes('CURRENT')) throw new CommandError(`${folder} holds no LevelDB store (it has no file CURRENT)`)
    const standIn = new StandIn(await mkdtemp(join(tmpdir(), 'weft-import-')))
    try {
      const warnings: string[] = []
      if (names.includes('LOCK')) {
        const isHeld = await standIn.holdLock(folder)
        if (!isHeld)
          warnings.push(`the lock of ${folder} can't be tried without the right to write: is no server using it?`)
      }
      await standIn.imitate(folder)
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
      const name = decodeLevelName(first[0])
      if (name === null)
        throw new CommandError(`${this.#folder}: a key that is not y-leveldb's: ${first[0].toString('hex')}`)
      yield { name, read: () => this.#read(name) }
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

  async #read(name: string): Promise<Uint8Array[]> {
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
    await mkdir(this.#lock.folder)
    await symlink(join(await realpath(folder), 'LOCK'), join(this.#lock.folder, 'LOCK'))
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

  async imitate(folder: string): Promise<void> {
    await mkdir(this.folder)
    const real = await realpath(folder)
    for (const name of await readdir(real)) {
      // LevelDB's own diary is of no use. LOCK must not even be read: closing any descriptor of it would release it (fcntl).
      if (/^LO(CK|G|G\.old)$/.test(name)) continue
      const from = join(real, name)
      if (!(await stat(from)).isFile()) continue
      if (TABLE.test(name)) await symlink(from, join(this.folder, name))
      else await copyFile(from, join(this.folder, name))
    }
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
