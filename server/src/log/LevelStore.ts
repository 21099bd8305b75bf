import type { Leveldown, LeveldownIterator, LeveldownOptions } from 'leveldown'
import { WeftError } from '../errors.ts'
import { type LevelSystem, levelSystem } from './levelSystem.ts'

export type LevelOperation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer }

/**
 * ```
 * closed → opening → open → failed
 *    ↑        │        │       │
 *    └────────┴─── closing ←───┘
 * ```
 * `failed`: a write failed. LevelDB would take further writes behind a half-written record of its log, and drop them when it
 * next reads that log; so none is let through until the store has been closed and opened. Reads go on.
 */
export type LevelStoreState = 'closed' | 'opening' | 'open' | 'failed' | 'closing'

/**
 * LevelDB's settings. Memory of a store: about 2 × `writeBufferSize` + `cacheSize` + what is under way.
 * Measured (two cores, ext4): with 1, 4 and 16 MiB of write buffer a synced batch of 1 takes 0.24 to 0.3 ms, one of 100 entries
 * 0.5 ms, a value of 20 MB 70 to 140 ms, with blocks of 4, 16 and 64 KiB a tail of 260 entries is read in 0.7 to 0.8 ms: all
 * within the noise. The buffer decides how long a start takes, which reads the log again: 30 ms with 4 MiB, 120 ms with 16.
 */
const settings = {
  compression: true,
  writeBufferSize: 4 << 20,
  // Reads go by ranges of one document, once per opening: iterators don't fill the cache, so it serves `get` alone.
  cacheSize: 8 << 20,
  // A document's entries lie side by side and are read as a run: larger blocks than LevelDB's 4 KiB need a smaller index.
  blockSize: 16 << 10,
  // Descriptors: the process has 1,024 at worst, and sockets need most of them.
  maxOpenFiles: 256,
  maxFileSize: 4 << 20,
} as const satisfies LeveldownOptions

/** What one call of leveldown's iterator brings from its thread, in bytes: 16 times its default, one hop for an ordinary tail. */
const readAheadBytes = 256 << 10
/**
 * The same of a view, which goes from one short range to the next: what is brought along beyond that is not wanted. Measured:
 * 2,000 documents of 7 records take 2.7 s of CPU with 32 KiB, 0.9 s with 2.
 */
const viewReadAheadBytes = 2 << 10

/** A store as it was at one moment. Until it is closed, nothing of that moment leaves the disk. */
export interface LevelView {
  /** As the store's. One at a time. */
  scan(gte: Buffer, lt: Buffer, limit?: number): Promise<[key: Buffer, value: Buffer][]>
  /** Does nothing when it is closed, or the store. */
  close(): Promise<void>
}

// A second handle on a folder in one process would not only fail: LevelDB 1.20 closes a descriptor of LOCK while it refuses,
// and with POSIX locks that releases the lock of the first one. So it must never get that far.
const heldHere = new Set<string>()

/**
 * A LevelDB folder with promises, explicit states and synced writes: leveldown crashes the process when it is used before it is
 * open or after it is closed, so nothing reaches it but in the states `open` and `failed`, and closing waits for what runs.
 *
 * Every method rejects with `STORE_CLOSED` in another state.
 */
export class LevelStore {
  readonly folder: string
  readonly #system: Pick<LevelSystem, 'createHandle' | 'realpath'>
  #state: LevelStoreState = 'closed'
  #db: Leveldown | null = null
  #heldPath: string | null = null
  #running = 0
  #drained: (() => void) | null = null
  #closing: Promise<void> | null = null
  readonly #views = new Set<LeveldownIterator>()

  constructor(folder: string, system: Pick<LevelSystem, 'createHandle' | 'realpath'> = levelSystem) {
    this.folder = folder
    this.#system = system
  }

  get state(): LevelStoreState {
    return this.#state
  }

