import { encodeSyncStatus } from '@weft/protocol'
import type { UpdateContents } from '../crdt/readUpdate.ts'
import type { StateVector } from '../crdt/stateVector.ts'
import { BegunSync } from './BegunSync.ts'
import { encodeFrame } from './encodeFrame.ts'

/** Acknowledgements that one session can be owed. */
export const MAX_OWED_ACKS = 10_000
/** From so many on its next message waits, and goes on below so many. */
const MANY_OWED_ACKS = MAX_OWED_ACKS / 2
const FEWER_OWED_ACKS = MAX_OWED_ACKS / 4
/** What a provider is paid for each change that it counts. */
export const STATUS = encodeFrame(encodeSyncStatus(true))

/** What a provider counted and wasn't paid for, and the sync that it is in, if any. */
export interface MissedChanges {
  readonly count: number
  readonly begunSync: BegunSync | null
}

export const NONE_MISSED: MissedChanges = { count: 0, begunSync: null }

/** Acknowledgements are messages 102 or SyncStatus. */
interface OwedAck {
  readonly frame: Buffer
  /** When it was asked for, monotonic ms. */
  readonly askedAt: number
  /** The batch after whose commit it is paid; null while the sync step 2 that decides it hasn't come. */
  batch: number | null
}

/**
 * The acknowledgements that one session is owed, in order: whether each is due, and what a Hocuspocus provider counts.
 *
 * None covers an edit that was refused. [S2]
 */
export class OwedAcks {
  readonly #acks: OwedAck[] = []
  readonly #countsQueued: boolean
  /** The batch that holds the last edit that was taken. */
  #lastBatch = 0
  /** A sync step 1 of ours waits for its sync step 2. */
  #awaitsStep2 = false
  /** A provider that begins to sync is owed a question, together with its answer. */
  #mustAsk = false
  /** From a provider's sync step 1 until its own answer has come. */
  #begunSync: BegunSync | null = null
  /** A provider has sent a sync step 1. */
  #hasBegun = false
  /** An edit was refused: no message 102 is true any more. [S2] */
  #hasRefused = false
  /** Changes that a provider counts and that were refused: paid when it may write and has sent them again. */
  #unpaid = 0

  /** @param countsQueued as `SessionOptions` say */
  constructor(countsQueued: boolean) {
    this.#countsQueued = countsQueued
  }

  get count(): number {
    return this.#acks.length
  }

  /**
   * Whether so many are owed that the client's next message should wait. Not while a sync step 2 of its own decides them, which may
   * be that message.
   */
  get areMany(): boolean {
    return this.#acks.length >= MANY_OWED_ACKS && !this.#awaitsStep2 && !this.#mustAsk
  }

  /** Whether its next message need wait no more. */
  get areFewer(): boolean {
    return this.#acks.length <= FEWER_OWED_ACKS || this.#awaitsStep2 || this.#mustAsk
  }

  /** Clients of which it remembers what they had. */
  get clientCount(): number {
    return this.#begunSync?.clientCount ?? 0
  }

  get lastBatch(): number {
    return this.#lastBatch
  }

  get awaitsStep2(): boolean {
    return this.#awaitsStep2
  }

  get mustAsk(): boolean {
    return this.#mustAsk
  }

  get hasRefused(): boolean {
    return this.#hasRefused
  }

  /** What a provider counts that wasn't paid, and the sync that it began: for the session that follows this one. */
  get missed(): MissedChanges {
    return {
      count: this.#acks.filter(ack => ack.frame === STATUS).length + this.#unpaid,
      begunSync: this.#begunSync,
    }
  }

  /** Goes on with the sync that an earlier session began. */
  resume({ begunSync }: MissedChanges): void {
    this.#begunSync = begunSync
  }

  /** The client is asked for all that the log doesn't have. */
  asked(): void {
    this.#awaitsStep2 = true
    this.#mustAsk = false
  }

  /**
   * A provider that begins to sync forgets what it counted, and counts 1: paid when the answer to the question that it is asked
   * now is on disk, which holds all that it had sent before.
   * @returns whether this one is counted
   */
  beginSync(stateVector: StateVector): boolean {
    if (!this.#countsQueued) {
      this.#acks.length = 0
      this.#unpaid = 0
    }
    // Version 2 counts the sync step 1 that begins its session, and none that `forceSync` sends later.
    const isCounted = !this.#countsQueued || !this.#hasBegun
    this.#hasBegun = true
    this.#begunSync = new BegunSync(stateVector)
    this.#mustAsk = !this.#awaitsStep2
    return isCounted
  }

  /** Whether a provider counts this update. */
  isCounted(contents: UpdateContents): boolean {
    return this.#begunSync === null || this.#countsQueued || this.#begunSync.counts(contents)
  }

  /** @param now monotonic ms @returns false: as many are owed as can be */
  owe(frame: Buffer, now: number): boolean {
    if (this.#acks.length === MAX_OWED_ACKS) return false
    const batch = this.#awaitsStep2 || this.#mustAsk ? null : this.#lastBatch
    this.#acks.push({ frame, askedAt: now, batch })
    return true
  }

  /** All that an edit brought is on disk after this batch. */
  covered(batch: number): void {
    this.#lastBatch = batch
  }

  /** The answer to our question was taken: what waited for it is due with what it brought. */
  step2Taken(): void {
    this.#awaitsStep2 = false
    this.#begunSync = null
    for (const ack of this.#acks) ack.batch ??= this.#lastBatch
  }

  /** The answer to our question was refused. */
  step2Refused(): void {
    this.#hasRefused = true
    this.#awaitsStep2 = false
    this.#begunSync = null
    // What waited for it would call saved what it brought. [S2]
    const settled = this.#acks.findIndex(ack => ack.batch === null)
    if (settled >= 0) this.#unpaid += this.#acks.splice(settled).length
  }

  updateRefused(contents: UpdateContents): void {
    this.#hasRefused = true
    if (this.isCounted(contents)) this.#unpaid++
  }

  /** An edit that was taken for harmless is refused after all: what came after it would call it saved. [S2] */
  refusedLate(): void {
    this.#hasRefused = true
    this.#unpaid += this.#acks.splice(0).length
  }

  /**
   * What was refused is asked for again, with all that is owed: the answer decides.
   * @returns how many changes are to be owed anew
   */
  askedAgain(): number {
    const unpaid = this.#unpaid
    this.#hasRefused = false
    this.#unpaid = 0
    for (const ack of this.#acks) ack.batch = null
    return unpaid
  }

  /** Takes out those that are due: everything sent before them is committed. */
  takeDue(committedBatch: number): readonly Readonly<OwedAck>[] {
    const next = this.#acks.findIndex(({ batch }) => batch === null || batch > committedBatch)
    return this.#acks.splice(0, next < 0 ? this.#acks.length : next)
  }
}
