import { readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import type { Member } from './Member.ts'
import type { Notices } from './Notices.ts'
import type { Payments } from './Payments.ts'
import type { Room } from './Room.ts'
import type { Deletes, Tidier } from './TidyingCheck.ts'

/** Larger updates are checked by a worker: 3.6 µs for a small one, 1 ms for 64 KiB. */
const MAX_INLINE_UPDATE_BYTES = 64 * 1024
/** Edits that are passed by after a writer was told that the document is full: who goes on then is sent away. */
const MAX_EDITS_OVER_SIZE = 100
const NO_DELETES: Deletes = new Map()

/** Whose edits they are. */
export interface Author extends Member {
  readonly room: Room
  readonly isEnded: boolean
  readonly mayWrite: boolean
  /** Asks for all that the log doesn't have. */
  askForAll(): void
}

/**
 * What becomes of the updates that a session sends: taken into its room, or refused and told.
 *
 * [S1] Nothing of a reader's goes to the room's log, whatever message it comes in: `#admit` is the only way there.
 * [S2] No acknowledgement covers an edit that was refused.
 */
export class EditIntake implements Tidier {
  /** Of a reader: as `Tidier` says. */
  tidied: Deletes = NO_DELETES
  readonly #author: Author
  readonly #payments: Payments
  readonly #notices: Notices
  readonly #begin: (() => number) | undefined
  /** It came while writes failed: it may read. Those who were there before are waited for with their edits. */
  readonly #cameTooLate: boolean
  /** A worker looks at deletions of this reader: until it has, nothing is acknowledged. [S2] */
  #isJudged = false
  /** Edits that a full document did not take. */
  #editsOverSize = 0
  /** How long it has waited to begin its document. */
  #waitedMs = 0

  /** @param begin as `SessionOptions` say */
  constructor(author: Author, payments: Payments, notices: Notices, begin: (() => number) | undefined) {
    this.#author = author
    this.#payments = payments
    this.#notices = notices
    this.#begin = begin
    this.#cameTooLate = author.room.saving === 'saving-failing'
  }

  get isJudged(): boolean {
    return this.#isJudged
  }

  get #room(): Room {
    return this.#author.room
  }

  /** @returns a promise where a worker has to look at it @throws {MalformedUpdate} */
  receive(update: Uint8Array, isStep2: boolean): void | Promise<void> {
    if (update.length <= MAX_INLINE_UPDATE_BYTES) {
      return this.#admit(update, readUpdate(update, this.#room.updateLimits), isStep2)
    }
    return this.#room.checkInWorker(update).then(checked => this.#admit(checked.update, checked.contents, isStep2))
  }

  #admit(update: Uint8Array, contents: UpdateContents, isStep2: boolean): void | Promise<void> {
    const { isEnded, mayWrite, outlet } = this.#author
    const room = this.#room
    if (isEnded) return
    if (!mayWrite) return this.#passOver(contents, isStep2)
    if (this.#cameTooLate && room.saving === 'saving-failing' && room.newsIn(contents) !== 'nothing') {
      outlet.close('overload', 'edits cannot be stored now: retry after 10 s')
      return
    }
    if (room.refusesGrowth(update.length, contents)) return this.#refuseGrowth(contents, isStep2)
    const { acks } = this.#payments
    if (room.isMissing(contents)) {
      if (isStep2) return this.#admitClosedPart(update)
      // Without blame: a person types while the connection is being made after offline work. Messages keep their order,
      // so the sync step 2 that was asked for contains this update too.
      if (!acks.awaitsStep2) this.#author.askForAll()
      if (acks.isCounted(contents)) this.#payments.oweStatus()
      return
    }
    if (this.#isForeign(contents)) return
    const waitMs = this.#waitToBegin(contents)
    if (waitMs > 0) return this.#admitLater(waitMs, update, contents, isStep2)
    if (!isStep2) room.claimClients(this.#author, contents)
    this.#covered(room.admit(this.#author, update, contents), contents, isStep2)
  }

  /** How long it has to wait before this update may begin a document, in ms. */
  #waitToBegin(contents: UpdateContents): number {
    const room = this.#room
    if (this.#begin === undefined || room.isBegun || room.hasPending || room.newsIn(contents) === 'nothing') return 0
    return this.#begin()
  }

  // Slowed down first: its connection is read no more until then.
  async #admitLater(waitMs: number, update: Uint8Array, contents: UpdateContents, isStep2: boolean): Promise<void> {
    const { clock, settings } = this.#room
    this.#waitedMs += waitMs
    if (this.#waitedMs > settings.maxWaitSeconds * 1000) {
      const text = `too many new documents: retry after ${Math.ceil(waitMs / 1000)} s`
      this.#author.endOver('new-documents', 'overload', text)
      return
    }
    await new Promise<void>(resolve => clock.setTimer(resolve, waitMs))
    return this.#admit(update, contents, isStep2)
  }

  /** Whether an update goes on with a client id that another user's session uses: that ends this one. */
  #isForeign(contents: UpdateContents): boolean {
    const clientID = this.#room.foreignClient(this.#author.userId, contents)
    if (clientID === null) return false
    this.#author.outlet.close('policy', `client id ${clientID} is in use by another user`)
    return true
  }

  /** All that it brought is on disk after this batch. */
  #covered(batch: number, contents: UpdateContents, isStep2: boolean): void {
    const { acks } = this.#payments
    acks.covered(batch)
    if (isStep2) this.#step2Taken()
    else if (acks.isCounted(contents)) this.#payments.oweStatus()
  }

  /** A reader's update: never stored. Told as refused where it brings something; what Yjs tidies by itself isn't held against it. */
  #passOver(contents: UpdateContents, isStep2: boolean): void {
    const room = this.#room
    const news = room.newsIn(contents)
    if (news === 'deletions' && room.tidying.ask(this, room.unknownDeletes(contents))) this.#isJudged = true
    else if (news !== 'nothing') {
      this.#refuseEdit(contents, isStep2)
      return
    }
    this.#covered(room.latestBatch, contents, isStep2)
  }

  /** A worker has looked at what this reader deleted. */
  judged(tidied: Deletes | null, isLast: boolean): void {
    if (this.#author.isEnded || !this.#isJudged) return
    if (isLast) this.#isJudged = false
    if (tidied === null) {
      this.#payments.acks.refusedLate()
      this.#notices.tellRefused()
    } else this.tidied = tidied
    this.#payments.payAcks()
  }

  /** The document has no room for it: told as to a reader, and the session stays, unless it goes on and on. */
  #refuseGrowth(contents: UpdateContents, isStep2: boolean): void {
    if (++this.#editsOverSize <= MAX_EDITS_OVER_SIZE) this.#refuseEdit(contents, isStep2)
    else this.#author.endOver('document-size', 'tooLarge', this.#notices.fullText)
  }

  /** The document has room again. */
  growthTaken(): void {
    this.#editsOverSize = 0
    this.takeRefused()
  }

  #refuseEdit(contents: UpdateContents, isStep2: boolean): void {
    const { acks } = this.#payments
    if (isStep2) acks.step2Refused()
    else acks.updateRefused(contents)
    this.#notices.tellRefused()
  }

  /** It may write now: what was refused before, or not stored because it was tidying, is asked for, and paid when it has come. */
  takeRefused(): void {
    const { acks } = this.#payments
    if (!acks.hasRefused && !this.#isJudged && this.tidied.size === 0) return
    this.leave()
    // What is refused after another change is told at once again.
    this.#notices.forgetRefusals()
    this.#isJudged = false
    this.tidied = NO_DELETES
    this.#author.askForAll()
    this.#payments.oweStatuses(acks.askedAgain())
  }

  // An honest client leaves no gap after its sync step 2; one with pending structs of its own does.
  async #admitClosedPart(update: Uint8Array): Promise<void> {
    const room = this.#room
    const { update: closed, missing } = await room.closedPart(update)
    if (this.#author.isEnded) return
    const checked = closed === null ? null : await room.checkInWorker(closed)
    if (this.#author.isEnded) return
    if (checked === null || room.isMissing(checked.contents)) {
      this.#author.outlet.close('policy', `the document lacks ${describeMissing(missing)}, which nobody sent`)
      return
    }
    if (!this.#author.mayWrite) return this.#passOver(checked.contents, true)
    if (this.#isForeign(checked.contents)) return
    if (room.refusesGrowth(checked.update.length, checked.contents)) return this.#refuseGrowth(checked.contents, true)
    this.#payments.acks.covered(room.admit(this.#author, checked.update, checked.contents))
    room.log.warn({ missing: describeMissing(missing) }, 'part of a sync step 2 has no predecessor and was not stored')
    this.#step2Taken()
  }

  #step2Taken(): void {
    this.#payments.acks.step2Taken()
    this.#payments.payAcks()
  }

  /** Nothing of it is to be judged any more. */
  leave(): void {
    this.#room.tidying.leave(this)
  }
}

function describeMissing(missing: ReadonlyMap<number, number>): string {
  return [...missing]
    .slice(0, 3)
    .map(([clientID, clock]) => `${clientID}:${clock}`)
    .join(', ')
}