  /**
   * @param createIfMissing whether LevelDB may make a new store where there is none. The folder itself must exist.
   * @throws {WeftError} `STORE_LOCKED`, `STORE_DAMAGED`, `STORE_UNWRITABLE`
   */
  async open(createIfMissing: boolean): Promise<void> {
    if (this.#state !== 'closed') throw new TypeError(`open() of a store that is ${this.#state}`)
    this.#state = 'opening'
    let path: string | null = null
    try {
      path = await this.#system.realpath(this.folder)
      if (heldHere.has(path)) throw lockedError(this.folder, 'this process')
      heldHere.add(path)
      const db = this.#system.createHandle(path)
      await new Promise<void>((resolve, reject) => {
        db.open({ ...settings, createIfMissing }, error => (error ? reject(openError(this.folder, error)) : resolve()))
      }).catch(error => {
        heldHere.delete(path ?? '')
        throw error
      })
      this.#db = db
      this.#heldPath = path
      this.#state = 'open'
    } catch (error) {
      this.#state = 'closed'
      throw error instanceof WeftError ? error : openError(this.folder, error)
    }
  }

  /** The values, in the order of the keys; undefined: not there. One read view. */
  get(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#run('STORAGE_READ_FAILED', 'reading', (db, done) =>
      db.getMany([...keys], { asBuffer: true, fillCache: true }, done),
    )
  }

  /** All records with `gte <= key < lt`, in order, at most `limit`. One read view. */
  scan(gte: Buffer, lt: Buffer, limit = -1): Promise<[key: Buffer, value: Buffer][]> {
    return this.#iterate({ gte, lt, limit })
  }

  /** The keys with `gte <= key < lt`, in order. One read view. */
  async keys(gte: Buffer, lt: Buffer): Promise<Buffer[]> {
    return (await this.#iterate({ gte, lt, values: false })).map(([key]) => key)
  }

  /**
   * The store as it is now, to be read in as many steps as it takes: what is written from now on doesn't show.
   * @throws {WeftError} `STORE_CLOSED`
   */
  view(): LevelView {
    const db = this.#usable()
    if (db === null) throw this.#closedError()
    // An iterator holds the only snapshot that leveldown gives out. The store needn't wait for views: closing it ends them.
    const iterator = db.iterator({ highWaterMark: viewReadAheadBytes, fillCache: false })
    this.#views.add(iterator)
    return {
      scan: async (gte, lt, limit = -1) => {
        // leveldown seeks on the event loop. A thread has read there just before: what the seek needs is in memory.
        await this.#touch(gte)
        return this.#run<[key: Buffer, value: Buffer][]>('STORAGE_READ_FAILED', 'reading', (_db, done) => {
          if (!this.#views.has(iterator)) throw new Error('the view is closed')
          iterator.seek(gte)
          collect(iterator, { lt, limit }, done)
        })
      },
      close: async () => {
        // A store that is closing ends it.
        if (this.#usable() === null || !this.#views.delete(iterator)) return
        await this.#run<[]>('STORAGE_READ_FAILED', 'reading', (_db, done) => iterator.end(done))
      },
    }
  }

  /** One atomic write that survives loss of power when it resolves (`sync: true`). A rejection makes the store `failed`. */
  async write(operations: LevelOperation[]): Promise<void> {
    if (this.#state === 'failed') {
      throw new WeftError(
        'STORAGE_WRITE_FAILED',
        `the store in ${this.folder} refuses writes after one failed, until reopened`,
      )
    }
    try {
      await this.#run<[]>('STORAGE_WRITE_FAILED', 'writing', (db, done) => {
        // Chained: leveldown copies and inspects every object of an array, at twice the cost.
        const batch = db.batch()
        for (const operation of operations) {
          if (operation.type === 'put') batch.put(operation.key, operation.value)
          else batch.del(operation.key)
        }
        batch.write({ sync: true }, done)
      })
    } catch (error) {
      if (error instanceof WeftError && error.code === 'STORAGE_WRITE_FAILED' && this.#state === 'open')
        this.#state = 'failed'
      throw error
    }
  }

  /** Bytes on disk of a range, roughly; what is still in memory is not counted. */
  approximateSize(gte: Buffer, lt: Buffer): Promise<number> {
    return this.#run('STORAGE_READ_FAILED', 'measuring', (db, done) => db.approximateSize(gte, lt, done))
  }

  /** Rewrites the files of a range without what was overwritten or deleted. Slow. */
  async compactRange(gte: Buffer, lt: Buffer): Promise<void> {
    await this.#run<[]>('STORAGE_WRITE_FAILED', 'compacting', (db, done) => db.compactRange(gte, lt, done))
  }

