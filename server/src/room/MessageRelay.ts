import { encodeEphemeral, encodeStateless } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { RecentMap } from '../RecentMap.ts'
import { TokenBucket } from '../TokenBucket.ts'
import { encodeFrame } from './encodeFrame.ts'
import type { Member } from './Member.ts'

/**
 * Writes that a document's ephemeral messages may cost: so many at once, so many more each second. A write takes about 7 µs:
 * a fourteenth of a core. 20 people may all send as fast as each may alone, or 100 people one message a second.
 */
const WRITES_PER_SECOND = 10_000
const WRITE_BURST = 10_000
/**
 * Beyond those, writes only for who asks for no more than a share, which is one user's (without users: one address's), over all
 * of its sessions: whoever sends all that a document passes on silences nobody else. A share is what a person in a document of
 * 25 may send at most.
 */
const RESERVED_WRITES = 5000
const SHARE_PER_SECOND = 500
const SHARE_BURST = 2000
/** Users whose shares are remembered. */
const MAX_SHARES = 1000

/** Passes strings on between the sessions of a room, in the form of each one's dialect. Nothing is stored, nothing waits. */
export class MessageRelay {
  readonly #sessions: ReadonlySet<Member>
  readonly #holderOf: (clientID: number) => Member | null
  readonly #maxUnsentBytes: number
  readonly #clock: Clock
  #writes: TokenBucket | null = null
  /** Of those who needed theirs, the longest known first. */
  readonly #shares = new RecentMap<string, TokenBucket>(MAX_SHARES)

  /**
   * @param sessions those of the room, as they come and go
   * @param holderOf the session that introduced a client id in awareness
   */
  constructor(
    sessions: ReadonlySet<Member>,
    holderOf: (clientID: number) => Member | null,
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
   * @returns false where the document has had too many messages, and the author its share of them: nobody gets it
   */
  relay(author: Member, payload: string, clientIDs: readonly number[]): boolean {
    const to = clientIDs.length === 0 ? this.#sessions : this.#holders(clientIDs)
    const now = this.#clock.now()
    if (!this.#mayCost(author, to.size, now)) return false
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

  #mayCost(author: Member, writes: number, now: number): boolean {
    this.#writes ??= new TokenBucket(WRITES_PER_SECOND, WRITE_BURST + RESERVED_WRITES, now)
    if (this.#writes.tryTake(Math.min(writes, WRITE_BURST), now, RESERVED_WRITES)) return true
    const share = this.#shareOf(author, now)
    const cost = Math.min(writes, SHARE_BURST)
    if (!share.tryTake(cost, now)) return false
    if (this.#writes.tryTake(Math.min(writes, RESERVED_WRITES), now)) return true
    share.take(-cost, now)
    return false
  }

  #shareOf({ userId, outlet }: Member, now: number): TokenBucket {
    const key = userId ?? outlet.address
    let share = this.#shares.get(key)
    if (share === undefined) {
      share = new TokenBucket(SHARE_PER_SECOND, SHARE_BURST, now)
      this.#shares.set(key, share)
    }
    return share
  }

  #holders(clientIDs: readonly number[]): ReadonlySet<Member> {
    const holders = new Set<Member>()
    for (const clientID of clientIDs) {
      const holder = this.#holderOf(clientID)
      if (holder !== null) holders.add(holder)
    }
    return holders
  }
}
