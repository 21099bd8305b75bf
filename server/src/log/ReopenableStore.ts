import { WeftError } from '../errors.ts'
import { type LevelOperation, LevelStore } from './LevelStore.ts'
import type { DocumentKey, DocumentRow } from './levelRecord.ts'
import type { LevelSystem } from './levelSystem.ts'
import type { LogState } from './UpdateLog.ts'

/** What a write does to a document's row. */
export interface Change {
  readonly key: DocumentKey
  /** Null: the document is new. */
  readonly before: DocumentRow | null
  readonly after: DocumentRow
}

/**
 * The LevelDB of a log, which is opened again after a write failed. Reads go on beside writes, and wait while it is reopened;
 * closing waits for both.
 *
 * [L1] Writes run one after another, in call order: what a write checks (head, tombstone) is still so when it is stored.
 */
export class ReopenableStore {
  readonly folder: string
  readonly #system: LevelSystem
  #level: LevelStore
  #isClosing = false
  #closed: Promise<void> | null = null
  #lastWrite: Promise<unknown> = Promise.resolve()
  readonly #reads = new Set<Promise<unknown>>()
  #reopening: Promise<unknown> | null = null
  /** What a write that failed would have changed. */
  #failedChanges: readonly Change[] = []

  constructor(level: LevelStore, system: LevelSystem) {
    this.folder = level.folder
    this.#level = level
    this.#system = system
  }

  /** The present handle: after a reopening, another one. */
  get level(): LevelStore {
    return this.#level
  }

  get state(): LogState {
    if (this.#isClosing) return 'closed'
    return this.#isFailed ? 'failed' : 'open'
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  get #isFailed(): boolean {
    return this.#level.state !== 'open' || this.#failedChanges.length > 0 || this.#reopening !== null
  }

  /** Runs a write in its turn. @throws {WeftError} `STORE_CLOSED`, `STORAGE_WRITE_FAILED` */
  write(run: () => Promise<void>): Promise<void> {
    return this.#isClosing ? Promise.reject(this.closedError()) : this.writePart(run)
  }

  /** A step of a write that had begun before the store was closed. */
  writePart(run: () => Promise<void>): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isFailed) throw this.refusal()
      await run()
    })
  }

  /** Within a write: puts its batch to disk. What fails is remembered, for it may be there all the same. */
  async commit(operations: LevelOperation[], changes: readonly Change[]): Promise<void> {
    try {
      await this.#level.write(operations)
    } catch (error) {
      this.#failedChanges = changes
      throw error
    }
  }

  /** A read that closing has to wait for. */
  reading<T>(read: Promise<T>): Promise<T> {
    this.#reads.add(read)
    return read.finally(() => this.#reads.delete(read))
  }

  /** Resolves when it can be read. @throws {WeftError} `STORE_CLOSED`, `STORAGE_READ_FAILED` */
  async readable(): Promise<void> {
    if (this.#isClosing) throw this.closedError()
    await this.untilReopened()
    if (this.#isClosing) throw this.closedError()
  }

  async untilReopened(): Promise<void> {
    // A reopening that fails is told to its caller; a read then finds the store closed.
    if (this.#reopening) await this.#reopening.catch(() => {})
    if (this.#level.state === 'closed') {
      throw new WeftError('STORAGE_READ_FAILED', `the store in ${this.folder} could not be opened again yet`)
    }
  }

  /**
   * Opens it again, in the turn of a write. Does nothing where no write failed.
   * @param recover puts right what the failed write left behind; until it has, nothing is read or written
   * @throws {WeftError} `STORE_CLOSED`, `STORAGE_WRITE_FAILED`, what `LevelStore.open` throws
   */
  reopen(recover: (failedChanges: readonly Change[]) => Promise<void>): Promise<void> {
    if (this.#isClosing) return Promise.reject(this.closedError())
    return this.#inTurn(async () => {
      if (this.state === 'open') return
      // Opening rewrites LevelDB's log as a table. As long as there is no space for that, the present handle still reads.
      const { logBytes } = await this.#system.measureFolder(this.folder)
      await this.#system.probeWrite(this.folder, logBytes + (1 << 20)).catch(error => {
        throw new WeftError('STORAGE_WRITE_FAILED', `the store is still not writable: ${error.message}`, {
          cause: error,
        })
      })
      this.#reopening = this.#openAgain(recover)
      try {
        await this.#reopening
      } finally {
        this.#reopening = null
      }
    })
  }

  async #openAgain(recover: (failedChanges: readonly Change[]) => Promise<void>): Promise<void> {
    await this.#level.close()
    await this.#system.checkFiles(this.folder, 0)
    this.#level = new LevelStore(this.folder, this.#system)
    await this.#level.open(false)
    try {
      await recover(this.#failedChanges)
      this.#failedChanges = []
    } catch (error) {
      // Closed again: what the failed write left behind must not be read.
      await this.#level.close()
      throw error
    }
  }

  /** Refuses new reads and writes at once, and closes when all that has begun has ended. @param last what to wait for first */
  close(last: Promise<unknown>): Promise<void> {
    this.#isClosing = true
    this.#closed ??= last
      .then(() => Promise.allSettled([this.#lastWrite, ...this.#reads]))
      .then(() => this.#level.close())
    return this.#closed
  }

  /** [L1] */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(run)
    this.#lastWrite = result.catch(() => {})
    return result
  }

  refusal(): WeftError {
    const what = 'refuses writes after one failed, until reopened'
    return new WeftError('STORAGE_WRITE_FAILED', `the store in ${this.folder} ${what}`)
  }

  closedError(): WeftError {
    return new WeftError('STORE_CLOSED', `the store in ${this.folder} is closed`)
  }
}
