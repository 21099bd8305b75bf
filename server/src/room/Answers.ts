import { encodeSyncStep2 } from '@weft/protocol'
import type { Logger } from 'pino'
import * as Y from 'yjs'
import { EMPTY_UPDATE } from '../crdt/emptyUpdate.ts'
import type { Knowledge } from '../crdt/Knowledge.ts'
import { covers, encodeStateVector, type StateVector, stateVectorKey } from '../crdt/stateVector.ts'
import { WeftError } from '../errors.ts'
import type { Workshop } from '../worker/Workshop.ts'
import type { AwarenessBroadcast } from './AwarenessBroadcast.ts'
import { encodeFrame, encodeUpdateFrame } from './encodeFrame.ts'
import type { HeldBytes } from './HeldBytes.ts'
import type { Member } from './Member.ts'
import type { Tail } from './Tail.ts'

/** Snapshots up to this size are diffed on the event loop (1 ms); larger ones by a worker. */
const MAX_INLINE_DIFF_BYTES = 16 * 1024

/** The room whose sessions ask. */
export interface AnsweringRoom {
  readonly knowledge: Knowledge
  readonly tail: Tail
  readonly bytes: HeldBytes
  readonly awareness: AwarenessBroadcast
  readonly settings: { readonly maxUnsentBytes: number }
  log(): Logger
  /** Whether edits wait to be taken for a commit. */
  isGathering(): boolean
  /** Whether a commit is under way. */
  isInFlight(): boolean
  /** Whether what is pending can't be written now. */
  isStalled(): boolean
}

/** Answers sync steps 1: brings who joins, comes back or reads slowly to the head of the log, with no more bytes than it must. */
export class Answers {
  readonly #room: AnsweringRoom
  readonly #workshop: Pick<Workshop, 'diff'>
  /** Those that wait for a moment at which knowledge is exactly what the next commit will have made of the log. */
  #questions: { session: Member; stateVector: StateVector }[] = []
  /** Those that are made, and wait until the batch under way is on disk. [R1] */
  #made = new Map<Member, () => void>()
  #diffs: Map<string, Promise<Uint8Array>> | null = null

  constructor(room: AnsweringRoom, workshop: Pick<Workshop, 'diff'>) {
    this.#room = room
    this.#workshop = workshop
  }

