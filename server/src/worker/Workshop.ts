import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { ContentError, type ContentForm } from '../ContentError.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import type { Ranges } from '../crdt/ranges.ts'
import type { UpdateContents } from '../crdt/readUpdate.ts'
import type { UpdateLimits } from '../crdt/UpdateLimits.ts'
import { WeftError } from '../errors.ts'
import type { Rendering, Replacement } from './contentTasks.ts'
import { packUpdates } from './packedUpdates.ts'
import type { ClosedPartResult, CompactionResult, TaskResult, TidiedResult } from './tasks.ts'

export interface WorkshopOptions {
  /** Threads at most. Default (and 0): 1 on one or two cores, else one fewer than there are cores, at most 4. */
  readonly threads?: number
  /** Heap of one thread, in MiB. Default 1,024: a `Y.Doc` takes about 12 times its encoded size, and a document has 64 MiB at most. */
  readonly maxHeapMiB?: number
  /** Tasks that wait for a thread; as many of readers besides. Default 256. */
  readonly maxQueued?: number
  /** Bytes of all tasks that wait or run, but for a reader's. Default 512 MiB: each is held twice for a moment. */
  readonly maxBytes?: number
  /** After so long without a task a thread ends, in ms. Default 30,000: the next task then waits about 60 ms for its start. */
  readonly idleTimeoutMs?: number
}

/** Longest time for one document's content, in ms: 4 MiB of Markdown take 2 s. */
const CONTENT_LIMIT_MS = 30_000

/** A document's stored updates, as a log reads them: the snapshot, if there is one, and what follows it. */
export interface StoredLog {
  readonly snapshot: Uint8Array | null
  readonly updates: readonly Uint8Array[]
}

/**
 * Threads for all that needs a whole `Y.Doc`, or that is too large for the event loop. They start with the first tasks.
 *
 * Bytes that are given to a method are copied at the call, and may be changed or stored afterwards.
 *
 * Every method rejects with a `WeftError`:
 * - `WORKER_FAILED`: the thread ran out of memory or ended; other tasks go on, and the next one gets a new thread;
 * - `WORKER_BUSY`: too much is waiting already;
 * - `WORKER_STOPPED`: after `stop`.
 */
export class Workshop {
  readonly #pool: Piscina
  /** Apart from the other tasks: it brings the schema along, which most threads never need. */
  readonly #contentTasks: string
  readonly #threads: number
  readonly #maxQueued: number
  readonly #maxBytes: number
  readonly #waiting: (() => void)[] = []
  /** Tasks that give way to those. */
  readonly #waitingLast: (() => void)[] = []
  /** One of those has a thread. */
  #isLastRunning = false
  #bytes = 0
  /** Tasks in the pool. */
  #running = 0
  #settled: (() => void) | null = null
  #stopping: Promise<void> | null = null
  #isTerminated = false

