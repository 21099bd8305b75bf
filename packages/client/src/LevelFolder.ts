import { mkdir, open, readdir, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import leveldown, { type Leveldown } from 'leveldown'
import { StoreError } from './errors.ts'

export type LevelOperation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer }

const sentinelKey = Buffer.from('s')
const sentinel = Buffer.from('weft client store 1')

/** Folders that are open or opening in this process, by their real path. */
const folders = new Map<string, Promise<LevelFolder>>()

/**
 * One LevelDB folder, shared by all documents of this process that are kept in it: LevelDB lets one process in, and that once.
 * (Asked a second time, version 1.20 even gives up the lock of the first while it refuses.)
 *
 * leveldown crashes the process when it is used after it is closed: nothing reaches it but while `#isOpen`, and closing waits
 * for what runs. After a failed write the folder closes itself: LevelDB would take further writes behind a half-written
 * record of its log, and drop them when it next reads that. Whoever needs it takes it anew.
 */
export class LevelFolder {
  readonly path: string
  readonly #db: Leveldown
  /** Names of the documents that are open: each once. */
  readonly #users = new Set<string>()
  #isOpen = true
  #runningCount = 0
  #drained: () => void = () => {}
  #closing: Promise<void> | undefined

  private constructor(path: string, db: Leveldown) {
    this.path = path
    this.#db = db
  }

  /**
   * Opens the folder for a document, or joins those that have it open.
   * @param folder made where it is absent.
   * @throws {StoreError} `locked`: by another process; or this one has this document open already.
   */
  static async take(folder: string, user: string): Promise<LevelFolder> {
    try {
      const path = await preparedPath(folder)
      for (;;) {
        let opening = folders.get(path)
        if (opening === undefined) {
          opening = LevelFolder.#open(path)
          folders.set(path, opening)
          opening.catch(() => folders.delete(path))
        }
        const found = await opening
        if (found.#closing === undefined) {
          if (found.#users.has(user)) throw new StoreError('locked', `this process has it open in ${folder} already`)
          found.#users.add(user)
          return found
        }
        await found.#closing
      }
    } catch (error) {
      throw storeError(folder, error)
    }
  }

  static async #open(path: string): Promise<LevelFolder> {
    const db = leveldown(path)
    await promised(done => db.open({ createIfMissing: true, maxOpenFiles: 64 }, done))
    const level = new LevelFolder(path, db)
    try {
      // The sentinel is the first record of a new store, and tells ours from others.
      const [first] = await level.read(Buffer.alloc(1), Buffer.from([0xff]), 1)
      const [marker] = await level.read(sentinelKey, Buffer.concat([sentinelKey, Buffer.alloc(1)]))
      if (first === undefined) await level.write([{ type: 'put', key: sentinelKey, value: sentinel }])
      else if (marker === undefined || !marker[1].equals(sentinel)) {
        throw new StoreError('damaged', `${path} holds a LevelDB store that is not one of a Weft client`)
      }
    } catch (error) {
      await level.#close()
      throw error
    }
    return level
  }

  /** All records with `gte <= key < lt`, in order. */
  read(gte: Buffer, lt: Buffer, limit = -1): Promise<[key: Buffer, value: Buffer][]> {
    return this.#run(done => {
      const iterator = this.#db.iterator({ gte, lt, limit, highWaterMark: 256 << 10, fillCache: false })
      const found: [Buffer, Buffer][] = []
      const step = (error: Error | null | undefined, key?: Buffer, value?: Buffer): void => {
        if (error || key === undefined || value === undefined) {
          iterator.end(endError => done(error ?? endError, found))
          return
        }
        found.push([key, value])
        iterator.next(step)
      }
      iterator.next(step)
    })
  }

  /** One atomic write, on the disk when it resolves. */
  async write(operations: readonly LevelOperation[]): Promise<void> {
    try {
      await this.#run<void>(done => {
        const batch = this.#db.batch()
        for (const operation of operations) {
          if (operation.type === 'put') batch.put(operation.key, operation.value)
          else batch.del(operation.key)
        }
        batch.write({ sync: true }, done)
      })
    } catch (error) {
      // It is of no use any more, whether it can be closed or not; the write has failed.
      this.#close().catch(() => {})
      throw error
    }
  }

  /** Gives the room of what was deleted in a range back to the disk. */
  compact(gte: Buffer, lt: Buffer): Promise<void> {
    return this.#run(done => this.#db.compactRange(gte, lt, done))
  }

  /** A document leaves; the last one closes the folder. */
  async release(user: string): Promise<void> {
    this.#users.delete(user)
    if (this.#users.size === 0) await this.#close()
    else if (this.#closing !== undefined) await this.#closing
  }

  #close(): Promise<void> {
    this.#closing ??= this.#drainAndClose()
    return this.#closing
  }

  async #drainAndClose(): Promise<void> {
    this.#isOpen = false
    try {
      if (this.#runningCount > 0) {
        await new Promise<void>(resolve => {
          this.#drained = resolve
        })
      }
      await promised(done => this.#db.close(done))
    } finally {
      folders.delete(this.path)
    }
  }

  #run<R>(start: (done: (error: Error | null | undefined, result?: R) => void) => void): Promise<R> {
    if (!this.#isOpen) return Promise.reject(new StoreError('unavailable', `the store in ${this.path} has been closed`))
    this.#runningCount++
    return promised(start)
      .catch(error => {
        throw storeError(this.path, error)
      })
      .finally(() => {
        this.#runningCount--
        if (this.#runningCount === 0) this.#drained()
      })
  }
}

/** Makes the folder. LevelDB would begin an empty store in the place of one that has lost its file `CURRENT`. */
async function preparedPath(folder: string): Promise<string> {
  // What somebody writes is nothing for the other users of this machine.
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  // The name of a new folder is an entry of its parent, and lost with the power as long as that is not synced.
  for (let made = resolve(folder); first !== undefined; made = dirname(made)) {
    await syncFolder(dirname(made))
    if (made === resolve(first)) break
  }
  const path = await realpath(folder)
  const names = await readdir(path)
  if (!names.includes('CURRENT')) {
    // What a first start leaves that was cut short: LevelDB makes `CURRENT` before its first log.
    const others = names.filter(name => !/^(LOCK|LOG|LOG\.old|MANIFEST-000001|000001\.dbtmp)$/.test(name))
    if (others.some(name => /^(MANIFEST-\d+|\d+\.(ldb|sst|log))$/.test(name))) {
      throw new StoreError('damaged', `the file CURRENT is missing in ${folder}`)
    }
    if (others.length > 0) throw new StoreError('damaged', `${folder} is neither empty nor a store`)
  }
  return path
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function promised<R>(start: (done: (error: Error | null | undefined, result?: R) => void) => void): Promise<R> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result as R)))
  })
}

/** LevelDB tells its kinds of errors apart by their texts alone (util/status.cc, util/env_posix.cc). */
function storeError(folder: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const text = error instanceof Error ? error.message : String(error)
  const message = `the store in ${folder}: ${text}`
  if (/^IO error: lock .*(temporarily unavailable|already held|Access is denied|being used)/i.test(text)) {
    return new StoreError('locked', `the store in ${folder} is in use by another process`, { cause: error })
  }
  if (/no space left|quota exceeded|ENOSPC|EDQUOT/i.test(text)) return new StoreError('full', message, { cause: error })
  if (/^Corruption/.test(text)) return new StoreError('damaged', message, { cause: error })
  return new StoreError('unavailable', message, { cause: error })
}
