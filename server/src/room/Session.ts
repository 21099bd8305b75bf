import {
  type CloseName,
  type DocumentId,
  decodeMessage,
  encodeSyncStep1,
  ephemeralLimit,
  MalformedMessageError,
  type Message,
  type ReceiptOutcome,
} from '@weft/protocol'
import { SCHEMA_VERSION } from '@weft/schema/version'
import { type Grant, UNASKED } from '../access/Grant.ts'
import { includesRole, writerOf } from '../access/Role.ts'
import type { Timer } from '../clock.ts'
import { MalformedUpdate } from '../crdt/readUpdate.ts'
import { readStateVector, type StateVector } from '../crdt/stateVector.ts'
import type { Bound } from '../Meters.ts'
import { TokenBucket } from '../TokenBucket.ts'
import { BadAwarenessError } from './AwarenessTable.ts'
import { EditIntake } from './EditIntake.ts'
import { encodeFrame } from './encodeFrame.ts'
import type { Cursor, Dialect, Member } from './Member.ts'
import { Notices, REFUSED_STATUS } from './Notices.ts'
import type { Outlet } from './Outlet.ts'
import { type MissedChanges, NONE_MISSED } from './OwedAcks.ts'
import { Payments } from './Payments.ts'
import type { Room } from './Room.ts'
import type { StampedUser } from './stampUser.ts'

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

/** Ephemeral messages of a session: so many at once, so many more each second. What comes faster is dropped. */
const EPHEMERAL_PER_SECOND = 20
const EPHEMERAL_BURST = 100

/**
 * One client's part in one room: what it may do, what it says and asks, and where it stands in the log. What becomes of its edits is
 * `EditIntake`'s, what it is owed `Payments`', what it is told beside edits `Notices`'.
 */
export class Session implements Member {
  readonly room: Room
  readonly outlet: Outlet
  readonly dialect: Dialect
  readonly openedAt: number
  readonly joinedAt: number
  cursor: Cursor = { state: 'unasked' }
  clientID: number | null = null
  hasSentAwareness = false
  cameAt = 0
  isAwarenessBehind = false
  awarenessHeardAt: number | null = null
  isAnswering = false
  nextQuestion: StateVector | null = null
  readonly #payments: Payments
  readonly #notices: Notices
  readonly #intake: EditIntake
  #questions: TokenBucket | null = null
  #questionTimer: Timer | null = null
  readonly #watcher: SessionWatcher | null
  #id: string | null = null
  #isGreeted = false
  #isEnded = false
  /** A sync step 1 of ours is held back until the client has read what it was sent. */
  #owesQuestion = false
  #ephemeral: TokenBucket | null = null
  #grant: Grant
  #mayWrite: boolean
  #isOutdated = false
  #expiryTimer: Timer | null = null

  constructor(room: Room, outlet: Outlet, dialect: Dialect = 'y-websocket', options: SessionOptions = {}) {
    this.room = room
    this.outlet = outlet
    this.dialect = dialect
    this.#watcher = options.watcher ?? null
    this.openedAt = room.clock.wallTime()
    this.#questions = options.questions ?? null
    this.joinedAt = room.clock.now()
    this.#payments = new Payments(this, options.countsQueued ?? false)
    this.#notices = new Notices(this)
    this.#intake = new EditIntake(this, this.#payments, this.#notices, options.begin)
    this.#grant = options.grant ?? UNASKED
    this.#mayWrite = this.#isWriter(this.#grant)
    this.#watchExpiry()
  }

  get documentId(): DocumentId {
    return this.room.documentId
  }

  get grant(): Grant {
    return this.#grant
  }

  // Made when it is asked for: of most nobody ever asks.
  get id(): string {
    this.#id ??= this.room.randomness.id()
    return this.#id
  }

  get userId(): string | null {
    return this.#grant.userId
  }

  get user(): StampedUser | null {
    const { userId, userName } = this.#grant
    return userId === null ? null : { id: userId, name: userName }
  }

