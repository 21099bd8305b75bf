import { encodeAck, encodeReceipt, MalformedMessageError, type ReceiptOutcome } from '@weft/protocol'
import { CLIENT_BYTES } from '../crdt/Knowledge.ts'
import { encodeFrame } from './encodeFrame.ts'
import type { Member } from './Member.ts'
import { MAX_OWED_ACKS, OwedAcks, STATUS } from './OwedAcks.ts'
import { PaymentWait } from './PaymentWait.ts'
import type { Room } from './Room.ts'

/** An acknowledgement's payload is a number; a few bytes more do no harm. */
const MAX_ACK_BYTES = 256
/** Acknowledgements and clients that are worth counting; their bytes, measured and rounded up. */
const MUCH_REMEMBERED = 10
const OWED_BYTES = 500
/** Receipts that wait for a session that sends and doesn't read. */
const MAX_OWED_RECEIPTS = 1000
const RECEIPTS: Record<ReceiptOutcome, Buffer> = {
  passedOn: encodeFrame(encodeReceipt('passedOn')),
  tooFast: encodeFrame(encodeReceipt('tooFast')),
  forbidden: encodeFrame(encodeReceipt('forbidden')),
}

/** Who is owed. */
interface Payee extends Member {
  readonly room: Room
  readonly isEnded: boolean
  /** Whether it is to be found out first what became of an edit: until then nothing is acknowledged. [S2] */
  readonly isJudged: boolean
}

/** Pays what a session is owed, when it is due and its client reads: acknowledgements of edits, receipts of messages. */
export class Payments {
  /** Which acknowledgements are owed, and when each is due. */
  readonly acks: OwedAcks
  readonly #payee: Payee
  #receipts: Buffer[] = []
  /** Where it was ever owed very many acknowledgements. */
  #wait: PaymentWait | null = null
  /** What it is owed, as far as that is much: counted among what all sessions are. */
  #rememberedBytes = 0

  /** @param countsQueued as `SessionOptions` say */
  constructor(payee: Payee, countsQueued: boolean) {
    this.#payee = payee
    this.acks = new OwedAcks(countsQueued)
  }

  /** @throws {MalformedMessageError} */
  oweAck(payload: Uint8Array): void {
    if (payload.length > MAX_ACK_BYTES) {
      throw new MalformedMessageError(`an acknowledgement payload of ${payload.length} bytes is over ${MAX_ACK_BYTES}`)
    }
    // [S2]
    if (!this.acks.hasRefused) this.#owe(encodeFrame(encodeAck(payload)))
  }

  /** A Hocuspocus provider counts each update that it sends until it hears of it. A sync step 2 it doesn't count. */
  oweStatus(): void {
    if (this.#payee.dialect === 'hocuspocus') this.#owe(STATUS)
  }

  oweStatuses(count: number): void {
    for (let left = Math.min(count, MAX_OWED_ACKS - this.acks.count); left > 0; left--) this.oweStatus()
  }

  #owe(frame: Buffer): void {
    if (!this.acks.owe(frame, this.#payee.room.clock.now())) {
      this.#payee.endOver('acknowledgements', 'policy', `${MAX_OWED_ACKS} acknowledgements are owed already`)
      return
    }
    this.payAcks()
  }

  /** Returns the acknowledgements that are due: everything sent before them is committed. */
  payAcks(): void {
    const { room, outlet, dialect, isJudged, isAnswering, nextQuestion } = this.#payee
    if (isJudged) return
    // Later, when it has read what it has: nobody who doesn't read makes us hold more and more.
    if (outlet.unsentBytes > room.maxUnsentBytes) return
    // A provider of whose changes none is left calls itself synced: it must have its answer before.
    if (dialect === 'hocuspocus' && (isAnswering || nextQuestion !== null)) return
    const { clock, meters, committedBatch } = room
    const due = this.acks.takeDue(committedBatch)
    if (due.length > 0) {
      for (const { askedAt } of due) meters.acknowledged(clock.now() - askedAt)
      outlet.write(Buffer.concat(due.map(({ frame }) => frame)))
      if (this.#rememberedBytes > 0) this.countRemembered()
    }
    if (this.acks.areFewer) this.endWait()
    if (this.acks.count > 0) room.awaitCommit(this.#payee)
  }

  /** Whoever is owed very many acknowledgements is read no more until the disk has caught up, or the client with reading. */
  waitForAcks(): Promise<void> | undefined {
    const payee = this.#payee
    if (!this.acks.areMany || !payee.isOpen) return undefined
    const { clock, settings } = payee.room
    this.#wait ??= new PaymentWait(clock)
    return this.#wait.begin(
      () => payee.isOpen,
      settings.maxWaitSeconds * 1000,
      () => payee.endOver('acknowledgements', 'overload', 'acknowledgements wait for the disk: retry after 10 s'),
    )
  }

  /** Its client may go on: its next message may be the one that decides what is due. */
  endWait(): void {
    this.#wait?.end()
  }

  oweReceipt(outcome: ReceiptOutcome): void {
    this.#receipts.push(RECEIPTS[outcome])
    this.payReceipts()
  }

  payReceipts(): void {
    const { room, outlet } = this.#payee
    const owed = this.#receipts
    if (owed.length === 0) return
    if (outlet.unsentBytes <= room.maxUnsentBytes) {
      this.#receipts = []
      outlet.write(owed.length === 1 && owed[0] !== undefined ? owed[0] : Buffer.concat(owed))
    } else if (owed.length > MAX_OWED_RECEIPTS) {
      this.#payee.endOver('receipts', 'policy', `${MAX_OWED_RECEIPTS} receipts are owed already`)
    }
  }

  // Few owe much: what each session is owed for a moment is part of it.
  countRemembered(): void {
    const { room, nextQuestion, isEnded } = this.#payee
    const clients = (nextQuestion?.size ?? 0) + this.acks.clientCount
    const owed = this.acks.count + this.#receipts.length
    const much = clients > MUCH_REMEMBERED || owed > MUCH_REMEMBERED
    const bytes = isEnded || !much ? 0 : clients * CLIENT_BYTES + owed * OWED_BYTES
    if (bytes === this.#rememberedBytes) return
    const { remembered } = room
    remembered.give(this.#rememberedBytes)
    this.#rememberedBytes = 0
    if (remembered.take(bytes)) this.#rememberedBytes = bytes
    else this.#payee.endOver('remembered-bytes', 'overload', 'too much is owed to all sessions: retry after 10 s')
  }
}
