import {
  BadDocumentIdError,
  type CloseName,
  closeReason,
  decodeHocuspocusFrame,
  encodeAuthenticated,
  encodeAuthenticationDenied,
  encodeAwareness,
  encodeSessionClosed,
  type HocuspocusFrame,
  MalformedMessageError,
  parseDocumentId,
} from '@weft/protocol'
import { addressFrames, encodeFrame } from '../room/encodeFrame.ts'
import type { Outlet } from '../room/Outlet.ts'
import { Session } from '../room/Session.ts'
import type { Connection } from './Connection.ts'
import { openSession, type SessionServices } from './openSession.ts'
import type { Peer } from './Peer.ts'

const KEEP_ALIVE = encodeFrame(encodeAwareness(Uint8Array.of(0)))
/** Documents on one socket; Hocuspocus' server allows as many. */
const MAX_SESSIONS = 100
/** What coming back doesn't cure: told for this document, the socket stays. */
const FINAL: ReadonlySet<CloseName> = new Set(['deleted', 'forbidden', 'unauthorized', 'badName', 'tooLarge'])

/** Hocuspocus' dialect: many documents over one socket, each message behind the address of its session. */
export class HocuspocusPeer implements Peer {
  readonly name = 'hocuspocus'
  readonly #connection: Connection
  readonly #services: SessionServices
  readonly #seats = new Map<string, Seat>()
  #lastAddress = '-'

  constructor(connection: Connection, services: SessionServices) {
    this.#connection = connection
    this.#services = services
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
    const seat = this.#seats.get(address)
    switch (message.type) {
      case 'token':
        // Later ones are tokens renewed.
        if (seat !== undefined) return
        return this.#open(address).then(opened => opened?.write(encodeFrame(encodeAuthenticated(false))))
      case 'leave':
        seat?.end()
        return
      case 'stateless':
        seat?.session?.relayStateless(message.payload)
        return
    }
    // A provider without a token begins with its first message; so does one that goes on after its session has ended here.
    if (seat?.session != null) return seat.session.receiveMessage(message)
    return this.#open(address).then(opened => opened?.session?.receiveMessage(message))
  }

  async #open(address: string): Promise<Seat | null> {
    const seat = new Seat(this.#connection, address, this)
    if (this.#seats.size >= MAX_SESSIONS) {
      this.closeSeat(seat, 'overload', `${MAX_SESSIONS} documents are open on this connection: retry after 30 s`)
      return null
    }
    // NUL ends the name: what follows tells sessions of one document apart.
    const [name = ''] = address.split('\0', 1)
    let documentId: ReturnType<typeof parseDocumentId>
    try {
      documentId = parseDocumentId(name)
    } catch (error) {
      if (!(error instanceof BadDocumentIdError)) throw error
      this.closeSeat(seat, 'badName', error.message)
      return null
    }
    const isWanted = () => !this.#connection.isRefused
    const opened = await openSession(documentId, seat, 'hocuspocus', this.#services, isWanted)
    if (opened === null) return null
    if (!(opened instanceof Session)) {
      this.closeSeat(seat, opened.close, opened.text)
      return null
    }
    seat.session = opened
    this.#seats.set(address, seat)
    this.#lastAddress = address
    return seat
  }

  /**
   * Ends one session. The provider comes back only with its whole socket: that is closed where this is all it carries, or where
   * what was sent can't be trusted.
   */
  closeSeat(seat: Seat, name: CloseName, text: string): void {
    const isLast = this.#seats.size === 0 || (this.#seats.size === 1 && this.#seats.has(seat.key))
    const isFinal = FINAL.has(name)
    if (!isFinal && (isLast || name === 'malformed' || name === 'policy')) {
      this.#connection.close(name, text)
      return
    }
    const reason = closeReason(name, text)
    if (isFinal) seat.write(encodeFrame(encodeAuthenticationDenied(reason)))
    seat.write(encodeFrame(encodeSessionClosed(reason)))
    seat.end()
  }

  leave(seat: Seat): void {
    if (this.#seats.get(seat.key) === seat) this.#seats.delete(seat.key)
  }

  drained(): void {
    for (const { session } of [...this.#seats.values()]) session?.drained()
  }

  keepAlive(): Buffer {
    return addressFrames(KEEP_ALIVE, this.#lastAddress)
  }

  denial(): null {
    return null
  }

  end(): void {
    for (const seat of [...this.#seats.values()]) seat.end()
  }
}

/** The connection as one session sees it: what it writes goes behind its address. */
class Seat implements Outlet {
  /** The session's own address: its key on the connection. */
  readonly key: string
  session: Session | null = null
  readonly #connection: Connection
  readonly #peer: HocuspocusPeer
  #hasEnded = false

  constructor(connection: Connection, key: string, peer: HocuspocusPeer) {
    this.#connection = connection
    this.key = key
    this.#peer = peer
  }

  get address(): string {
    return this.#connection.address
  }

  get isOpen(): boolean {
    return !this.#hasEnded && this.#connection.isOpen
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes
  }

  write(frames: Buffer, sharedBy: object | null = null): void {
    if (this.isOpen) this.#connection.write(addressFrames(frames, this.key), sharedBy)
  }

  isAlive(): Promise<boolean> {
    return this.isOpen ? this.#connection.isAlive() : Promise.resolve(false)
  }

  close(name: CloseName, text: string): void {
    if (!this.#hasEnded) this.#peer.closeSeat(this, name, text)
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#peer.leave(this)
    this.session?.end()
  }
}
