import { BadDocumentIdError, type CloseName, type DocumentId, parseDocumentAddress } from '@weft/protocol'
import type { Denial } from '../access/Grant.ts'
import type { Dialect } from '../room/Member.ts'
import { Session } from '../room/Session.ts'
import { TokenBucket } from '../TokenBucket.ts'
import type { Connection } from './Connection.ts'
import { openSession, type SessionServices } from './openSession.ts'
import { Seat } from './Seat.ts'

/** Sessions are opened over one socket, and questions asked, as many at once as otherwise in so long, in s. */
const OPEN_BURST_S = 20

/** What a peer does in its own way for the sessions that its connection carries. */
export interface SeatHost {
  /** Ends one session and says why, in the peer's dialect. */
  closeSeat(seat: Seat, name: CloseName, text: string): void
  /** As `closeSeat`, where a token gives no right. */
  deny(seat: Seat, denial: Denial): void
}

/** The sessions of a connection that carries many, by their addresses. */
export class Seats {
  /** What opening a session, or looking at another token for one, is taken from. */
  readonly opens: TokenBucket
  readonly #questions: TokenBucket
  readonly #connection: Connection
  readonly #services: SessionServices
  readonly #dialect: Dialect
  readonly #host: SeatHost
  readonly #seats = new Map<string, Seat>()

  constructor(connection: Connection, services: SessionServices, dialect: Dialect, host: SeatHost) {
    this.#connection = connection
    this.#services = services
    this.#dialect = dialect
    this.#host = host
    const now = services.clock.now()
    const { opensPerSecond } = services.settings
    this.opens = new TokenBucket(opensPerSecond, OPEN_BURST_S * opensPerSecond, now)
    this.#questions = new TokenBucket(opensPerSecond, OPEN_BURST_S * opensPerSecond, now)
  }

  get(address: string): Seat | undefined {
    return this.#seats.get(address)
  }

  /** Of any session; undefined where there is none. */
  get someAddress(): string | undefined {
    const [address] = this.#seats.keys()
    return address
  }

  /**
   * Opens a session at an address, unless it is told there why not.
   * @param token null: none was given
   * @param countsQueued as `SessionOptions`
   * @returns null where there is none
   */
  async open(address: string, token: string | null, countsQueued = false): Promise<Seat | null> {
    const seat = new Seat(this.#connection, address, this.#host, () => this.#leave(seat))
    const { maxDocumentsPerConnection } = this.#services.settings
    if (this.#seats.size >= maxDocumentsPerConnection) {
      this.#services.meters.overBound('opened-documents')
      this.#host.closeSeat(seat, 'forbidden', `${maxDocumentsPerConnection} documents are open on this connection`)
      return null
    }
    const documentId = this.#readName(seat)
    if (documentId === null) return null
    const isWanted = () => !this.#connection.isRefused
    const grant = await this.#services.access.admit(token, documentId)
    if (!isWanted()) return null
    if ('close' in grant) {
      this.#host.deny(seat, grant)
      return null
    }
    const refusal = this.#connection.becomeKnown(grant.userId)
    if (refusal !== null) {
      this.#host.closeSeat(seat, 'overload', refusal)
      return null
    }
    const options = { questions: this.#questions, countsQueued, grant }
    const joined = (session: Session) => {
      seat.session = session
      this.#seats.set(address, seat)
    }
    const opened = await openSession(documentId, seat, this.#dialect, this.#services, isWanted, joined, options)
    if (opened === null) return null
    if (!(opened instanceof Session)) {
      this.#host.closeSeat(seat, opened.close, opened.text)
      return null
    }
    // Its document may have been deleted in this very moment, or its right taken back.
    return seat.hasEnded ? null : seat
  }

  /** @returns null where the address names no document, nor a part of one, and that is told */
  #readName(seat: Seat): DocumentId | null {
    // NUL ends the name: what follows tells sessions of one document apart.
    const [name = ''] = seat.key.split('\0', 1)
    try {
      return parseDocumentAddress(name)
    } catch (error) {
      if (!(error instanceof BadDocumentIdError)) throw error
      this.#host.closeSeat(seat, 'badName', error.message)
      return null
    }
  }

  #leave(seat: Seat): void {
    if (this.#seats.get(seat.key) === seat) this.#seats.delete(seat.key)
  }

  /** The connection has room again for what was held back. */
  drained(): void {
    for (const { session } of [...this.#seats.values()]) session?.drained()
  }

  /** Whether something that any of them wrote waits for the disk. */
  get hasPending(): boolean {
    for (const { session } of this.#seats.values()) if (session?.hasPending) return true
    return false
  }

  end(): void {
    for (const seat of [...this.#seats.values()]) seat.end()
  }
}
