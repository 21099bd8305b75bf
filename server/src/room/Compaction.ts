import type { DocumentId } from '@weft/protocol'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { Knowledge } from '../crdt/Knowledge.ts'
import { encodeStateVector } from '../crdt/stateVector.ts'
import { WeftError } from '../errors.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'
import type { Meters } from '../Meters.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'
import type { HeldBytes } from './HeldBytes.ts'
import { StoredBytes } from './StoredBytes.ts'
import type { Tail } from './Tail.ts'

/** A failed compaction is tried again after so long. */
const RETRY_MS = 60_000

export interface CompactionServices {
  readonly log: Pick<UpdateLog, 'compact'>
  readonly workshop: Pick<Workshop, 'compact'>
  readonly clock: Clock
  readonly meters: Meters
  /** Stores a state beside its document. Left out: none is kept. */
  readonly keepState?: (documentId: DocumentId, state: StoredLog) => Promise<string | null>
}

/** The room whose log it is. */
export interface CompactedRoom {
  readonly documentId: DocumentId
  readonly knowledge: Knowledge
  readonly tail: Tail
  readonly bytes: HeldBytes
  log(): Logger
  /** Whether nothing is written to its log any more. */
  isClosed(): boolean
  compacted(): void
}

/** Puts a snapshot in the place of a document's log; and keeps the state before a commit, which no compaction may take first. */
export class Compaction {
  readonly #room: CompactedRoom
  readonly #services: CompactionServices
  #isRunning = false
  /** A state from before a mass deletion is being stored. */
  #isKeeping = false
  #isStopped = false
  /** Not before this, monotonic ms. */
  #againAt = 0

  constructor(room: CompactedRoom, services: CompactionServices) {
    this.#room = room
    this.#services = services
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  get isBusy(): boolean {
    return this.#isRunning || this.#isKeeping
  }

  /** None begins any more. One that runs may find workers and store closed: the log is whole without it. */
  stop(): void {
    this.#isStopped = true
  }

  startIfDue(): void {
    if (this.#room.tail.isCompactionDue) this.start()
  }

  /** Begins one, unless one runs, the last one failed a moment ago, or the server stops. */
  start(): void {
    const { clock, meters } = this.#services
    const room = this.#room
    if (this.#isStopped || this.#isRunning || this.#isKeeping || room.isClosed()) return
    if (clock.now() < this.#againAt) return
    this.#isRunning = true
    const begin = clock.now()
    this.#run()
      .then(() => meters.compacted(clock.now() - begin))
      .catch(error => {
        // Deleted meanwhile, say.
        if (room.isClosed()) return
        if (this.#isOvertaken(error)) {
          room.log().debug('a stop came before the log was compacted; it stays as it is')
          return
        }
        meters.compactionFailed()
        this.#againAt = clock.now() + RETRY_MS
        room.log().error({ err: error }, 'the log could not be compacted; it stays as it is')
      })
      .finally(() => {
        this.#isRunning = false
        // What came in meanwhile may be a lot already.
        this.startIfDue()
      })
  }

  /** Whether a stop of the server is all that an error tells of. Before it, the same error is a fault. */
  #isOvertaken(error: unknown): boolean {
    if (!this.#isStopped || !(error instanceof WeftError)) return false
    return error.code === 'STORE_CLOSED' || error.code === 'WORKER_STOPPED'
  }

  async #run(): Promise<void> {
    const { log, workshop, clock } = this.#services
    const { documentId, knowledge, tail, bytes: held } = this.#room
    const bytes = await held.load()
    const snapshotSeq = bytes.head
    const { snapshot, updates } = bytes.storedLog
    const compacted = await workshop.compact({ snapshot, updates })
    const kept = tail.keepFrom(snapshotSeq, compacted.update.length, clock.now())
    await log.compact({
      documentId,
      snapshotSeq,
      snapshot: compacted.update,
      knowledge: compacted.knowledge,
      keptAfter: kept.seq,
      keptStateVector: encodeStateVector(kept.stateVector),
    })
    // The worker's document knows deletions that no bytes carried until now: they are in the log from here on.
    knowledge.addDeletes(Knowledge.decode(compacted.knowledge).deletes)
    const entries = bytes.updatesAfter(kept.seq)
    const tailBytes = entries.slice(snapshotSeq - kept.seq).reduce((sum, update) => sum + update.length, 0)
    tail.compacted(snapshotSeq, compacted.update.length, kept, tailBytes)
    this.#room.compacted()
    held.replace(
      () =>
        new StoredBytes({
          keptAfter: kept.seq,
          snapshotSeq,
          snapshot: compacted.update,
          entries: entries.map((update, index) => ({ seq: kept.seq + 1 + index, update, time: 0 })),
        }),
    )
    this.#room.log().debug({ snapshotBytes: compacted.update.length, entries: updates.length }, 'compacted')
  }

  /**
   * Keeps the document as it was before a commit. The commit isn't held up: whoever made it may have meant it.
   * @param position of the log before that commit
   */
  keepState(position: number): void {
    const { keepState } = this.#services
    const room = this.#room
    if (keepState === undefined || this.#isKeeping) return
    // No compaction meanwhile: it would take what is to be kept.
    this.#isKeeping = true
    room.bytes
      .load()
      .then(bytes => {
        const { snapshot, updates } = bytes.storedLog
        return keepState(room.documentId, { snapshot, updates: updates.slice(0, position - bytes.snapshotSeq) })
      })
      .then(part => {
        if (part === null) room.log().warn('the states that are kept are young: this one is not')
        else room.log().warn({ part }, 'the state before is kept')
      })
      .catch(error => {
        if (this.#isOvertaken(error)) room.log().warn('a stop came before the state before a mass deletion was kept')
        else room.log().error({ err: error }, 'the state before a mass deletion could not be kept')
      })
      .finally(() => {
        this.#isKeeping = false
        this.startIfDue()
      })
  }
}
