import {
  type CloseName,
  closeCode,
  closeReason,
  decodeHocuspocusFrame,
  encodeAuthenticationDenied,
  encodeSessionClosed,
  type HocuspocusFrame,
  isFinalClose,
  MalformedMessageError,
  type Message,
} from '@weft/protocol'
import { type Denial, stillGiven } from '../access/Grant.ts'
import type { Timer } from '../clock.ts'
import { MalformedUpdate, readUpdate } from '../crdt/readUpdate.ts'
import { readStateVector } from '../crdt/stateVector.ts'
import type { UpdateLimits } from '../crdt/UpdateLimits.ts'
import { BegunSync } from '../room/BegunSync.ts'
import { addressFrames, encodeFrame } from '../room/encodeFrame.ts'
import { type MissedChanges, NONE_MISSED } from '../room/OwedAcks.ts'
import type { Connection } from './Connection.ts'
import type { SessionServices } from './openSession.ts'
import { KEEP_ALIVE, type Peer } from './Peer.ts'
import type { Seat } from './Seat.ts'
import { type SeatHost, Seats } from './Seats.ts'

/** Addresses whose refusal is remembered, and clients in the state vectors of all of them: about 100 KB. */
export const MAX_DENIED = 100
export const MAX_DENIED_CLIENTS = 1000
/** Larger updates of who is denied are not read: they count as none. */
const MAX_DENIED_UPDATE_BYTES = 64 * 1024
/** A provider comes back to a document only with a new socket: those whose session failed get one after so long. */
const RENEWAL_MS = 5000

/** Hocuspocus' dialect: many documents over one socket, each message behind the address of its session. */
export class HocuspocusPeer implements Peer, SeatHost {
  readonly #connection: Connection
  readonly #token: string | null
  readonly #services: SessionServices
  readonly #seats: Seats
  /** Where a session failed: nothing more is taken in there until the socket is renewed. */
  readonly #failed = new Set<string>()
  /**
   * Where a token was not taken, or was missing: a provider that hasn't heard so yet goes on talking, and only a token opens the
   * door again. With the changes that the provider counts meanwhile, and with what it had counted before.
   */
  readonly #denied = new Map<string, MissedChanges>()
  /** More addresses were denied than are remembered. */
  #hasForgotten = false
  #renewal: Timer | null = null

  /** @param token of the upgrade: counts where a provider brings none of its own */
  constructor(connection: Connection, token: string | null, services: SessionServices) {
    this.#connection = connection
    this.#token = token
    this.#services = services
    this.#seats = new Seats(connection, services, 'hocuspocus', this)
  }

  receive(frame: Uint8Array): void | Promise<void> {
    let decoded: HocuspocusFrame
    try {
      decoded = decodeHocuspocusFrame(frame)
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error
      this.#connection.close('malformed', error.message)
      return
    }
    // Ping and pong: that something came was all they had to say.
    if (decoded.address === null) return
    const { address, message } = decoded
    if (this.#failed.has(address)) return
    const seat = this.#seats.get(address)
    switch (message.type) {
      case 'token':
        return this.#receiveToken(address, message.token)
      case 'leave':
        this.#denied.delete(address)
        seat?.end()
        return
      case 'stateless':
        seat?.session?.relayStateless(message.payload)
        return
    }
    if (seat?.session != null) {
      const done = seat.session.receiveMessage(message)
      // Its token may end while a worker looks at an update.
      return done instanceof Promise ? done.then(() => this.#miss(address, message)) : done
    }
    if (this.#denied.has(address)) {
      this.#miss(address, message)
      return
    }
    const isBeginning = message.type === 'syncStep1'
    if (!isBeginning && message.type !== 'syncStep2' && message.type !== 'update') return
    // A provider 2 without a token begins with its sync step 1. Providers also say a last word after they have left.
    return this.#open(address, this.#token, isBeginning).then(opened => {
      if (opened === null) this.#miss(address, message)
      else if (!isBeginning) opened.session?.answerUnasked()
      return opened?.session?.receiveMessage(message)
    })
  }

  /** Keeps count of what a provider says where it is denied. */
  #miss(address: string, message: Message): void {
    const missed = this.#denied.get(address)
    if (missed === undefined) return
    if (message.type === 'syncStep1') {
      // It forgets what it counted, and counts 1.
      this.#denied.set(address, { count: 1, begunSync: this.#readBegunSync(address, message.stateVector) })
    } else if (message.type === 'update' && isCounted(missed, message.update, this.#services.rooms.updateLimits)) {
      this.#denied.set(address, { ...missed, count: missed.count + 1 })
    }
  }