  answer(session: Member, stateVector: StateVector): void {
    if (session.isAnswering) {
      session.nextQuestion = stateVector
      return
    }
    session.isAnswering = true
    if (this.#room.isStalled()) this.#followFromStart(session)
    else if (this.#room.isGathering()) this.#questions.push({ session, stateVector })
    else this.#prepare(session, stateVector)
  }

  /** The pending edits are taken for a commit: now knowledge is exactly what it makes of the log. */
  batchTaken(): void {
    const questions = this.#questions
    this.#questions = []
    for (const { session, stateVector } of questions) this.#prepare(session, stateVector)
  }

  committed(): void {
    const made = this.#made
    this.#made = new Map()
    for (const start of made.values()) start()
  }

  /** As `Room.stalled`. */
  stalled(): void {
    const sessions = [...this.#questions.map(({ session }) => session), ...this.#made.keys()]
    this.#questions = []
    this.#made.clear()
    for (const session of sessions) this.#followFromStart(session)
  }

  leave(session: Member): void {
    this.#questions = this.#questions.filter(question => question.session !== session)
    this.#made.delete(session)
  }

  // Called only when nothing is gathered: knowledge is the log, plus what is in flight. [R1]
  #prepare(session: Member, stateVector: StateVector): void {
    const { knowledge, tail } = this.#room
    const deleteSet = () => encodeFrame(encodeSyncStep2(knowledge.encodeDeleteSet()))
    let start: () => void
    if (covers(stateVector, knowledge.stateVector)) {
      // It has every operation; deletions show in no state vector.
      const finish = deleteSet()
      start = () => this.#follow(session, tail.head, finish)
    } else if (stateVector.size === 0) {
      start = () => this.#followFromStart(session)
    } else {
      const position = tail.positionFor(stateVector)
      if (position !== null) {
        // Operations first, so that no deletion waits for what it deletes.
        const finish = deleteSet()
        start = () => this.#follow(session, position, finish)
      } else start = () => this.#answerWithDiff(session, stateVector)
    }
    if (this.#room.isInFlight()) this.#made.set(session, start)
    else start()
  }

  #followFromStart(session: Member): void {
    this.#follow(session, 0, encodeFrame(encodeSyncStep2(EMPTY_UPDATE)))
  }

  /** Somebody who was away for longer than the log keeps entries: only the snapshot knows what they lack. */
  #answerWithDiff(session: Member, stateVector: StateVector): void {
    this.#room.bytes
      .load()
      .then(async bytes => {
        const { snapshot } = bytes
        if (snapshot === null) return this.#followFromStart(session)
        const diff = await this.#diff(snapshot, bytes.snapshotSeq, stateVector)
        if (!session.isOpen) return
        session.outlet.write(encodeUpdateFrame(diff))
        this.#follow(session, bytes.snapshotSeq, encodeFrame(encodeSyncStep2(EMPTY_UPDATE)))
      })
      .catch(error => this.#failSession(session, error))
  }

  #diff(snapshot: Uint8Array, snapshotSeq: number, stateVector: StateVector): Promise<Uint8Array> {
    const encoded = encodeStateVector(stateVector)
    if (snapshot.length <= MAX_INLINE_DIFF_BYTES) return Promise.resolve(Y.diffUpdate(snapshot, encoded))
    // Many who were away together come back together: they share one answer.
    const key = `${snapshotSeq} ${stateVectorKey(stateVector)}`
    this.#diffs ??= new Map()
    const diffs = this.#diffs
    const shared = diffs.get(key)
    if (shared !== undefined) return shared
    const diff = this.#workshop.diff({ snapshot, stateVector: encoded })
    diffs.set(key, diff)
    diff.catch(() => {}).finally(() => diffs.delete(key))
    return diff
  }

  #follow(session: Member, position: number, finish: Buffer): void {
    if (!session.isOpen) return
    session.cursor = { state: 'behind', position, finish }
    this.catchUp(session)
  }

  /** Writes to a session that is behind, as much as it may be sent now; at the head it is live. */
  catchUp(session: Member): void {
    const { awareness, tail, bytes: held, settings } = this.#room
    awareness.catchUp(session)
    const { cursor } = session
    if (cursor.state !== 'behind') return
    if (cursor.position < tail.head) {
      const bytes = held.now
      if (bytes === null) {
        held.load().then(
          () => session.isOpen && this.catchUp(session),
          error => this.#failSession(session, error),
        )
        return
      }
      held.used()
      while (cursor.position < tail.head) {
        if (session.outlet.unsentBytes > settings.maxUnsentBytes) return
        const piece = bytes.next(cursor.position)
        if (piece === null) return
        session.outlet.write(piece.frames, piece.isShared ? bytes : null)
        cursor.position = piece.position
      }
    }
    session.cursor = { state: 'live' }
    held.unused()
    if (cursor.finish === null) return
    session.outlet.write(cursor.finish)
    session.isAnswering = false
    const next = session.nextQuestion
    session.nextQuestion = null
    if (next !== null) this.answer(session, next)
    else session.payAcks()
  }

  #failSession(session: Member, error: unknown): void {
    if (error instanceof WeftError && error.code === 'OVERLOADED') {
      if (session.isOpen)
        session.endOver('open-documents', 'overload', 'too many documents are being read: retry after 30 s')
      return
    }
    this.#room.log().error({ err: error }, 'the document could not be read')
    if (session.isOpen) session.outlet.close('internal', 'this document cannot be read now')
  }
}
