import { type CloseName, type DocumentId, type DocumentPart, isKept, type SavingName, splitPart } from '@weft/protocol'
import type { Logger } from 'pino'
import type { Grant } from '../access/Grant.ts'
import type { Clock } from '../clock.ts'
import { admitUpdate } from '../crdt/admitUpdate.ts'
import { CLIENT_BYTES, Knowledge } from '../crdt/Knowledge.ts'
import { notCovered, type Ranges } from '../crdt/ranges.ts'
import { readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import type { StateVector } from '../crdt/stateVector.ts'
import { NO_LIMITS, type UpdateLimitSettings, type UpdateLimits } from '../crdt/UpdateLimits.ts'
import type { Append, StoredDocument, UpdateLog } from '../log/UpdateLog.ts'
import type { MemoryBudget } from '../MemoryBudget.ts'
import type { Meters } from '../Meters.ts'
import { type Randomness, systemRandomness } from '../randomness.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'
import { Answers } from './Answers.ts'
import { AwarenessBroadcast, type AwarenessSettings } from './AwarenessBroadcast.ts'
import type { BytesCache } from './BytesCache.ts'
import { ClientUse } from './ClientUse.ts'
import type { Committer } from './Committer.ts'
import { Compaction } from './Compaction.ts'
import { encodeUpdateFrame } from './encodeFrame.ts'
import { Growth, type GrowthLimits, type SizeState } from './Growth.ts'
import { HeldBytes } from './HeldBytes.ts'
import { isMassDeletion, MIN_DELETED, NEWCOMER_MS } from './MassDeletion.ts'
import type { Member } from './Member.ts'
import { MessageRelay } from './MessageRelay.ts'
import { PendingBatch } from './PendingBatch.ts'
import type { Saving } from './Saving.ts'
import { Tail } from './Tail.ts'
import { TidyingCheck } from './TidyingCheck.ts'

/** What a room needs from outside. */
export interface RoomServices {
  readonly log: Pick<UpdateLog, 'read' | 'readRemains' | 'open' | 'compact'>
  readonly committer: Committer
  readonly bytesCache: BytesCache
  readonly workshop: Workshop
  readonly clock: Clock
  /** Default: the machine's. */
  readonly randomness?: Randomness
  readonly meters: Meters
  readonly logger: Logger
  readonly settings: RoomSettings
  readonly updateLimits: UpdateLimits
  readonly population: Population
  /** Left out: all is well, always. */
  readonly saving?: Saving
  /** Stores a state beside its document. Left out: none is kept. */
  readonly keepState?: (documentId: DocumentId, state: StoredLog) => Promise<string | null>
  /** Called when somebody's first edits of a document that nobody had written are on disk; null: no session's. */
  readonly created?: (documentId: DocumentId, author: Member | null) => void
  /** Told of the first words in a document. */
  readonly documentBegun?: (documentId: DocumentId) => void
}

/** What all rooms have together. */
export interface Population {
  sessions: number
  /** What edits have added to the knowledge of documents since it was measured, at most. */
  grownBytes: number
  /** What sessions are owed. */
  readonly remembered: MemoryBudget
}

export interface RoomSettings extends AwarenessSettings, GrowthLimits, UpdateLimitSettings {
  readonly maxWaitSeconds: number
  readonly questionsPerSecond: number
  readonly questionBurst: number
  readonly fanoutPercent: number
  readonly maxCommitPauseMs: number
  readonly tailBytes: number
  readonly tailEntries: number
}

/** An open document of which nothing is known; measured, with its place in maps and its logger. */
const BASE_BYTES = 8 * 1024
/** What knowledge grows by a byte of an update, at most: a deletion of three bytes is two numbers, or begins a list. */
const GROWTH_PER_BYTE = 16
/** Pauses below a timer's resolution are none. */
const MIN_PAUSE_MS = 1
/** Weight of the newest measurement in a smoothed cost. */
const SMOOTHING = 0.3
/** What a broadcast may cost in a room where none has cost anything yet: seven writes. */
const LEAST_COST_MS = 0.05
/**
 * What floods write waits so long for its commit: every commit costs what others' edits wait for, and so does each broadcast, in
 * which thousands of keystrokes are as dear as one.
 */
const FLOOD_WAIT_MS = 50
/** A document in which nothing was written for so long is quiet. */
const QUIET_MS = 10_000

/** Deletions of one update that are counted without a look at what was deleted before. */
const FEW_DELETED = 50

interface InFlight {
  readonly batch: PendingBatch
  readonly updates: readonly Uint8Array[]
  readonly checkpoint: StateVector | null
  /** It deletes so much that the state before is kept. */
  readonly isMassDeletion: boolean
}

/**
 * One open document: who is here, what they wrote, what the log contains. No document is built here.
 *
 * [R1] What is sent to anybody is committed; what is acknowledged is committed.
 * [R2] Knowledge covers the log and everything pending, and nothing else.
 * [R3] Batches are committed one after the other, in the order of their numbers; none is dropped.
 * [R4] Only closed updates that bring something new become pending.
 * [R5] A session that is live has everything up to the head.
 */
export class Room {
  readonly documentId: DocumentId
  readonly updateLimits: UpdateLimits
  readonly awareness: AwarenessBroadcast
  readonly messages: MessageRelay
  readonly tidying: TidyingCheck
  readonly #growth: Growth
  readonly #clientUse: ClientUse
  readonly #services: RoomServices
  readonly #sessions = new Set<Member>()
  readonly #knowledge: Knowledge
  readonly #tail: Tail
  /** Of a part: whether anybody has written in its document. */
  isDocumentThere = false
  #isFailed = false
  readonly #isDamaged: boolean
  /** Works without a session for whose end the room stays. */
  #holds = 0
  #log: Logger | null = null

  #gathering = new PendingBatch(1)
  #inFlight: InFlight | null = null
  #committedBatch = 0
  #afterCommit: (() => void)[] = []
  readonly #owing = new Set<Member>()
  /** No commit before this, monotonic ms. */
  #nextCommitAt = 0
  #fanoutCostMs = 0
  #isAwaited = false

  readonly #bytes: HeldBytes
  readonly #answers: Answers
  readonly #compaction: Compaction

  /** When the last session left, monotonic ms. */
  #emptySince: number
  #lastCommitAt: number

  /** @param damage what is damaged of the document, in words: `stored` is what comes before that, and nothing is written to it */
  constructor(documentId: DocumentId, stored: StoredDocument, services: RoomServices, damage: string | null = null) {
    this.documentId = documentId
    this.#isDamaged = damage !== null
    this.#services = services
    this.updateLimits = services.updateLimits
    const now = services.clock.now()
    this.#emptySince = now
    this.#lastCommitAt = now
    this.awareness = new AwarenessBroadcast(this.#sessions, services.settings, services.clock, () => this.log)
    const holderOf = (clientID: number) => this.awareness.holderOf(clientID)
    this.#clientUse = new ClientUse(holderOf)
    this.messages = new MessageRelay(this.#sessions, holderOf, services.settings.maxUnsentBytes, services.clock)
    this.tidying = new TidyingCheck({
      workshop: services.workshop,
      clock: services.clock,
      settled: () => this.whenCommitted(this.latestBatch),
      read: () => this.committedLog(),
      failed: error => this.log.warn({ err: error }, 'deletions of readers could not be looked at, and are refused'),
    })
    this.#knowledge = stored.knowledge === null ? new Knowledge() : Knowledge.decode(stored.knowledge)
    for (const { seq, update } of stored.entries) {
      if (seq > stored.snapshotSeq) this.#knowledge.add(readUpdate(update, NO_LIMITS))
    }
    this.#tail = new Tail(stored, services.settings, now)
    this.#tail.checkpoint(new Map(this.#knowledge.stateVector), now)
    this.#growth = new Growth(services.settings, state => this.#sizeChanged(state))
    this.#growth.measure(this.#tail.documentBytes, false)
    this.#bytes = new HeldBytes(stored, {
      documentId,
      log: services.log,
      bytesCache: services.bytesCache,
      clock: services.clock,
      head: () => this.#tail.head,
      isNeeded: () => this.#compaction.isRunning || this.#isAnybodyBehind,
    })
    const own = { knowledge: this.#knowledge, tail: this.#tail, bytes: this.#bytes, log: () => this.log }
    this.#answers = new Answers(
      {
        ...own,
        awareness: this.awareness,
        settings: services.settings,
        isGathering: () => !this.#gathering.isEmpty,
        isInFlight: () => this.#inFlight !== null,
        isStalled: () => this.hasPending && services.committer.isFailing,
      },
      services.workshop,
    )
    this.#compaction = new Compaction(
      {
        ...own,
        documentId,
        isClosed: () => this.#isFailed || this.#isDamaged,
        compacted: () => this.#growth.measure(this.documentBytes, true),
      },
      services,
    )
  }

  /** Names the document. Made when it is needed: most documents never have anything to say. */
  get log(): Logger {
    this.#log ??= this.#services.logger.child({ document: this.documentId })
    return this.#log
  }

  get randomness(): Randomness {
    return this.#services.randomness ?? systemRandomness
  }

  get clock(): Clock {
    return this.#services.clock
  }

  get meters(): Meters {
    return this.#services.meters
  }

  /** Whether nobody has written anything, on disk or pending. */
  get isEmpty(): boolean {
    return this.#knowledge.stateVector.size === 0
  }

  get sessions(): Iterable<Member> {
    return this.#sessions
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  get settings(): RoomSettings {
    return this.#services.settings
  }

  /** Unsent bytes above which a session is written to no more until it has read them. */
  get maxUnsentBytes(): number {
    return this.#services.settings.maxUnsentBytes
  }

  /** The last batch that is on disk. */
  get committedBatch(): number {
    return this.#committedBatch
  }

  /** Whether edits wait for the disk. */
  get hasPending(): boolean {
    return !this.#gathering.isEmpty || this.#inFlight !== null
  }

  /** Sync step 1 of the server: what the log has, and what is about to be in it. */
  stateVector(): Uint8Array {
    return this.#knowledge.encodeStateVector()
  }

  get remembered(): MemoryBudget {
    return this.#services.population.remembered
  }

  /** What is known of it, and of who is here, in bytes, about; without the stored bytes. */
  get memoryBytes(): number {
    const checkpoints = this.#tail.checkpointClients * CLIENT_BYTES
    return BASE_BYTES + this.#knowledge.memoryBytes + checkpoints + this.awareness.memoryBytes
  }

  join(session: Member): void {
    this.#services.population.sessions++
    this.#sessions.add(session)
  }

  leave(session: Member): void {
    if (this.#sessions.delete(session)) this.#services.population.sessions--
    this.#owing.delete(session)
    this.#answers.leave(session)
    this.awareness.leave(session)
    this.#clientUse.leave(session)
    if (this.#sessions.size === 0) this.#emptySince = this.#services.clock.now()
  }

  /** How it stands with storing edits of this document. */
  get saving(): SavingName {
    return this.#isDamaged ? 'damaged' : (this.#services.saving?.state ?? 'saving')
  }

  /** Nobody's edits are taken, whatever right they have. */
  get isReadOnly(): boolean {
    return this.#isDamaged || isKept(this.part) || (this.#services.saving?.isFull ?? false)
  }

  /** Each session is told how it stands with storing edits. */
  savingChanged(): void {
    for (const session of [...this.#sessions]) session.savingChanged()
  }

  /** Each session looks at its right anew. */
  review(): void {
    for (const session of [...this.#sessions]) session.review()
  }

  /** Runs something that has no session. The room isn't unloaded meanwhile. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holds++
    try {
      return await work()
    } finally {
      this.#holds--
    }
  }

  // ── Receive and gather ────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether an update names operations that neither the log nor the pending batch has (SECURITY.md, U5). */
  isMissing(contents: UpdateContents): boolean {
    return this.#knowledge.missing(contents) !== null
  }

  /**
   * Checks an update that is too large for the event loop, and cuts off what is known: both take long for megabytes.
   * @throws {MalformedUpdate}
   */
  async checkInWorker(update: Uint8Array): Promise<{ update: Uint8Array; contents: UpdateContents }> {
    const { workshop } = this.#services
    const contents = await workshop.check(update, this.updateLimits)
    if (!this.#knowledge.overlaps(contents)) return { update, contents }
    const fresh = await workshop.diff({ snapshot: update, stateVector: this.#knowledge.encodeStateVector() })
    return { update: fresh, contents: await workshop.check(fresh, this.updateLimits) }
  }

  /** What an update would bring to the log and the pending batch; `deletions`: and nothing else. */
  newsIn(contents: UpdateContents): 'nothing' | 'deletions' | 'operations' {
    const knowledge = this.#knowledge
    if (knowledge.extendedClients(contents).length > 0 || knowledge.missing(contents) !== null) return 'operations'
    return knowledge.brings(contents) ? 'deletions' : 'nothing'
  }

  /**
   * SECURITY.md, U6: of the client ids that an update goes on with, one that another user's session uses; null: there is none.
   * @param userId null: nobody is asked who they are, and the rule rests
   */
  foreignClient(userId: string | null, contents: UpdateContents): number | null {
    if (userId === null) return null
    const isForeign = (clientID: number) =>
      this.#clientUse.isForeign(userId, clientID, !this.#knowledge.stateVector.has(clientID))
    return this.#knowledge.extendedClients(contents).find(isForeign) ?? null
  }

  /** From now on, and as long as this session is here, the clients that an update goes on with are its user's. */
  claimClients(session: Member, contents: UpdateContents): void {
    if (session.userId !== null) this.#clientUse.use(session, this.#knowledge.extendedClients(contents))
  }

  /** Whether anything was written here that is on disk. */
  get isBegun(): boolean {
    return this.#tail.head > 0
  }

  /** Which part of a document this is; null: a document itself. */
  get part(): DocumentPart | null {
    return splitPart(this.documentId).part
  }

  /** Whether somebody may write here as far as that begins something: a part belongs to its document, and is begun with it. */
  mayBegin({ mayCreate }: Grant): boolean {
    return mayCreate || this.isBegun || (this.part !== null && this.isDocumentThere)
  }

  /** Of deletions, those that neither the log nor the pending batch has. */
  unknownDeletes({ deletes }: UpdateContents): Map<number, Ranges> {
    const unknown = new Map<number, Ranges>()
    for (const [clientID, ranges] of deletes) {
      const rest = notCovered(ranges, this.#knowledge.deletes.get(clientID) ?? [])
      if (rest.length > 0) unknown.set(clientID, rest)
    }
    return unknown
  }

  /** All that the log holds, with what was pending at the call. */
  async storedLog(): Promise<StoredLog> {
    await this.whenCommitted(this.latestBatch)
    return this.committedLog()
  }

  /** All that the log holds now. */
  async committedLog(): Promise<StoredLog> {
    return (await this.#bytes.load()).storedLog
  }

  /** The batch after whose commit everything is on disk that is known now. */
  get latestBatch(): number {
    if (!this.#gathering.isEmpty) return this.#gathering.number
    return this.#inFlight?.batch.number ?? this.#committedBatch
  }

  /** Bytes of the document: of its log, and of what waits for the disk. */
  get documentBytes(): number {
    return this.#tail.documentBytes + this.#gathering.byteLength + (this.#inFlight?.batch.byteLength ?? 0)
  }

  get sizeState(): SizeState {
    return this.#growth.state
  }

  /** What an update has to do with the bounds of the document: whether it would grow it beyond them. What only deletes never does. */
  refusesGrowth(updateBytes: number, contents: UpdateContents): boolean {
    const knowledge = this.#knowledge
    const bytes = this.documentBytes
    const isNearClients = this.#growth.refusesClients(knowledge.clientCount + contents.structs.size)
    if (!isNearClients && !this.#growth.mayRefuse(bytes, updateBytes)) return false
    if (this.newsIn(contents) !== 'operations') return false
    if (this.#growth.refuses(bytes, updateBytes)) return true
    let clientCount = knowledge.clientCount
    for (const clientID of contents.structs.keys()) if (!knowledge.stateVector.has(clientID)) clientCount++
    return this.#growth.refusesClients(clientCount)
  }

  #sizeChanged(state: SizeState): void {
    const bytes = this.documentBytes
    if (state !== 'fine') this.log.warn({ bytes, state }, 'the document is near its size limit, or at it')
    for (const session of [...this.#sessions]) session.sizeChanged()
    // What can be spared may be enough.
    if (state === 'full') this.#compaction.start()
  }

  /**
   * Takes in a closed update. What brings nothing new is not stored.
   * @param author null: no session's, so that all of them get it
   * @returns the batch after whose commit all of it is on disk
   * @throws {MalformedUpdate} it would damage what is there
   */
  admit(author: Member | null, update: Uint8Array, contents: UpdateContents): number {
    // What an update says it deletes may have been deleted long ago: who comes back says all of that again, in one range with what
    // is new. Few are taken as it says, but not where they make much together.
    const claimed = countRanges(contents.deletes)
    const isFew = claimed < FEW_DELETED && this.#gathering.deleted + claimed < MIN_DELETED
    const deletedBefore = isFew ? 0 : this.#deletedOf(contents)
    const fresh = admitUpdate(this.#knowledge, update, contents, this.updateLimits)
    if (fresh === null) return this.latestBatch
    const deleted = isFew ? claimed : this.#deletedOf(contents) - deletedBefore
    this.#gathering.deleted += deleted
    const isNewcomer = author !== null && this.clock.now() - author.joinedAt < NEWCOMER_MS
    if (isNewcomer) this.#gathering.byNewcomers += deleted
    // Copied: what came in is a view of a larger buffer, which would be kept alive.
    this.#gathering.add(fresh === update ? new Uint8Array(update) : fresh, author)
    this.#services.committer.pendingBytes += fresh.length
    this.#services.population.grownBytes += fresh.length * GROWTH_PER_BYTE
    if (author?.outlet.isFlooding !== true) this.#isAwaited = true
    this.#requestCommit()
    return this.#gathering.number
  }

  /** What is deleted now of the clients of whose operations an update deletes some. */
  #deletedOf({ deletes }: UpdateContents): number {
    const known = [...deletes.keys()].map(client => [client, this.#knowledge.deletes.get(client) ?? []] as const)
    return countRanges(new Map(known))
  }

  /** The part of an update that can be stored although some of it has no predecessor; null where there is none. */
  async closedPart(update: Uint8Array): Promise<{ update: Uint8Array | null; missing: ReadonlyMap<number, number> }> {
    return this.#services.workshop.closedPart({ ...(await this.storedLog()), update })
  }

  /** Resolves when a batch is on disk. @throws {Error} it never will be */
  whenCommitted(batch: number): Promise<void> {
    if (batch <= this.#committedBatch) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const check = () => {
        if (batch <= this.#committedBatch) resolve()
        else if (this.#isFailed) reject(new Error('what was pending is lost with its room'))
        else this.#afterCommit.push(check)
      }
      check()
    })
  }

  // ── Commit, broadcast, acknowledge ────────────────────────────────────────────────────────────────────────────────

  /** Whether somebody who doesn't flood wrote some of what is pending. */
  get isAwaited(): boolean {
    return this.#isAwaited
  }

  /** Hands the pending edits to the committer; null where there are none, or the batch before is still on its way. [R3] */
  takeBatch(): Append | null {
    if (this.#inFlight !== null || this.#gathering.isEmpty || this.#isFailed) return null
    const batch = this.#gathering
    const updates = batch.merge()
    this.#gathering = new PendingBatch(batch.number + 1)
    this.#isAwaited = false
    const checkpoint = this.#tail.wantsCheckpoint(updates.length) ? new Map(this.#knowledge.stateVector) : null
    this.#inFlight = { batch, updates, checkpoint, isMassDeletion: isMassDeletion(batch, this.#knowledge) }
    this.#answers.batchTaken()
    return { documentId: this.documentId, after: this.#tail.head, updates, time: this.#services.clock.wallTime() }
  }

  /** The batch that was taken is on disk. */
  committed(): void {
    if (this.#inFlight === null) return
    const { batch, updates, checkpoint, isMassDeletion } = this.#inFlight
    const { clock } = this.#services
    this.#inFlight = null
    this.#services.committer.pendingBytes -= batch.byteLength
    const after = this.#tail.head
    const begins = !this.isBegun
    this.#tail.append(updates)
    this.#committedBatch = batch.number
    this.#lastCommitAt = clock.now()
    this.#bytes.append(after, updates)
    if (isMassDeletion) this.#massDeleted(after, batch)
    if (checkpoint !== null) this.#tail.checkpoint(checkpoint, this.#lastCommitAt)

    this.#growth.measure(this.documentBytes, false)
    if (after === 0) this.#services.created?.(this.documentId, batch.onlyAuthor)
    this.#broadcast(updates, batch.onlyAuthor)
    if (begins) this.#tellBegun()

    this.#answers.committed()
    const callbacks = this.#afterCommit
    this.#afterCommit = []
    for (const callback of callbacks) callback()
    const owing = [...this.#owing]
    this.#owing.clear()
    for (const session of owing) session.payAcks()

    this.#nextCommitAt = clock.now() + this.#commitPauseMs()
    if (!this.#gathering.isEmpty) this.#requestCommit()
    this.#compaction.startIfDue()
  }

  #massDeleted(position: number, { deleted, byNewcomers }: PendingBatch): void {
    this.log.warn({ deleted, byNewcomers, position }, 'most of the document was deleted at once')
    this.meters.massDeletion()
    if (this.part === null) this.#compaction.keepState(position)
  }

  #tellBegun(): void {
    this.begun()
    this.#services.documentBegun?.(this.documentId)
  }

  /** What it belongs to was begun, or it was itself: some who might not write may now. */
  begun(): void {
    for (const session of [...this.#sessions]) session.begun()
  }

  /** A session wants `payAcks` after the next commit. */
  awaitCommit(session: Member): void {
    this.#owing.add(session)
  }

  #broadcast(updates: readonly Uint8Array[], onlyAuthor: Member | null): void {
    const { clock, settings } = this.#services
    const begin = clock.now()
    const encoded = updates.map(encodeUpdateFrame)
    const frames = encoded.length === 1 && encoded[0] !== undefined ? encoded[0] : Buffer.concat(encoded)
    for (const session of this.#sessions) {
      if (session.cursor.state !== 'live' || session === onlyAuthor) continue
      if (session.outlet.unsentBytes > settings.maxUnsentBytes) {
        // Not queued: it catches up from the log when it has read what it has.
        session.cursor = { state: 'behind', position: this.#tail.head - updates.length, finish: null }
      } else session.outlet.write(frames)
    }
    // Other processes may have had the core meanwhile: one long broadcast is no costly room.
    const cost = Math.min(clock.now() - begin, 2 * this.#fanoutCostMs + LEAST_COST_MS)
    this.#fanoutCostMs += (cost - this.#fanoutCostMs) * SMOOTHING
  }

  #requestCommit(): void {
    const { committer, clock } = this.#services
    const earliest = this.#isAwaited ? 0 : clock.now() + FLOOD_WAIT_MS
    committer.request(this, Math.max(this.#nextCommitAt, earliest))
  }

  // A write costs about 7 µs whatever is in it: fewer, larger writes are all that helps, and waiting makes them so.
  #commitPauseMs(): number {
    const { fanoutPercent, maxCommitPauseMs } = this.#services.settings
    const pause = (this.#fanoutCostMs * 100) / fanoutPercent
    return pause < MIN_PAUSE_MS ? 0 : Math.min(pause, maxCommitPauseMs)
  }

  /** The log takes nothing of this document any more: everybody is told, what is pending is dropped. */
  fail(reason: string, close: CloseName = 'internal'): void {
    if (this.#isFailed) return
    this.#isFailed = true
    this.#services.committer.pendingBytes -= this.#gathering.byteLength + (this.#inFlight?.batch.byteLength ?? 0)
    this.#inFlight = null
    this.#gathering = new PendingBatch(this.#gathering.number + 1)
    for (const session of [...this.#sessions]) session.outlet.close(close, reason)
    for (const check of this.#afterCommit.splice(0)) check()
  }

  get isFailed(): boolean {
    return this.#isFailed
  }

  // ── Join, rejoin, catch up ────────────────────────────────────────────────────────────────────────────────────────

  /** Answers a sync step 1: brings the session to the head, with no more bytes than it must. */
  answer(session: Member, stateVector: StateVector): void {
    this.#answers.answer(session, stateVector)
  }

  /** Writes to a session that is behind, as much as it may be sent now; at the head it is live. */
  catchUp(session: Member): void {
    this.#answers.catchUp(session)
  }

  /**
   * What is pending can't be written now, and will be tried again, who knows when. Whoever waits for an answer gets all that
   * is committed: more bytes than it lacks, but reading goes on.
   */
  stalled(): void {
    this.#answers.stalled()
  }

  /** Bytes of log entries that no snapshot holds yet. */
  get tailBytes(): number {
    return this.#tail.bytes
  }

  get heldBytes(): number {
    return this.#bytes.heldBytes
  }

  get #isAnybodyBehind(): boolean {
    for (const { cursor } of this.#sessions) if (cursor.state === 'behind') return true
    return false
  }

  // ── Quiet times ───────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Called every few seconds: forgets whom nobody hears of any more, and tidies.
   * @returns whether the room can be unloaded: nobody has been here for `idleMs`, and nothing is under way
   */
  sweep(now: number, idleMs: number): boolean {
    this.awareness.expire(now)
    const isQuiet = now - this.#lastCommitAt >= QUIET_MS && !this.hasPending
    if (isQuiet && this.#tail.isTidyingDue && !this.#isAnybodyBehind) this.#compaction.start()
    // What was deleted since may be enough to write again.
    if (this.#growth.state === 'full' && this.#tail.bytes > 0) this.#compaction.start()
    const isEmpty = this.#sessions.size === 0 && now - this.#emptySince >= idleMs
    const isBusy = this.#compaction.isBusy || this.#holds > 0 || this.tidying.isBusy || this.#bytes.isLoading
    return isEmpty && !this.hasPending && !isBusy
  }

  /** Nothing may be called on a room after this. */
  unload(): void {
    this.awareness.stop()
    this.tidying.stop()
    this.#compaction.stop()
  }
}

function countRanges(ranges: ReadonlyMap<number, Ranges>): number {
  let count = 0
  for (const list of ranges.values()) {
    for (let i = 0; i < list.length; i += 2) count += (list[i + 1] as number) - (list[i] as number)
  }
  return count
}