  #readBegunSync(address: string, stateVector: Uint8Array): BegunSync {
    try {
      return new BegunSync(readStateVector(stateVector, { maxClients: this.#deniedClientsLeft(address) }))
    } catch (error) {
      if (!(error instanceof MalformedUpdate)) throw error
      return new BegunSync(null)
    }
  }

  #deniedClientsLeft(address: string): number {
    let left = MAX_DENIED_CLIENTS
    for (const [other, { begunSync }] of this.#denied) if (other !== address) left -= begunSync?.clientCount ?? 0
    return left
  }

  /** Opens a session, or renews the token of one that is open: the same user's counts from now on, in place. */
  async #receiveToken(address: string, given: string): Promise<void> {
    const token = given === '' ? this.#token : given
    const seat = this.#seats.get(address)
    if (seat?.session == null) {
      const session = (await this.#open(address, token, false))?.session
      if (session == null) return
      session.welcome()
      const missed = this.#denied.get(address)
      this.#denied.delete(address)
      // It doesn't say again what it said while it was denied.
      if (missed !== undefined) session.answerUnasked(missed)
      return
    }
    if (!this.#mayAsk()) return
    const { session } = seat
    const admitted = await this.#services.access.admit(token, session.room.documentId)
    // The token before has ended in this very moment.
    if (this.#seats.get(address) !== seat) return this.#receiveToken(address, given)
    // Whoever took it back meanwhile had the session look at its old right, not at this one.
    const grant = stillGiven(admitted)
    if ('close' in grant) this.deny(seat, grant)
    else if (grant.userId !== session.userId) {
      this.deny(seat, { close: 'forbidden', text: 'this is the token of another user' })
    } else {
      session.renew(grant)
      session.welcome()
    }
  }

  deny(seat: Seat, { close, text }: Denial): void {
    this.closeSeat(seat, close, text)
    this.#remember(seat)
  }

  #mayAsk(): boolean {
    if (this.#seats.opens.take(1, this.#services.clock.now()) === 0) return true
    const { opensPerSecond } = this.#services.settings
    this.#services.meters.overBound('opened-documents')
    this.#connection.close('policy', `over ${opensPerSecond} documents a second are opened on this connection`)
    return false
  }

  /** @param countsQueued whether it is a provider 2, as far as can be told */
  async #open(address: string, token: string | null, countsQueued: boolean): Promise<Seat | null> {
    return this.#mayAsk() ? this.#seats.open(address, token, countsQueued) : null
  }

  /**
   * Ends one session, and leaves the others on the socket alone. What coming back may cure needs a new socket, after a while: a
   * document that can't be read must not keep others from being read.
   */
  closeSeat(seat: Seat, name: CloseName, text: string): void {
    if (name === 'malformed') {
      this.#connection.close(name, text)
      return
    }
    // What coming back doesn't cure: told for this document, the socket stays.
    if (isFinalClose(closeCode[name].code)) {
      const reason = closeReason(name, text)
      seat.write(encodeFrame(encodeAuthenticationDenied(reason)))
      seat.write(encodeFrame(encodeSessionClosed(reason)))
      if (name === 'unauthorized' || (name === 'forbidden' && seat.session !== null)) this.#remember(seat)
    } else {
      this.#failed.add(seat.key)
      this.#renewal ??= this.#services.clock.setTimer(() => this.#connection.close(name, text), RENEWAL_MS)
    }
    seat.end()
  }

  #remember({ key, session }: Seat): void {
    if (this.#denied.has(key)) return
    if (this.#denied.size >= MAX_DENIED) {
      this.#denied.clear()
      this.#hasForgotten = true
    }
    let { count, begunSync } = session?.missed ?? NONE_MISSED
    const isTooMuch = begunSync !== null && begunSync.clientCount > this.#deniedClientsLeft(key)
    if (isTooMuch || (session === null && this.#hasForgotten)) begunSync = new BegunSync(null)
    this.#denied.set(key, { count, begunSync })
  }

  drained(): void {
    this.#seats.drained()
  }

  get hasPending(): boolean {
    return this.#seats.hasPending
  }

  keepAlive(): Buffer {
    return Buffer.concat(addressFrames(KEEP_ALIVE, this.#seats.someAddress ?? '-'))
  }

  denial(): null {
    return null
  }

  end(): void {
    if (this.#renewal !== null) this.#services.clock.clearTimer(this.#renewal)
    this.#seats.end()
  }
}

/** Whether a provider that is denied counts an update. */
function isCounted({ begunSync }: MissedChanges, update: Uint8Array, limits: UpdateLimits): boolean {
  if (begunSync === null) return true
  if (update.length > MAX_DENIED_UPDATE_BYTES) return false
  try {
    return begunSync.counts(readUpdate(update, limits))
  } catch (error) {
    if (!(error instanceof MalformedUpdate)) throw error
    return false
  }
}
