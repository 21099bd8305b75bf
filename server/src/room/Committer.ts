import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { WeftError } from '../errors.ts'
import type { Append, UpdateLog } from '../log/UpdateLog.ts'
import { type MeteredCommit, type Meters, noMeters } from '../Meters.ts'
import { TokenBucket } from '../TokenBucket.ts'
import type { Room } from './Room.ts'
import type { Saving } from './Saving.ts'

/** What everybody in a deleted document is told. */
export const DELETED = 'the document was deleted'

/** A write that takes so long is one that fails, as far as anybody can see: an fsync takes a few ms. */
const STALL_MS = 2000
/** Pauses before a failed write is tried again. */
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 30_000
/**
 * A commit costs the same whatever is in it (0.5 ms of CPU), so that keystrokes in many documents share one: 120 a second at
 * most, and half as many where each holds many documents. A store that has little to do writes at once.
 */
const COMMITS_PER_SECOND = 120
const COMMIT_BURST = 20
const MANY_DOCUMENTS = 12

type CommitLog = Pick<UpdateLog, 'state' | 'append' | 'reopen'>

/**
 * Writes what the rooms have pending: one durable batch for all that are due (group commit: an fsync costs 0.23 ms for
 * one entry and 0.8 ms for a hundred). One batch at a time. A failed batch is tried again until it is written: nothing
 * pending is dropped, and meanwhile nothing is acknowledged or sent on.
 */
export class Committer {
  /** Bytes of all edits that wait for the disk; kept by the rooms. */
  pendingBytes = 0
  readonly #log: CommitLog
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #meters: Meters
  readonly #saving: Saving | null
  readonly #pace: TokenBucket
  readonly #due = new Set<Room>()
  readonly #timers = new Map<Room, { readonly timer: Timer; readonly at: number }>()
  #isScheduled = false
  #isRunning = false
  #isFailing = false
  #isStopped = false
  #lastWriteAt = 0
  #writeBegan: number | null = null
  #lastDocuments = 0
  #idleWaiters: (() => void)[] = []
  #retryTimer: { timer: Timer; wake: () => void } | null = null

  /** @param saving told when writes begin to fail, and when they work again */
  constructor(log: CommitLog, clock: Clock, logger: Logger, meters: Meters = noMeters, saving: Saving | null = null) {
    this.#saving = saving
    this.#meters = meters
    this.#log = log
    this.#clock = clock
    this.#logger = logger
    this.#pace = new TokenBucket(COMMITS_PER_SECOND, COMMIT_BURST, clock.now())
  }

  /** Whether the last write failed, or one is under way for too long. */
  get isFailing(): boolean {
    return this.#isFailing
  }

  /** For how many ms the write that is under way has taken; 0: none is, or the last one failed and waits to be tried again. */
  get stalledMs(): number {
    return this.#writeBegan === null ? 0 : this.#clock.now() - this.#writeBegan
  }

  /** Whether nothing has been written for a while, and nothing waits. */
  isQuietFor(ms: number): boolean {
    return (
      !this.#isRunning && this.#due.size === 0 && this.#timers.size === 0 && this.#clock.now() - this.#lastWriteAt >= ms
    )
  }