  /** Lets nothing new in, waits for what runs, closes. Does nothing when closed; a second call waits for the first. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    if (this.#state === 'opening') throw new TypeError('close() of a store that is opening')
    this.#closing ??= this.#close().finally(() => {
      this.#closing = null
    })
    await this.#closing
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    if (this.#running > 0) {
      await new Promise<void>(resolve => {
        this.#drained = resolve
      })
      this.#drained = null
    }
    for (const view of this.#views) await new Promise<void>(resolve => view.end(() => resolve()))
    this.#views.clear()
    const db = this.#db
    this.#db = null
    await new Promise<void>((resolve, reject) => {
      if (db) db.close(error => (error ? reject(error) : resolve()))
      else resolve()
    }).finally(() => {
      this.#state = 'closed'
      if (this.#heldPath !== null) heldHere.delete(this.#heldPath)
      this.#heldPath = null
    })
  }

  #iterate(range: { gte: Buffer; lt: Buffer; limit?: number; values?: boolean }): Promise<[Buffer, Buffer][]> {
    return this.#run('STORAGE_READ_FAILED', 'reading', (db, done) => {
      const iterator = db.iterator({ ...range, highWaterMark: readAheadBytes, fillCache: false })
      collect(iterator, {}, (error, found) => iterator.end(endError => done(error ?? endError, found)))
    })
  }

  /** Reads the first record from a key on, for nothing but to have it in the system's memory. */
  #touch(gte: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#run<[]>('STORAGE_READ_FAILED', 'reading', (db, done) => {
        const iterator = db.iterator({ gte, limit: 1, fillCache: false })
        iterator.next(error => {
          // Whoever waits needn't wait for the end.
          if (!error) resolve()
          iterator.end(endError => done(error ?? endError))
        })
      }).catch(reject)
    })
  }

  /** leveldown's store, in the states in which it may be used. */
  #usable(): Leveldown | null {
    return this.#state === 'open' || this.#state === 'failed' ? this.#db : null
  }

  #closedError(): WeftError {
    return new WeftError('STORE_CLOSED', `the store in ${this.folder} is ${this.#state}`)
  }

  #run<R>(
    code: 'STORAGE_READ_FAILED' | 'STORAGE_WRITE_FAILED',
    doing: string,
    start: (db: Leveldown, done: (error: Error | null | undefined, result?: R) => void) => void,
  ): Promise<R> {
    const db = this.#usable()
    if (db === null) return Promise.reject(this.#closedError())
    this.#running++
    return new Promise<R>((resolve, reject) => {
      const done = (error: Error | null | undefined, result?: R): void => {
        this.#running--
        if (error)
          reject(new WeftError(code, `${doing} the store in ${this.folder} failed: ${error.message}`, { cause: error }))
        else resolve(result as R)
        if (this.#running === 0) this.#drained?.()
      }
      try {
        start(db, done)
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }
}

/** What an iterator gives from where it stands. */
function collect(
  iterator: LeveldownIterator,
  { lt, limit = -1 }: { lt?: Buffer; limit?: number },
  done: (error: Error | null | undefined, found: [key: Buffer, value: Buffer][]) => void,
): void {
  const found: [Buffer, Buffer][] = []
  // leveldown calls back from its thread or from nextTick, never from inside next(): no recursion on the stack.
  const step = (error: Error | null | undefined, key?: Buffer, value?: Buffer): void => {
    if (error || key === undefined || value === undefined) {
      done(error, found)
      return
    }
    if (lt !== undefined && Buffer.compare(key, lt) >= 0) {
      done(null, found)
      return
    }
    found.push([key, value])
    if (found.length === limit) done(null, found)
    else iterator.next(step)
  }
  iterator.next(step)
}

function lockedError(folder: string, holder: string, cause?: unknown): WeftError {
  return new WeftError(
    'STORE_LOCKED',
    `the data folder ${folder} is in use by ${holder}: one server at a time; WEFT_DATA (--data) names another folder`,
    { cause },
  )
}

/** LevelDB tells its kinds of errors apart by the beginning of their texts alone (util/status.cc, util/env_posix.cc). */
function openError(folder: string, error: unknown): WeftError {
  const text = error instanceof Error ? error.message : String(error)
  if (/^IO error: lock .*(temporarily unavailable|already held|Access is denied|being used)/i.test(text)) {
    return lockedError(folder, 'another process', error)
  }
  if (/permission denied|read-only file system|operation not permitted|no space left|EACCES|EROFS|EPERM/i.test(text)) {
    return new WeftError('STORE_UNWRITABLE', `the data folder ${folder} cannot be written to: ${text}`, {
      cause: error,
    })
  }
  if (/ENOENT|does not exist \(create_if_missing/.test(text)) {
    return new WeftError('STORE_MISSING', `there is no store in ${folder}`, { cause: error })
  }
  return new WeftError('STORE_DAMAGED', `the store in ${folder} can't be opened: ${text}`, { cause: error })
}
