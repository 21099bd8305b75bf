import { encodeEphemeral, encodeStateless } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { TokenBucket } from '../TokenBucket.ts'
import { encodeFrame } from './encodeFrame.ts'
import type { Session } from './Session.ts'

/**
 * Writes that a document's ephemeral messages may cost: so many at once, so many more each second. A write takes about 7 µs:
 * a fourteenth of a core. 20 people may all send as fast as each may alone, or 100 people one message a second.
 */
const WRITES_PER_SECOND = 10_000
const WRITE_BURST = 10_000

/** Passes strings on between the sessions of a room, in the form of each one's dialect. Nothing is stored, nothing waits. */
export class MessageRelay {
  readonly #sessions: ReadonlySet<Session>
  readonly #holderOf: (clientID: number) => Session | null
  readonly #maxUnsentBytes: number
  readonly #clock: Clock
  #writes: TokenBucket | null = null

  /**
   * @param sessions those of the room, as they come and go
   * @param holderOf the session that introduced a client id in awareness
   */
  constructor(
    sessions: ReadonlySet<Session>,
    holderOf: (clientID: number) => Session | null,
    maxUnsentBytes: number,
    clock: Clock,
  ) {
    this.#sessions = sessions
    this.#holderOf = holderOf
    this.#maxUnsentBytes = maxUnsentBytes
    this.#clock = clock
  }

  /**
   * Writes a string to everybody else, or to those who hold the client ids. Who reads too slowly misses it, and who isn't there.
   * @param clientIDs none: everybody else
   * @returns false where the document has had too many messages: nobody gets it
   */
  relay(author: Session, payload: string, clientIDs: readonly number[]): boolean {
    const to = clientIDs.length === 0 ? this.#sessions : this.#holders(clientIDs)
    const now = this.#clock.now()
    this.#writes ??= new TokenBucket(WRITES_PER_SECOND, WRITE_BURST, now)
    const cost = Math.min(to.size, WRITE_BURST)
    if (this.#writes.take(cost, now) > 0) {
      this.#writes.take(-cost, now)
      return false
    }
    // Encoded once for all of a dialect, where there are any.
    let ours: Buffer | null = null
    let stateless: Buffer | null = null
    for (const session of to) {
      if ((session === author && to === this.#sessions) || session.outlet.unsentBytes > this.#maxUnsentBytes) continue
      if (session.dialect === 'hocuspocus') {
        stateless ??= encodeFrame(encodeStateless(payload))
        session.outlet.write(stateless)
      } else if (session.hasAnnounced) {
        ours ??= encodeFrame(encodeEphemeral(author.clientID === null ? [] : [author.clientID], payload))
        session.outlet.write(ours)
      }
    }
    return true
  }

  #holders(clientIDs: readonly number[]): ReadonlySet<Session> {
    const holders = new Set<Session>()
    for (const clientID of clientIDs) {
      const holder = this.#holderOf(clientID)
      if (holder !== null) holders.add(holder)
    }
    return holders
  }
}