  /** A room has edits; they may be written from `at` on (monotonic ms), the earliest that was said. */
  request(room: Room, at: number): void {
    if (this.#due.has(room)) return
    const waiting = this.#timers.get(room)
    if (waiting !== undefined) {
      if (waiting.at <= at) return
      this.#clock.clearTimer(waiting.timer)
      this.#timers.delete(room)
    }
    const delay = at - this.#clock.now()
    if (delay <= 0) {
      this.#due.add(room)
      this.#schedule()
      return
    }
    const timer = this.#clock.setTimer(() => {
      this.#timers.delete(room)
      this.#due.add(room)
      this.#schedule()
    }, delay)
    this.#timers.set(room, { timer, at })
  }

  /** Writes everything now, without further pauses; resolves when nothing is pending, rejects never. */
  async flush(): Promise<void> {
    for (const [room, { timer }] of this.#timers) {
      this.#clock.clearTimer(timer)
      this.#due.add(room)
    }
    this.#timers.clear()
    this.#schedule()
    if (!this.#isScheduled && !this.#isRunning) return
    await new Promise<void>(resolve => this.#idleWaiters.push(resolve))
    if (this.#due.size > 0 || this.#timers.size > 0) await this.flush()
  }

  /** Gives up on what could not be written: nobody was told that it is safe. */
  stop(): void {
    this.#isStopped = true
    for (const { timer } of this.#timers.values()) this.#clock.clearTimer(timer)
    this.#timers.clear()
    this.#retryTimer?.wake()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isRunning || this.#due.size === 0) return
    this.#isScheduled = true
    const pause = this.#pace.take(this.#lastDocuments > MANY_DOCUMENTS ? 2 : 1, this.#clock.now())
    // All input that is waiting is read first: what came together is committed together.
    if (pause < 1 || this.#idleWaiters.length > 0) this.#clock.soon(() => this.#begin())
    else this.#clock.setTimer(() => this.#begin(), pause)
  }

  #begin(): void {
    this.#isScheduled = false
    this.#isRunning = true
    this.#run()
      .catch(error => this.#logger.error({ err: error }, 'a commit ended unexpectedly'))
      .finally(() => {
        this.#isRunning = false
        const waiters = this.#idleWaiters
        this.#idleWaiters = []
        for (const wake of waiters) wake()
        this.#schedule()
      })
  }

  async #run(): Promise<void> {
    const rooms: Room[] = []
    const batch: Append[] = []
    // Those of floods come last: merged last, and sent on last.
    const due = [...this.#due].sort((a, b) => Number(b.isAwaited) - Number(a.isAwaited))
    this.#due.clear()
    for (const room of due) {
      this.#guard(room, () => {
        const append = room.takeBatch()
        if (append === null) return
        rooms.push(room)
        batch.push(append)
      })
    }
    this.#lastDocuments = batch.length
    if (batch.length === 0) return
    await this.#write(rooms, batch)
  }

  /** What goes wrong in one room ends that room, and touches no other: its clients come back with their edits. */
  #guard(room: Room, action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#logger.error({ err: error, document: room.documentId }, 'a commit went wrong in its room')
      room.fail('this document cannot be written to now')
    }
  }

  async #write(rooms: Room[], batch: Append[]): Promise<void> {
    let pauseMs = FIRST_RETRY_MS
    while (batch.length > 0 && !this.#isStopped) {
      try {
        if (this.#log.state === 'failed') await this.#log.reopen()
        const begin = this.#clock.now()
        this.#writeBegan = begin
        await this.#untilStalled(this.#log.append(batch), rooms).finally(() => {
          this.#writeBegan = null
        })
        this.#meters.committed(measure(batch, this.#clock.now() - begin))
      } catch (error) {
        const refused = refusedDocument(error, batch)
        if (refused >= 0) {
          const [room] = rooms.splice(refused, 1)
          batch.splice(refused, 1)
          this.#logger.error({ err: error, document: room?.documentId }, 'a document can no longer be written to')
          if (error instanceof WeftError && error.code === 'DOCUMENT_DELETED') room?.fail(DELETED, 'deleted')
          else room?.fail('this document cannot be written to now')
          continue
        }
        this.#setFailing()
        this.#meters.commitFailed()
        this.#logger.error({ err: error, retryInMs: pauseMs }, 'a commit failed and will be tried again')
        this.#stall(rooms)
        await this.#pause(pauseMs)
        pauseMs = Math.min(pauseMs * 2, MAX_RETRY_MS)
        continue
      }
      if (this.#isFailing) this.#logger.info('writing works again; everything that was pending is committed')
      this.#isFailing = false
      this.#saving?.setFailing(false)
      this.#lastWriteAt = this.#clock.now()
      for (const room of rooms) this.#guard(room, () => room.committed())
      return
    }
  }

  #setFailing(): void {
    this.#isFailing = true
    this.#saving?.setFailing(true)
  }

  /** Nobody waits for these rooms' next commit who only wants to read. */
  #stall(rooms: readonly Room[]): void {
    for (const room of new Set([...rooms, ...this.#due, ...this.#timers.keys()])) room.stalled()
  }

  /** Waits for a write; where the disk doesn't answer, reading goes on, and everybody is told. */
  async #untilStalled(writing: Promise<void>, rooms: readonly Room[]): Promise<void> {
    const timer = this.#clock.setTimer(() => {
      this.#setFailing()
      this.#logger.error({ stallMs: STALL_MS }, 'the disk does not answer: a commit is under way for too long')
      this.#stall(rooms)
    }, STALL_MS)
    try {
      await writing
    } finally {
      this.#clock.clearTimer(timer)
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        this.#retryTimer = null
        resolve()
      }
      this.#retryTimer = { timer: this.#clock.setTimer(wake, ms), wake }
    })
  }
}

function measure(batch: readonly Append[], durationMs: number): MeteredCommit {
  let entries = 0
  let bytes = 0
  for (const { updates } of batch) {
    entries += updates.length
    for (const update of updates) bytes += update.length
  }
  return { durationMs, documents: batch.length, entries, bytes }
}

/** The place in the batch of the one document that the log refuses, or -1 where the whole write failed. */
function refusedDocument(error: unknown, batch: readonly Append[]): number {
  if (!(error instanceof WeftError) || error.documentId === undefined) return -1
  if (error.code !== 'DOCUMENT_DAMAGED' && error.code !== 'DOCUMENT_DELETED' && error.code !== 'HEAD_MOVED') return -1
  return batch.findIndex(append => append.documentId === error.documentId)
}