  get isOpen(): boolean {
    return !this.#isEnded && this.outlet.isOpen
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Whether its right is one to write, and edits are taken at all. */
  get mayWrite(): boolean {
    return this.#mayWrite
  }

  /** Whether its client is an editor of an earlier version: it may delete what it doesn't know. */
  get isOutdated(): boolean {
    return this.#isOutdated
  }

  get hasAnnounced(): boolean {
    return this.#notices.hasAnnounced
  }

  /** Whether a worker looks at deletions of this reader. */
  get isJudged(): boolean {
    return this.#intake.isJudged
  }

  /** Whether something that it wrote waits for the disk. */
  get hasPending(): boolean {
    return this.#payments.acks.lastBatch > this.room.committedBatch
  }

  // ── What it may do ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts the same user's newer token in the place of the one that it began with. */
  renew(grant: Grant): void {
    if (this.#isEnded) return
    const couldWrite = this.#mayWrite
    const isChanged = grant.role !== this.#grant.role
    this.#grant = grant
    this.#mayWrite = this.#isWriter(grant)
    if (isChanged) this.#watcher?.roleChanged(this)
    this.#watchExpiry()
    if (this.hasAnnounced) this.#notices.tellAccess()
    if (!couldWrite && this.#mayWrite) this.#intake.takeRefused()
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
    else if (!this.hasAnnounced && !this.#mayWrite) this.#notices.tellDenial()
  }

  #isWriter(grant: Grant): boolean {
    const { room } = this
    return (
      includesRole(grant.role, writerOf(room.part)) && room.mayBegin(grant) && !room.isReadOnly && !this.#isOutdated
    )
  }

  /** SECURITY.md, D4. Comments have no schema. */
  #editorTold(schemaVersion: number): void {
    this.#notices.tellSchema()
    this.#isOutdated = schemaVersion < SCHEMA_VERSION && this.room.part === null
    this.review()
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

  /** How it stands with storing edits has changed: it is told, and so is what follows for its right. */
  savingChanged(): void {
    if (this.#isEnded) return
    if (this.hasAnnounced) this.#notices.tellSaving()
    this.review()
  }

  sizeChanged(): void {
    if (this.#isEnded) return
    const notices = this.#notices
    if (notices.hasAnnounced) {
      notices.tellSize()
      notices.tellAccess()
    } else if (this.#mayWrite && this.dialect === 'hocuspocus' && this.cursor.state !== 'unasked') notices.welcome()
    else if (this.#mayWrite && !notices.isTaken) notices.tellRefused()
    if (notices.isTaken) this.#intake.growthTaken()
  }

  /** Somebody has written the document's first words: who may write and not create may write now. */
  begun(): void {
    if (!this.#mayWrite) this.review()
  }

  /** Tells a Hocuspocus provider that its token is taken, and what for. */
  welcome(): void {
    this.#notices.welcome()
  }

  // ── What it says ──────────────────────────────────────────────────────────────────────────────────────────────────

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
    // Our own question, and what answers its first one.
    return this.#isGreeted ? this.#takeIn(message) : this.outlet.together(() => this.#takeIn(message))
  }

  #takeIn(message: Message): void | Promise<void> {
    try {
      this.#greet()
      const done = this.#handle(message)
      this.#payments.countRemembered()
      const wait = () => this.#payments.waitForAcks()
      return done instanceof Promise ? done.catch(error => this.#refuse(error)).then(wait) : wait()
    } catch (error) {
      this.#refuse(error)
    }
  }

  #handle(message: Message): void | Promise<void> {
    switch (message.type) {
      case 'syncStep1': {
        const stateVector = readStateVector(message.stateVector, this.room.updateLimits)
        if (this.dialect === 'hocuspocus' && this.#payments.acks.beginSync(stateVector)) this.#payments.oweStatus()
        this.#ask(stateVector)
        return
      }
      case 'syncStep2':
        return this.#intake.receive(message.update, true)
      case 'update':
        return this.#intake.receive(message.update, false)
      case 'awareness':
        this.room.awareness.receive(this, message.payload)
        return
      case 'queryAwareness':
        this.#ask(null)
        return
      case 'ack':
        this.#payments.oweAck(message.payload)
        return
      case 'announce':
        this.#notices.announced()
        return
      case 'editor':
        this.#editorTold(message.schemaVersion)
        return
      case 'ephemeral':
        if (!this.hasAnnounced) this.#notices.announced()
        this.#payments.oweReceipt(this.relay(message.payload, message.clientIDs))
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

  // ── What it asks, and is asked ────────────────────────────────────────────────────────────────────────────────────

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
    if (this.#payments.acks.mustAsk) this.askForAll()
    this.room.answer(this, stateVector)
  }

  /** As `OwedAcks.missed`. */
  get missed(): MissedChanges {
    return this.#payments.acks.missed
  }

  /**
   * Brings somebody up to date who goes on without having asked: its session had ended here, or was denied.
   * @param missed what a provider has counted meanwhile: paid with its answer to our question, which holds it
   */
  answerUnasked(missed: MissedChanges = NONE_MISSED): void {
    this.#greet()
    this.#payments.oweStatuses(missed.count)
    this.#payments.acks.resume(missed)
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
    this.#payments.acks.asked()
    // Its answer may be the message that waits.
    this.#payments.endWait()
    this.#owesQuestion = this.outlet.unsentBytes > this.room.maxUnsentBytes
    if (!this.#owesQuestion) this.outlet.write(encodeFrame(encodeSyncStep1(this.room.stateVector())))
  }

  payAcks(): void {
    this.#payments.payAcks()
  }

  /** Its connection has room again for what was held back. */
  drained(): void {
    if (!this.isOpen) return
    if (this.#owesQuestion) this.askForAll()
    this.#payments.payAcks()
    this.#payments.payReceipts()
    this.room.catchUp(this)
  }

  endOver(bound: Bound, name: CloseName, text: string): void {
    if (this.isOpen) this.room.meters.overBound(bound)
    this.outlet.close(name, text)
  }

  /** Its connection ended. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#payments.endWait()
    this.#payments.countRemembered()
    if (this.#questionTimer !== null) this.room.clock.clearTimer(this.#questionTimer)
    if (this.#expiryTimer !== null) this.room.clock.clearTimer(this.#expiryTimer)
    this.#intake.leave()
    this.room.leave(this)
    this.#watcher?.ended(this)
  }
}
