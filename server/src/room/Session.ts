import {
  type CloseName,
  closeReason,
  decodeMessage,
  encodeAccess,
  encodeAck,
  encodeAuthenticated,
  encodeEditor,
  encodePermissionDenied,
  encodeReceipt,
  encodeSaving,
  encodeSize,
  encodeSyncStatus,
  encodeSyncStep1,
  ephemeralLimit,
  MalformedMessageError,
  type Message,
  type ReceiptOutcome,
  type SavingName,
} from '@weft/protocol'
import { SCHEMA_VERSION } from '@weft/schema/version'
import { type Grant, UNASKED } from '../access/Grant.ts'
import { includesRole, writerOf } from '../access/Role.ts'
import type { Timer } from '../clock.ts'
import { CLIENT_BYTES } from '../crdt/Knowledge.ts'
import { MalformedUpdate, readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import { readStateVector, type StateVector } from '../crdt/stateVector.ts'
import type { Bound } from '../Meters.ts'
import { TokenBucket } from '../TokenBucket.ts'
import { BadAwarenessError } from './AwarenessTable.ts'
import { encodeFrame } from './encodeFrame.ts'
import type { Outlet } from './Outlet.ts'
import { MAX_OWED_ACKS, type MissedChanges, NONE_MISSED, OwedAcks, STATUS } from './OwedAcks.ts'
import { PaymentWait } from './PaymentWait.ts'
import type { Room } from './Room.ts'
import type { StampedUser } from './stampUser.ts'
import type { Deletes, Tidier } from './TidyingCheck.ts'

/** Larger updates are checked by a worker: 3.6 µs for a small one, 1 ms for 64 KiB. */
const MAX_INLINE_UPDATE_BYTES = 64 * 1024
/** An acknowledgement's payload is a number; a few bytes more do no harm. */
const MAX_ACK_BYTES = 256
/** Acknowledgements and clients that are worth counting; their bytes, measured and rounded up. */
const MUCH_REMEMBERED = 10
const OWED_BYTES = 500

/**
 * Where a session stands in its document's log.
 * - `unasked`: it has not asked yet (no sync step 1), and is sent no edits.
 * - `behind`: it gets what comes after `position`, as fast as it reads, and then `finish`: the answer it waits for.
 * - `live`: it stands at the head, and is sent every batch that is committed.
 */
export type Cursor =
  | { readonly state: 'unasked' }
  | { readonly state: 'behind'; position: number; readonly finish: Buffer | null }
  | { readonly state: 'live' }

/**
 * - `y-websocket`: acknowledgements are messages 102, returned to who sends them.
 * - `hocuspocus`: they are SyncStatus messages, as many as the provider counts changes of its own; and stateless messages pass.
 */
export type Dialect = 'y-websocket' | 'hocuspocus'

/** Is told what becomes of a session. */
export interface SessionWatcher {
  /** Its token, or what is left of that, gives another role. */
  roleChanged(session: Session): void
  ended(session: Session): void
}

export interface SessionOptions {
  /**
   * Asked before it begins a document that nobody has written: 0, or the ms after which to ask again, for it has begun many.
   * Default: it may.
   */
  readonly begin?: () => number
  readonly watcher?: SessionWatcher
  /** What its client may do, until when. Default: what everybody may where nobody is asked. */
  readonly grant?: Grant
  /** The bucket of questions of a connection that carries many sessions. Default: one of its own. */
  readonly questions?: TokenBucket
  /** Hocuspocus' provider 2: it counts what it typed offline; later ones forget it when they begin to sync. */
  readonly countsQueued?: boolean
}

const SCHEMA = encodeFrame(encodeEditor(SCHEMA_VERSION))
const REFUSED_STATUS = encodeFrame(encodeSyncStatus(false))
const READ_ONLY = encodeFrame(
  encodePermissionDenied(closeReason('forbidden', 'you may read this document, and not write in it')),
)
const OUTDATED = encodeFrame(
  encodePermissionDenied(
    closeReason('forbidden', 'this editor is older than the server, and may only show this document'),
  ),
)
/** Why nobody's edits are taken. */
const READ_ONLY_REASONS: Readonly<Record<SavingName, string>> = {
  saving: 'this document can only be read now',
  'saving-failing': 'this document can only be read now',
  'disk-full': 'the server has too little space left: documents can only be read',
  damaged: 'this document is damaged on the server, and can only be read',
}
/** Edits that are passed by after a writer was told that the document is full: who goes on then is sent away. */
const MAX_EDITS_OVER_SIZE = 100
/** A reader whose edits are refused is told so at once, and once more after so long: stock clients log each time. */
const DENIAL_INTERVAL_MS = 10_000
const NO_DELETES: Deletes = new Map()
/** Ephemeral messages of a session: so many at once, so many more each second. What comes faster is dropped. */
const EPHEMERAL_PER_SECOND = 20
const EPHEMERAL_BURST = 100
const RECEIPTS: Record<ReceiptOutcome, Buffer> = {
  passedOn: encodeFrame(encodeReceipt('passedOn')),
  tooFast: encodeFrame(encodeReceipt('tooFast')),
  forbidden: encodeFrame(encodeReceipt('forbidden')),
}
/** Receipts that wait for a session that sends and doesn't read. */
const MAX_OWED_RECEIPTS = 1000

/**
 * One client's part in one room: what it said, what it is owed, and where it stands in the log.
 *
 * [S1] Nothing of a reader's goes to the room's log, whatever message it comes in: `#admit` is the only way there.
 * [S2] No acknowledgement covers an edit that was refused.
 */
export class Session implements Tidier {
  readonly room: Room
  readonly outlet: Outlet
  cursor: Cursor = { state: 'unasked' }
  /** The one client id that it introduced in awareness. */
  clientID: number | null = null
  hasSentAwareness = false
  /** The awareness table's tick at which it came. */
  cameAt = 0
  /** Awareness was not written to it because it read too slowly: it gets the whole table later. */
  isAwarenessBehind = false
  /** The awareness table's tick when it last heard what changed, where something was not written to it since. */
  awarenessHeardAt: number | null = null
  /** Whether an answer to its sync step 1 is being made. */
  isAnswering = false
  /** The state vector of a sync step 1 that came while an answer was being made, or faster than they are answered. */
  nextQuestion: StateVector | null = null
  #questions: TokenBucket | null = null
  #questionTimer: Timer | null = null
  readonly #watcher: SessionWatcher | null
  #id: string | null = null
  /** When it was opened, ms since the epoch. */
  readonly openedAt: number
  #isGreeted = false
  #isEnded = false
  /** A sync step 1 of ours is held back until the client has read what it was sent. */
  #owesQuestion = false
  readonly #owedAcks: OwedAcks
  readonly dialect: Dialect
  /** It has asked for messages of Weft's own. */
  hasAnnounced = false
  #ephemeral: TokenBucket | null = null
  #owedReceipts: Buffer[] = []
  #grant: Grant
  #mayWrite: boolean
  #expiryTimer: Timer | null = null
  #deniedAt = Number.NEGATIVE_INFINITY
  /** Of a reader: as `Tidier` says. */
  tidied: Deletes = NO_DELETES
  /** A worker looks at deletions of this reader: until it has, nothing is acknowledged. [S2] */
  #isJudged = false
  /** When it came, monotonic ms. */
  readonly joinedAt: number
  /** An editor of an earlier version: it may delete what it doesn't know. */
  #isOutdated = false
  /** It came while writes failed: it may read. Those who were there before are waited for with their edits. */
  readonly #cameTooLate: boolean
  /** Edits that a full document did not take. */
  #editsOverSize = 0
  readonly #begin: (() => number) | undefined
  /** How long it has waited to begin its document. */
  #waitedMs = 0
  /** Where it was ever owed very many acknowledgements. */
  #payment: PaymentWait | null = null
  /** What it is owed, as far as that is much: counted among what all sessions are. */
  #rememberedBytes = 0

  constructor(room: Room, outlet: Outlet, dialect: Dialect = 'y-websocket', options: SessionOptions = {}) {
    this.room = room
    this.outlet = outlet
    this.dialect = dialect
    this.#watcher = options.watcher ?? null
    this.openedAt = room.clock.wallTime()
    this.#questions = options.questions ?? null
    this.#begin = options.begin
    this.joinedAt = room.clock.now()
    this.#cameTooLate = room.saving === 'saving-failing'
    this.#owedAcks = new OwedAcks(options.countsQueued ?? false)
    this.#grant = options.grant ?? UNASKED
    this.#mayWrite = this.#isWriter(this.#grant)
    this.#watchExpiry()
  }

  /** What it may do. */
  get grant(): Grant {
    return this.#grant
  }

  /** Names it in the API. Made when it is asked for: of most nobody ever asks. */
  get id(): string {
    this.#id ??= this.room.randomness.id()
    return this.#id
  }

  /** Whether something that it wrote waits for the disk. */
  get hasPending(): boolean {
    return this.#owedAcks.lastBatch > this.room.committedBatch
  }

  /** Whose it is; null where nobody is asked. */
  get userId(): string | null {
    return this.#grant.userId
  }

  /** Who its client is, as others are told; null where nobody is asked. */
  get user(): StampedUser | null {
    const { userId, userName } = this.#grant
    return userId === null ? null : { id: userId, name: userName }
  }

  /** Puts the same user's newer token in the place of the one that it began with. */
  renew(grant: Grant): void {
    if (this.#isEnded) return
    const couldWrite = this.#mayWrite
    const isChanged = grant.role !== this.#grant.role
    this.#grant = grant
    this.#mayWrite = this.#isWriter(grant)
    if (isChanged) this.#watcher?.roleChanged(this)
    this.#watchExpiry()
    if (this.hasAnnounced) this.#tellAccess()
    if (!couldWrite && this.#mayWrite) this.#takeRefused()
  }

  /** Looks at its right anew: what was taken back of it counts at once, and is told. */
  review(): void {
    if (this.#isEnded) return
    const grant = this.#grant.review?.() ?? this.#grant
    if ('close' in grant) {
      this.outlet.close(grant.close, grant.text)
      return
    }
    const couldWrite = this.#mayWrite
    if (grant.role === this.#grant.role && this.#isWriter(grant) === couldWrite) this.#grant = grant
    else this.renew(grant)
    if (couldWrite === this.#mayWrite || this.outlet.unsentBytes > this.room.maxUnsentBytes) return
    if (this.dialect === 'hocuspocus') this.welcome()
    else if (!this.hasAnnounced && !this.#mayWrite) this.outlet.write(this.#denial())
  }

  #isWriter(grant: Grant): boolean {
    const { room } = this
    return (
      includesRole(grant.role, writerOf(room.part)) && room.mayBegin(grant) && !room.isReadOnly && !this.#isOutdated
    )
  }

  /** SECURITY.md, D4. Comments have no schema. */
  #editorTold(schemaVersion: number): void {
    if (this.hasAnnounced && this.outlet.unsentBytes <= this.room.maxUnsentBytes) this.outlet.write(SCHEMA)
    this.#isOutdated = schemaVersion < SCHEMA_VERSION && this.room.part === null
    this.review()
  }

  /** How it stands with storing edits has changed: it is told, and so is what follows for its right. */
  savingChanged(): void {
    if (this.#isEnded) return
    if (this.hasAnnounced) this.#tellSaving()
    this.review()
  }

  #tellSaving(): void {
    this.outlet.write(encodeFrame(encodeSaving(this.room.saving)))
  }

  /** Why its edits aren't taken, as stock clients log it. */
  #denial(): Buffer {
    if (this.#isOutdated) return OUTDATED
    if (!this.#mayWrite && !this.room.isReadOnly) return READ_ONLY
    if (this.#mayWrite) return encodeFrame(encodePermissionDenied(closeReason('tooLarge', this.#fullText())))
    return encodeFrame(encodePermissionDenied(closeReason('forbidden', READ_ONLY_REASONS[this.room.saving])))
  }

  /** Whether edits are taken that make the document grow. */
  get #isTaken(): boolean {
    return this.#mayWrite && this.room.sizeState !== 'full'
  }

  /** The document is warned of, has become full, or has room again. */
  sizeChanged(): void {
    if (this.#isEnded) return
    if (this.hasAnnounced) {
      this.#tellSize()
      this.#tellAccess()
    } else if (this.#mayWrite && this.dialect === 'hocuspocus' && this.cursor.state !== 'unasked') this.welcome()
    else if (this.#mayWrite && !this.#isTaken) this.#tellRefused()
    if (!this.#isTaken) return
    this.#editsOverSize = 0
    this.#takeRefused()
  }

  #tellSize(): void {
    const { room } = this
    const { maxDocumentBytes } = room.settings
    this.outlet.write(encodeFrame(encodeSize(room.sizeState, room.documentBytes, maxDocumentBytes)))
  }

  /** Somebody has written the document's first words: who may write and not create may write now. */
  begun(): void {
    if (!this.#mayWrite) this.review()
  }

  /** Tells a Hocuspocus provider that its token is taken, and what for. */
  welcome(): void {
    this.outlet.write(encodeFrame(encodeAuthenticated(!this.#isTaken)))
  }

  #watchExpiry(): void {
    const { clock } = this.room
    if (this.#expiryTimer !== null) clock.clearTimer(this.#expiryTimer)
    this.#expiryTimer = null
    const { expiresAt } = this.#grant
    if (expiresAt === Number.POSITIVE_INFINITY) return
    // Timers may fire a little early.
    const waitMs = Math.max(0, Math.ceil(expiresAt - clock.now()) + 1)
    this.#expiryTimer = clock.setTimer(() => this.outlet.close('unauthorized', 'the token has expired'), waitMs)
  }

  // Again and again where it asks whether anybody is there; who doesn't read what it asks for must not make us hold more.
  #announced(): void {
    const isAsked = this.hasAnnounced
    this.hasAnnounced = true
    if (isAsked && this.outlet.unsentBytes > 0) return
    if (!isAsked && this.room.saving !== 'saving') this.#tellSaving()
    if (this.room.sizeState !== 'fine') this.#tellSize()
    this.#tellAccess()
  }

  #tellAccess(): void {
    this.outlet.write(encodeFrame(encodeAccess(this.#isTaken ? 'read-write' : 'read-only')))
  }

  /** Whether it can be written to. What it sent counts until it ends, which may be later. */
  get isOpen(): boolean {
    return !this.#isEnded && this.outlet.isOpen
  }

  /** Takes in one frame of y-websocket's dialect: as `receiveMessage`. */
  receive(frame: Uint8Array): void | Promise<void> {
    try {
      return this.receiveMessage(decodeMessage(frame))
    } catch (error) {
      this.#refuse(error)
    }
  }

  /**
   * Takes in one message. What can't be understood ends the connection; it touches nothing else.
   * @returns a promise where a worker has to look at it: the next message must wait
   */
  receiveMessage(message: Message): void | Promise<void> {
    try {
      this.#greet()
      const done = this.#handle(message)
      this.#countRemembered()
      if (done instanceof Promise) return done.catch(error => this.#refuse(error)).then(() => this.#waitForPayment())
      return this.#waitForPayment()
    } catch (error) {
      this.#refuse(error)
    }
  }

  /** Whoever is owed very many acknowledgements is read no more until the disk has caught up, or the client with reading. */
  #waitForPayment(): Promise<void> | undefined {
    if (!this.#owedAcks.areMany || !this.isOpen) return undefined
    const { clock, settings } = this.room
    this.#payment ??= new PaymentWait(clock)
    return this.#payment.begin(
      () => this.isOpen,
      settings.maxWaitSeconds * 1000,
      () => this.#endOver('acknowledgements', 'overload', 'acknowledgements wait for the disk: retry after 10 s'),
    )
  }

  #endOver(bound: Bound, name: CloseName, text: string): void {
    if (this.isOpen) this.room.meters.overBound(bound)
    this.outlet.close(name, text)
  }

  // Few owe much: what each session is owed for a moment is part of it.
  #countRemembered(): void {
    const clients = (this.nextQuestion?.size ?? 0) + this.#owedAcks.clientCount
    const owed = this.#owedAcks.count + this.#owedReceipts.length
    const much = clients > MUCH_REMEMBERED || owed > MUCH_REMEMBERED
    const bytes = this.#isEnded || !much ? 0 : clients * CLIENT_BYTES + owed * OWED_BYTES
    if (bytes === this.#rememberedBytes) return
    const { remembered } = this.room
    remembered.give(this.#rememberedBytes)
    this.#rememberedBytes = 0
    if (remembered.take(bytes)) this.#rememberedBytes = bytes
    else this.#endOver('remembered-bytes', 'overload', 'too much is owed to all sessions: retry after 10 s')
  }

  #handle(message: Message): void | Promise<void> {
    switch (message.type) {
      case 'syncStep1': {
        const stateVector = readStateVector(message.stateVector, this.room.updateLimits)
        if (this.dialect === 'hocuspocus' && this.#owedAcks.beginSync(stateVector)) this.#oweStatus()
        this.#ask(stateVector)
        return
      }
      case 'syncStep2':
        return this.#receiveUpdate(message.update, true)
      case 'update':
        return this.#receiveUpdate(message.update, false)
      case 'awareness':
        this.room.awareness.receive(this, message.payload)
        return
      case 'queryAwareness':
        this.#ask(null)
        return
      case 'ack':
        this.#owe(message.payload)
        return
      case 'announce':
        this.#announced()
        return
      case 'editor':
        this.#editorTold(message.schemaVersion)
        return
      case 'ephemeral':
        if (!this.hasAnnounced) this.#announced()
        this.#oweReceipt(this.relay(message.payload, message.clientIDs))
        return
      case 'access':
      case 'receipt':
      case 'permissionDenied':
      case 'token':
      case 'saving':
      case 'leave':
      case 'closed':
      case 'size':
      case 'unknown':
        // Like the reference server: a newer client may know more than we do.
        return
    }
  }

  /** @param stateVector of a sync step 1; null: it asks for awareness */
  #ask(stateVector: StateVector | null): void {
    const { clock } = this.room
    const { questionsPerSecond, questionBurst } = this.room.settings
    this.#questions ??= new TokenBucket(questionsPerSecond, questionBurst, clock.now())
    if (this.#questionTimer === null) {
      const waitMs = this.#questions.take(1, clock.now())
      if (waitMs === 0) {
        if (stateVector === null) this.room.awareness.sendAll(this)
        else this.#answer(stateVector)
        return
      }
      this.#questionTimer = clock.setTimer(() => {
        this.#questionTimer = null
        this.room.awareness.catchUp(this)
        const next = this.nextQuestion
        if (next === null || this.isAnswering) return
        this.nextQuestion = null
        this.#answer(next)
      }, waitMs)
    }
    if (stateVector === null) this.isAwarenessBehind = true
    else this.nextQuestion = stateVector
  }

  #answer(stateVector: StateVector): void {
    if (this.#owedAcks.mustAsk) this.askForAll()
    this.room.answer(this, stateVector)
  }

  /** As `OwedAcks.missed`. */
  get missed(): MissedChanges {
    return this.#owedAcks.missed
  }

  /**
   * Brings somebody up to date who goes on without having asked: its session had ended here, or was denied.
   * @param missed what a provider has counted meanwhile: paid with its answer to our question, which holds it
   */
  answerUnasked(missed: MissedChanges = NONE_MISSED): void {
    this.#greet()
    this.#oweStatuses(missed.count)
    this.#owedAcks.resume(missed)
    if (this.cursor.state === 'unasked') this.room.answer(this, new Map())
  }

  // The server doesn't speak first: the first frame tells which dialect the client speaks.
  #greet(): void {
    if (this.#isGreeted) return
    this.#isGreeted = true
    this.cameAt = this.room.awareness.nextTick()
    this.askForAll()
    this.room.awareness.sendAll(this)
  }

  /** Asks for all that the log doesn't have (sync step 1). Always, at the start: offline deletions show in no state vector. */
  askForAll(): void {
    this.#owedAcks.asked()
    // Its answer may be the message that waits.
    this.#payment?.end()
    this.#owesQuestion = this.outlet.unsentBytes > this.room.maxUnsentBytes
    if (!this.#owesQuestion) this.outlet.write(encodeFrame(encodeSyncStep1(this.room.stateVector())))
  }

  #receiveUpdate(update: Uint8Array, isStep2: boolean): void | Promise<void> {
    if (update.length <= MAX_INLINE_UPDATE_BYTES) {
      return this.#admit(update, readUpdate(update, this.room.updateLimits), isStep2)
    }
    return this.room.checkInWorker(update).then(checked => this.#admit(checked.update, checked.contents, isStep2))
  }

  #admit(update: Uint8Array, contents: UpdateContents, isStep2: boolean): void | Promise<void> {
    if (this.#isEnded) return
    if (!this.#mayWrite) return this.#passOver(contents, isStep2)
    if (this.#cameTooLate && this.room.saving === 'saving-failing' && this.room.newsIn(contents) !== 'nothing') {
      this.outlet.close('overload', 'edits cannot be stored now: retry after 10 s')
      return
    }
    if (this.room.refusesGrowth(update.length, contents)) return this.#refuseGrowth(contents, isStep2)
    if (this.room.isMissing(contents)) {
      if (isStep2) return this.#admitClosedPart(update)
      // Without blame: a person types while the connection is being made after offline work. Messages keep their order,
      // so the sync step 2 that was asked for contains this update too.
      if (!this.#owedAcks.awaitsStep2) this.askForAll()
      if (this.#owedAcks.isCounted(contents)) this.#oweStatus()
      return
    }
    if (this.#isForeign(contents)) return
    const waitMs = this.#waitToBegin(contents)
    if (waitMs > 0) return this.#admitLater(waitMs, update, contents, isStep2)
    if (!isStep2) this.room.claimClients(this, contents)
    this.#covered(this.room.admit(this, update, contents), contents, isStep2)
  }

  /** How long it has to wait before this update may begin a document, in ms. */
  #waitToBegin(contents: UpdateContents): number {
    const { room } = this
    if (this.#begin === undefined || room.isBegun || room.hasPending || room.newsIn(contents) === 'nothing') return 0
    return this.#begin()
  }

  // Slowed down first: its connection is read no more until then.
  async #admitLater(waitMs: number, update: Uint8Array, contents: UpdateContents, isStep2: boolean): Promise<void> {
    const { clock, settings } = this.room
    this.#waitedMs += waitMs
    if (this.#waitedMs > settings.maxWaitSeconds * 1000) {
      this.#endOver('new-documents', 'overload', `too many new documents: retry after ${Math.ceil(waitMs / 1000)} s`)
      return
    }
    await new Promise<void>(resolve => clock.setTimer(resolve, waitMs))
    return this.#admit(update, contents, isStep2)
  }

  /** Whether an update goes on with a client id that another user's session uses: that ends this one. */
  #isForeign(contents: UpdateContents): boolean {
    const clientID = this.room.foreignClient(this.userId, contents)
    if (clientID === null) return false
    this.outlet.close('policy', `client id ${clientID} is in use by another user`)
    return true
  }

  /** All that it brought is on disk after this batch. */
  #covered(batch: number, contents: UpdateContents, isStep2: boolean): void {
    this.#owedAcks.covered(batch)
    if (isStep2) this.#step2Taken()
    else if (this.#owedAcks.isCounted(contents)) this.#oweStatus()
  }

  /** A reader's update: never stored. Told as refused where it brings something; what Yjs tidies by itself isn't held against it. */
  #passOver(contents: UpdateContents, isStep2: boolean): void {
    const news = this.room.newsIn(contents)
    if (news === 'deletions' && this.room.tidying.ask(this, this.room.unknownDeletes(contents))) this.#isJudged = true
    else if (news !== 'nothing') {
      this.#refuseEdit(contents, isStep2)
      return
    }
    this.#covered(this.room.latestBatch, contents, isStep2)
  }

  /** A worker has looked at what this reader deleted. */
  judged(tidied: Deletes | null, isLast: boolean): void {
    if (this.#isEnded || !this.#isJudged) return
    if (isLast) this.#isJudged = false
    if (tidied === null) {
      this.#owedAcks.refusedLate()
      this.#tellRefused()
    } else this.tidied = tidied
    this.payAcks()
  }

  /** The document has no room for it: told as to a reader, and the session stays, unless it goes on and on. */
  #refuseGrowth(contents: UpdateContents, isStep2: boolean): void {
    if (++this.#editsOverSize <= MAX_EDITS_OVER_SIZE) this.#refuseEdit(contents, isStep2)
    else this.#endOver('document-size', 'tooLarge', this.#fullText())
  }

  #fullText(): string {
    const { maxDocumentBytes } = this.room.settings
    return `the document is at its size limit, ${maxDocumentBytes} bytes`
  }

  #refuseEdit(contents: UpdateContents, isStep2: boolean): void {
    if (isStep2) this.#owedAcks.step2Refused()
    else this.#owedAcks.updateRefused(contents)
    this.#tellRefused()
  }

  /** It may write now: what was refused before, or not stored because it was tidying, is asked for, and paid when it has come. */
  #takeRefused(): void {
    if (!this.#owedAcks.hasRefused && !this.#isJudged && this.tidied.size === 0) return
    this.room.tidying.leave(this)
    // What is refused after another change is told at once again.
    this.#deniedAt = Number.NEGATIVE_INFINITY
    this.#isJudged = false
    this.tidied = NO_DELETES
    this.askForAll()
    this.#oweStatuses(this.#owedAcks.askedAgain())
  }

  #oweStatuses(count: number): void {
    for (let left = Math.min(count, MAX_OWED_ACKS - this.#owedAcks.count); left > 0; left--) this.#oweStatus()
  }

  #tellRefused(): void {
    if (this.outlet.unsentBytes > this.room.maxUnsentBytes) return
    if (this.dialect === 'hocuspocus') {
      this.outlet.write(REFUSED_STATUS)
      return
    }
    const now = this.room.clock.now()
    if (now - this.#deniedAt < DENIAL_INTERVAL_MS) return
    this.#deniedAt = now
    this.outlet.write(this.#denial())
  }

  // An honest client leaves no gap after its sync step 2; one with pending structs of its own does.
  async #admitClosedPart(update: Uint8Array): Promise<void> {
    const { update: closed, missing } = await this.room.closedPart(update)
    if (this.#isEnded) return
    const checked = closed === null ? null : await this.room.checkInWorker(closed)
    if (this.#isEnded) return
    if (checked === null || this.room.isMissing(checked.contents)) {
      this.outlet.close('policy', `the document lacks ${describeMissing(missing)}, which nobody sent`)
      return
    }
    if (!this.#mayWrite) return this.#passOver(checked.contents, true)
    if (this.#isForeign(checked.contents)) return
    if (this.room.refusesGrowth(checked.update.length, checked.contents))
      return this.#refuseGrowth(checked.contents, true)
    this.#owedAcks.covered(this.room.admit(this, checked.update, checked.contents))
    this.room.log.warn(
      { missing: describeMissing(missing) },
      'part of a sync step 2 has no predecessor and was not stored',
    )
    this.#step2Taken()
  }

  #step2Taken(): void {
    this.#owedAcks.step2Taken()
    this.payAcks()
  }

  #owe(payload: Uint8Array): void {
    if (payload.length > MAX_ACK_BYTES) {
      throw new MalformedMessageError(`an acknowledgement payload of ${payload.length} bytes is over ${MAX_ACK_BYTES}`)
    }
    // [S2]
    if (!this.#owedAcks.hasRefused) this.#oweFrame(encodeFrame(encodeAck(payload)))
  }

  /** A Hocuspocus provider counts each update that it sends until it hears of it. A sync step 2 it doesn't count. */
  #oweStatus(): void {
    if (this.dialect === 'hocuspocus') this.#oweFrame(STATUS)
  }

  #oweFrame(frame: Buffer): void {
    if (!this.#owedAcks.owe(frame, this.room.clock.now())) {
      this.#endOver('acknowledgements', 'policy', `${MAX_OWED_ACKS} acknowledgements are owed already`)
      return
    }
    this.payAcks()
  }

  /** Returns the acknowledgements that are due: everything sent before them is committed. Called after each commit. */
  payAcks(): void {
    if (this.#isJudged) return
    // Later, when it has read what it has: nobody who doesn't read makes us hold more and more.
    if (this.outlet.unsentBytes > this.room.maxUnsentBytes) return
    // A provider of whose changes none is left calls itself synced: it must have its answer before.
    if (this.dialect === 'hocuspocus' && (this.isAnswering || this.nextQuestion !== null)) return
    const { clock, meters, committedBatch } = this.room
    const due = this.#owedAcks.takeDue(committedBatch)
    if (due.length > 0) {
      for (const { askedAt } of due) meters.acknowledged(clock.now() - askedAt)
      this.outlet.write(Buffer.concat(due.map(({ frame }) => frame)))
      if (this.#rememberedBytes > 0) this.#countRemembered()
    }
    if (this.#owedAcks.areFewer) this.#payment?.end()
    if (this.#owedAcks.count > 0) this.room.awaitCommit(this)
  }

  /** Its connection has room again for what was held back. */
  drained(): void {
    if (!this.isOpen) return
    if (this.#owesQuestion) this.askForAll()
    this.payAcks()
    this.#payReceipts()
    this.room.catchUp(this)
  }

  /**
   * Passes a string on to others in the document. Never stored.
   * @param clientIDs for whom; none: everybody else
   */
  relay(payload: string, clientIDs: readonly number[] = []): ReceiptOutcome {
    if (!this.#mayWrite) return 'forbidden'
    const now = this.room.clock.now()
    this.#ephemeral ??= new TokenBucket(EPHEMERAL_PER_SECOND, EPHEMERAL_BURST, now)
    // Dropped, not queued: each costs a write to everybody, at once.
    if (!this.#ephemeral.tryTake(1, now)) return 'tooFast'
    return this.room.messages.relay(this, payload, clientIDs) ? 'passedOn' : 'tooFast'
  }

  /** As `relay`, for everybody else; a provider hears nothing of what becomes of it. */
  relayStateless(payload: string): void {
    const bytes = Buffer.byteLength(payload)
    if (bytes <= ephemeralLimit.payloadBytes) this.relay(payload)
    else this.outlet.close('policy', `a stateless message of ${bytes} bytes is over ${ephemeralLimit.payloadBytes}`)
  }

  #oweReceipt(outcome: ReceiptOutcome): void {
    this.#owedReceipts.push(RECEIPTS[outcome])
    this.#payReceipts()
  }

  #payReceipts(): void {
    const owed = this.#owedReceipts
    if (owed.length === 0) return
    if (this.outlet.unsentBytes <= this.room.maxUnsentBytes) {
      this.#owedReceipts = []
      this.outlet.write(owed.length === 1 && owed[0] !== undefined ? owed[0] : Buffer.concat(owed))
    } else if (owed.length > MAX_OWED_RECEIPTS) {
      this.#endOver('receipts', 'policy', `${MAX_OWED_RECEIPTS} receipts are owed already`)
    }
  }

  #refuse(error: unknown): void {
    if (this.#isEnded) return
    if (this.dialect === 'hocuspocus') this.outlet.write(REFUSED_STATUS)
    if (error instanceof MalformedUpdate) this.outlet.close('malformed', error.reason)
    else if (error instanceof MalformedMessageError || error instanceof BadAwarenessError) {
      this.outlet.close('malformed', error.message)
    } else {
      // A fault of ours (a worker that died, say): the client keeps its edit and comes back with it.
      this.room.log.error({ err: error }, 'a message could not be handled')
      this.outlet.close('internal', 'this message could not be handled')
    }
  }

  /** Its connection ended. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#payment?.end()
    this.#countRemembered()
    if (this.#questionTimer !== null) this.room.clock.clearTimer(this.#questionTimer)
    if (this.#expiryTimer !== null) this.room.clock.clearTimer(this.#expiryTimer)
    this.room.leave(this)
    this.#watcher?.ended(this)
  }
}

function describeMissing(missing: ReadonlyMap<number, number>): string {
  return [...missing]
    .slice(0, 3)
    .map(([clientID, clock]) => `${clientID}:${clock}`)
    .join(', ')
}
