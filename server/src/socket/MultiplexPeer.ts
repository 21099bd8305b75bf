import {
  type AddressedFrame,
  BadDocumentIdError,
  type CloseName,
  closeCode,
  closeReason,
  type DocumentId,
  decodeAddressedFrame,
  encodeClosed,
  encodePing,
  MalformedMessageError,
  parseDocumentId,
} from '@weft/protocol'
import type { Timer } from '../clock.ts'
import { addressFrames, encodeFrame } from '../room/encodeFrame.ts'
import { Session } from '../room/Session.ts'
import { TokenBucket } from '../TokenBucket.ts'
import type { Connection } from './Connection.ts'
import type { Offences } from './Offences.ts'
import { openSession, type SessionServices } from './openSession.ts'
import { KEEP_ALIVE, type Peer } from './Peer.ts'
import { renewSession } from './renewSession.ts'
import { Seat, type SeatHost } from './Seat.ts'

/** Documents on one socket. */
const MAX_SESSIONS = 100
/** Sessions opened and questions asked over one socket: so many at once, so many more each second. Who asks for more waits. */
const OPEN_BURST = 200
const OPENS_PER_SECOND = 10

const PONG = encodeFrame(encodePing())

/**
 * The multiplexed dialect of `@weft/client`: y-websocket's messages for many documents over one socket, each behind the address of
 * its session. A token message, empty or not, opens a session; what ends one leaves the others alone.
 */
export class MultiplexPeer implements Peer, SeatHost {
  readonly #connection: Connection
  readonly #token: string | null
  readonly #services: SessionServices & { readonly offences: Offences }
  readonly #seats = new Map<string, Seat>()
  readonly #opens: TokenBucket
  readonly #questions: TokenBucket
  #wait: { readonly timer: Timer; readonly end: () => void } | null = null

  /** @param token of the upgrade: counts where a session brings none of its own */
  constructor(
    connection: Connection,
    token: string | null,
    services: SessionServices & { readonly offences: Offences },
  ) {
    this.#connection = connection
    this.#token = token
    this.#services = services
    const now = services.clock.now()
    this.#opens = new TokenBucket(OPENS_PER_SECOND, OPEN_BURST, now)
    this.#questions = new TokenBucket(OPENS_PER_SECOND, OPEN_BURST, now)
  }

  receive(frame: Uint8Array): void | Promise<void> {
    let decoded: AddressedFrame
    try {
      decoded = decodeAddressedFrame(frame)
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error
      this.#connection.close('malformed', error.message)
      return
    }
    const { address, message } = decoded
    if (address === null) {
      // Who asks and doesn't read has what it asks for waiting already.
      if (this.#connection.unsentBytes === 0) this.#connection.write(PONG)
      return
    }
    const seat = this.#seats.get(address)
    if (message.type === 'token') return seat ? this.#renew(seat, message.token) : this.#open(address, message.token)
    if (message.type === 'leave') seat?.end()
    // A session that has ended here: its client hadn't heard of that.
    else return seat?.session?.receiveMessage(message)
  }

  async #renew(seat: Seat, token: string): Promise<void> {
    const { session } = seat
    if (session === null || token === '') return
    await this.#turn()
    await renewSession(session, token, this.#services.access, () => this.#seats.get(seat.key) === seat)
  }

  async #open(address: string, given: string): Promise<void> {
    await this.#turn()
    const isWanted = () => !this.#connection.isRefused
    if (!isWanted()) return
    const seat = new Seat(this.#connection, address, this)
    if (this.#seats.size >= MAX_SESSIONS) {
      this.closeSeat(seat, 'forbidden', `${MAX_SESSIONS} documents are open on this connection`)
      return
    }
    const documentId = this.#readName(seat)
    if (documentId === null) return
    const grant = await this.#services.access.admit(given === '' ? this.#token : given, documentId)
    if (!isWanted()) return
    if ('close' in grant) {
      this.closeSeat(seat, grant.close, grant.text)
      return
    }
    this.#connection.becomeKnown()
    const options = { questions: this.#questions, grant }
    const opened = await openSession(documentId, seat, 'y-websocket', this.#services, isWanted, options)
    if (opened === null) return
    if (!(opened instanceof Session)) {
      this.closeSeat(seat, opened.close, opened.text)
      return
    }
    seat.session = opened
    this.#seats.set(address, seat)
  }

  /** @returns null where the address names no document, and that is told */
  #readName(seat: Seat): DocumentId | null {
    // NUL ends the name: what follows tells sessions of one document apart.
    const [name = ''] = seat.key.split('\0', 1)
    try {
      return parseDocumentId(name)
    } catch (error) {
      if (!(error instanceof BadDocumentIdError)) throw error
      this.closeSeat(seat, 'badName', error.message)
      return null
    }
  }

  /** Resolves when another session may be opened, or renewed; the connection isn't read meanwhile. */
  async #turn(): Promise<void> {
    const { clock } = this.#services
    const waitMs = this.#opens.take(1, clock.now())
    if (waitMs === 0) return
    await new Promise<void>(resolve => {
      this.#wait = { timer: clock.setTimer(resolve, waitMs), end: resolve }
    })
    this.#wait = null
  }

  closeSeat(seat: Seat, name: CloseName, text: string): void {
    const closeName = name === 'malformed' && this.#isRepeated(seat) ? 'repeatedlyMalformed' : name
    seat.write(encodeFrame(encodeClosed(closeCode[closeName].code, closeReason(closeName, text))))
    seat.end()
  }

  // As a connection of this document's own would count: a document that breaks a rule must not take the others with it.
  #isRepeated({ session }: Seat): boolean {
    const { clock, offences } = this.#services
    const path = `/${session?.room.documentId}`
    return offences.record(this.#connection.address, path, clock.now())
  }

  leave(seat: Seat): void {
    if (this.#seats.get(seat.key) === seat) this.#seats.delete(seat.key)
  }

  drained(): void {
    for (const { session } of [...this.#seats.values()]) session?.drained()
  }

  keepAlive(): Buffer {
    const [address] = this.#seats.keys()
    return address === undefined ? PONG : Buffer.concat(addressFrames(KEEP_ALIVE, address))
  }

  denial(): null {
    return null
  }

  end(): void {
    if (this.#wait !== null) {
      this.#services.clock.clearTimer(this.#wait.timer)
      this.#wait.end()
    }
    for (const seat of [...this.#seats.values()]) seat.end()
  }
}
