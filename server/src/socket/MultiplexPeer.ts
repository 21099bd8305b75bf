import {
  type AddressedFrame,
  type CloseName,
  closeCode,
  closeReason,
  decodeAddressedFrame,
  encodeClosed,
  encodePing,
  MalformedMessageError,
} from '@weft/protocol'
import type { Denial } from '../access/Grant.ts'
import type { Timer } from '../clock.ts'
import { addressFrames, encodeFrame } from '../room/encodeFrame.ts'
import type { Connection } from './Connection.ts'
import type { Offences } from './Offences.ts'
import type { SessionServices } from './openSession.ts'
import { KEEP_ALIVE, type Peer } from './Peer.ts'
import { renewSession } from './renewSession.ts'
import type { Seat } from './Seat.ts'
import { type SeatHost, Seats } from './Seats.ts'

const PONG = encodeFrame(encodePing())

/**
 * The multiplexed dialect of `@weft/client`: y-websocket's messages for many documents over one socket, each behind the address of
 * its session. A token message, empty or not, opens a session; what ends one leaves the others alone.
 */
export class MultiplexPeer implements Peer, SeatHost {
  readonly #connection: Connection
  readonly #token: string | null
  readonly #services: SessionServices & { readonly offences: Offences }
  readonly #seats: Seats
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
    this.#seats = new Seats(connection, services, 'y-websocket', this)
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
    if (!this.#connection.isRefused) await this.#seats.open(address, given === '' ? this.#token : given)
  }

  /** Resolves when another session may be opened, or renewed; the connection isn't read meanwhile. */
  async #turn(): Promise<void> {
    const { clock } = this.#services
    const waitMs = this.#seats.opens.take(1, clock.now())
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

  deny(seat: Seat, { close, text }: Denial): void {
    this.closeSeat(seat, close, text)
  }

  // As a connection of this document's own would count: a document that breaks a rule must not take the others with it.
  #isRepeated({ session }: Seat): boolean {
    const { clock, offences } = this.#services
    const path = `/${session?.room.documentId}`
    return offences.record(this.#connection.offender, path, clock.now())
  }

  drained(): void {
    this.#seats.drained()
  }

  get hasPending(): boolean {
    return this.#seats.hasPending
  }

  keepAlive(): Buffer {
    const address = this.#seats.someAddress
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
    this.#seats.end()
  }
}