  constructor(options: WorkshopOptions = {}) {
    this.#threads = threadsThatFit(options.threads ?? 0)
    this.#maxQueued = options.maxQueued ?? 256
    this.#maxBytes = options.maxBytes ?? 512 << 20
    const file = new URL(import.meta.url.endsWith('.ts') ? '../../dist/worker/tasks.js' : './tasks.js', import.meta.url)
    if (!existsSync(file)) {
      throw new Error(`${fileURLToPath(file)} is missing: workers run what is built (npx tsc -b server)`)
    }
    this.#contentTasks = new URL('contentTasks.js', file).href
    this.#pool = new Piscina({
      filename: file.href,
      minThreads: 0,
      maxThreads: this.#threads,
      idleTimeout: options.idleTimeoutMs ?? 30_000,
      concurrentTasksPerWorker: 1,
      resourceLimits: { maxOldGenerationSizeMb: options.maxHeapMiB ?? 1024 },
      recordTiming: false,
    })
    // A thread that fails between tasks: nobody waits for it, and the pool has replaced it.
    this.#pool.on('error', () => {})
  }

  get maxTasks(): number {
    return this.#threads + this.#maxQueued
  }

  /** Tasks that wait or run; those that give way count once they run. */
  get taskCount(): number {
    return this.#running + this.#waiting.length
  }

  /**
   * Reads an update as `readUpdate` does.
   * @throws {MalformedUpdate}
   */
  async check(update: Uint8Array, limits: UpdateLimits): Promise<UpdateContents> {
    const own = copy(update)
    return this.#run<UpdateContents>('check', { update: own, limits }, [own.buffer])
  }

  /**
   * Makes one update of a log: a `Y.Doc` with garbage collection, encoded; and the encoded `Knowledge` of it.
   * @throws {WeftError} `DOCUMENT_INCOMPLETE`: something in the log stays pending.
   */
  async compact(log: StoredLog): Promise<CompactionResult> {
    const { task, transfer } = logTask(log)
    return this.#run<CompactionResult>('compact', task, transfer)
  }

  /** What a snapshot has beyond a state vector (Yjs' encoding): `Y.diffUpdate`, so with the whole delete set. */
  async diff(request: { readonly snapshot: Uint8Array; readonly stateVector: Uint8Array }): Promise<Uint8Array> {
    const snapshot = copy(request.snapshot)
    const stateVector = copy(request.stateVector)
    return this.#run<Uint8Array>('diff', { snapshot, stateVector }, [snapshot.buffer, stateVector.buffer])
  }

  /**
   * Of an update that has gaps, the causally closed part: all that the log allows to be integrated.
   * @returns `update`: that part without what the log has, or null where nothing is left; `missing`: `Map<clientID, clock>`, what
   * the log, with that part, must reach before the rest can follow.
   * @throws {MalformedUpdate} @throws {WeftError} `DOCUMENT_INCOMPLETE`
   */
  async closedPart(request: StoredLog & { readonly update: Uint8Array }): Promise<ClosedPartResult> {
    const { task, transfer } = logTask(request)
    const update = copy(request.update)
    return this.#run<ClosedPartResult>('closedPart', { ...task, update }, [...transfer, update.buffer])
  }

  /**
   * Which deletions of readers nobody would see: `tidiedMarks`, for each delete set. It gives way to everything else: one at a
   * time, when nothing else waits for a thread.
   * @param read gives the log when its turn has come: until then no bytes are held. Where it rejects, so does this.
   * @throws {WeftError} `DOCUMENT_INCOMPLETE`
   */
  async tidied(
    questions: readonly ReadonlyMap<number, Ranges>[],
    read: () => Promise<StoredLog>,
  ): Promise<TidiedResult> {
    return this.#runLast<TidiedResult>('tidied', async () => {
      const { task, transfer } = logTask(await read())
      return { task: { ...task, questions }, transfer }
    })
  }

  /**
   * A document in one of its forms.
   * @throws {ContentError} @throws {WeftError} `DOCUMENT_INCOMPLETE`
   */
  async render(request: StoredLog & { readonly form: ContentForm }): Promise<Rendering> {
    const { task, transfer } = logTask(request)
    return this.#run<Rendering>('render', { ...task, form: request.form }, transfer, this.#contentTasks)
  }

  /**
   * The smallest edit that makes a document say what `content` says.
   * @param request.content UTF-8 @param request.clientID who makes the edit: a Yjs client id that nobody else writes with now
   * @returns `update`: null where it says so already
   * @throws {ContentError} @throws {WeftError} `DOCUMENT_INCOMPLETE`
   */
  async replace(
    request: StoredLog & {
      readonly form: Exclude<ContentForm, 'yjs'>
      readonly content: Uint8Array
      readonly clientID: number
    },
  ): Promise<Replacement> {
    const { task, transfer } = logTask(request)
    const { form, clientID } = request
    const content = copy(request.content)
    const whole = { ...task, form, content, clientID }
    return this.#run<Replacement>('replace', whole, [...transfer, content.buffer], this.#contentTasks)
  }

  /**
   * Refuses new tasks, waits for those that wait or run, ends the threads.
   * @param graceMs after so long, what still runs is ended and rejects with `WORKER_STOPPED`. Default: no limit; 0: at once.
   */
  stop(graceMs = Number.POSITIVE_INFINITY): Promise<void> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<void> {
    if (this.taskCount > 0 && graceMs > 0) {
      await new Promise<void>(resolve => {
        this.#settled = resolve
        if (Number.isFinite(graceMs)) setTimeout(resolve, graceMs).unref()
      })
    }
    this.#isTerminated = true
    for (const start of [...this.#waiting.splice(0), ...this.#waitingLast.splice(0)]) {
      this.#running++
      start()
    }
    await this.#pool.destroy()
  }

  /** @param contentTasks its file, where the task is one of those; they have a time limit, for anybody may have written the content */
  async #run<T>(name: string, task: unknown, transfer: ArrayBuffer[], contentTasks?: string): Promise<T> {
    if (this.#stopping) throw new WeftError('WORKER_STOPPED', `no worker for ${name}: they are stopped`)
    const bytes = transfer.reduce((sum, buffer) => sum + buffer.byteLength, 0)
    // One task is always let in: its size has a bound of its own.
    if (this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) {
      throw new WeftError(
        'WORKER_BUSY',
        `no worker for ${name}: ${this.#bytes} bytes are waiting, ${this.#maxBytes} at most`,
      )
    }
    if (this.#running >= this.#threads && this.#waiting.length >= this.#maxQueued) {
      throw new WeftError('WORKER_BUSY', `no worker for ${name}: ${this.#waiting.length} tasks are waiting`)
    }
    this.#bytes += bytes
    try {
      // The queue is ours: piscina 5.3 lets its own stand still when a thread has failed, until the next task comes.
      if (this.#running < this.#threads) this.#running++
      else await new Promise<void>(resolve => this.#waiting.push(resolve))
      return await this.#runNow<T>(name, task, transfer, contentTasks)
    } finally {
      this.#bytes -= bytes
      this.#next()
    }
  }

  async #runLast<T>(name: string, make: () => Promise<{ task: object; transfer: ArrayBuffer[] }>): Promise<T> {
    if (this.#stopping) throw new WeftError('WORKER_STOPPED', `no worker for ${name}: they are stopped`)
    if (this.#waitingLast.length >= this.#maxQueued) {
      throw new WeftError('WORKER_BUSY', `no worker for ${name}: ${this.#waitingLast.length} tasks are waiting`)
    }
    // Its bytes aren't counted: only one of these tasks holds any.
    if (this.#running < this.#threads && !this.#isLastRunning) {
      this.#running++
      this.#isLastRunning = true
    } else await new Promise<void>(resolve => this.#waitingLast.push(resolve))
    try {
      if (this.#isTerminated) throw new WeftError('WORKER_STOPPED', `no worker for ${name}: they are stopped`)
      const { task, transfer } = await make()
      return await this.#runNow<T>(name, task, transfer)
    } finally {
      this.#isLastRunning = false
      this.#next()
    }
  }

  async #runNow<T>(name: string, task: unknown, transfer: ArrayBuffer[], contentTasks?: string): Promise<T> {
    try {
      if (this.#isTerminated) throw new WeftError('WORKER_STOPPED', `no worker for ${name}: they are stopped`)
      const options = { name, transferList: transfer }
      const result: TaskResult<T> = await (contentTasks === undefined
        ? this.#pool.run(task, options)
        : this.#runWithin(CONTENT_LIMIT_MS, signal =>
            this.#pool.run(task, { ...options, filename: contentTasks, signal }),
          ))
      if (result.state === 'done') return result.value
      if (result.state === 'malformed') throw new MalformedUpdate(result.reason)
      if (result.state === 'refused') throw new ContentError(result.code, result.reason)
      throw new WeftError('DOCUMENT_INCOMPLETE', `the log has gaps: ${result.reason}`)
    } catch (error) {
      // Anybody may have written it: no fault of the server's.
      if (contentTasks !== undefined && isOutOfMemory(error)) {
        throw new ContentError('too-complex', 'the content takes more memory than there is for one document')
      }
      throw this.#taskError(name, error)
    }
  }

  /** Ends the thread that takes longer: the next task gets a new one. */
  async #runWithin<T>(limitMs: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const timer = setTimeout(() => limit.abort(), limitMs)
    try {
      return await run(limit.signal)
    } catch (error) {
      if (!limit.signal.aborted) throw error
      throw new ContentError('too-complex', `the content takes longer than ${limitMs / 1000} s to work through`)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Hands a thread that is free to whoever waits. */
  #next(): void {
    let next = this.#waiting.shift()
    if (next === undefined && !this.#isLastRunning) {
      next = this.#waitingLast.shift()
      this.#isLastRunning = next !== undefined
    }
    if (next) next()
    else this.#running--
    if (this.#running === 0) this.#settled?.()
  }

  #taskError(name: string, error: unknown): Error {
    if (error instanceof WeftError || error instanceof MalformedUpdate || error instanceof ContentError) return error
    const text = error instanceof Error ? error.message : String(error)
    if (this.#isTerminated)
      return new WeftError('WORKER_STOPPED', `the worker for ${name} was stopped`, { cause: error })
    return new WeftError('WORKER_FAILED', `the worker for ${name} failed: ${text}`, { cause: error })
  }
}

/** @param threads 0: as many as fit this machine */
export function threadsThatFit(threads: number): number {
  return threads || Math.max(1, Math.min(4, availableParallelism() - 1))
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
}

/** A buffer of its own: a view into a pool can't be transferred without taking the pool along. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

function logTask(log: StoredLog): { task: object; transfer: ArrayBuffer[] } {
  const snapshot = log.snapshot && copy(log.snapshot)
  const updates = packUpdates(log.updates)
  const transfer = [updates.bytes.buffer, updates.lengths.buffer]
  if (snapshot) transfer.push(snapshot.buffer)
  return { task: { snapshot, updates }, transfer }
}
