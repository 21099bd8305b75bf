import { RecentMap } from '../RecentMap.ts'
import type { Member } from './Member.ts'

/** Client ids that one session is known to use: a tab, and others of its browser that it relays for. */
const MAX_CLIENTS = 32
/** An update that goes on with more than so many brings a history along, and makes none of them anybody's. */
const MAX_CLIENTS_OF_UPDATE = 4
/** Client ids whose last user is remembered; the longest unused are forgotten first. */
const MAX_REMEMBERED = 10_000

/**
 * Which user's sessions write under which client ids, in one room (SECURITY.md, U6).
 *
 * A client id is a user's from an edit under it until the last session that sent one has left. It is its introducer's in awareness,
 * too, where nobody has written under it, or that user was the last one who did: who comes back has not typed yet. Old ids in a sync
 * step 2 become nobody's: offline edits of earlier sittings.
 */
export class ClientUse {
  readonly #holderOf: (clientID: number) => Member | null
  /** Each of the sessions of one has the same user. */
  readonly #sessionsOf = new Map<number, Set<Member>>()
  readonly #clientsOf = new Map<Member, Set<number>>()
  /** Who wrote under an id last. */
  readonly #lastUser = new RecentMap<number, string>(MAX_REMEMBERED)

  /** @param holderOf the session that introduced a client id in awareness */
  constructor(holderOf: (clientID: number) => Member | null) {
    this.#holderOf = holderOf
  }

  /**
   * @param isNew whether nothing was ever written under the id
   * @returns whether another user's session uses it
   */
  isForeign(userId: string, clientID: number, isNew: boolean): boolean {
    const [writer] = this.#sessionsOf.get(clientID) ?? []
    if (writer !== undefined) return writer.userId !== userId
    const holder = this.#holderOf(clientID)
    if (holder === null || holder.userId === userId) return false
    return isNew || this.#lastUser.get(clientID) === holder.userId
  }

  /** A session has written under these. */
  use(session: Member, clientIDs: readonly number[]): void {
    if (session.userId === null || clientIDs.length > MAX_CLIENTS_OF_UPDATE) return
    const own = this.#clientsOf.get(session) ?? new Set()
    this.#clientsOf.set(session, own)
    for (const clientID of clientIDs) {
      if (own.has(clientID) || own.size >= MAX_CLIENTS) continue
      own.add(clientID)
      this.#lastUser.set(clientID, session.userId)
      const sessions = this.#sessionsOf.get(clientID) ?? new Set()
      this.#sessionsOf.set(clientID, sessions.add(session))
    }
  }

  leave(session: Member): void {
    for (const clientID of this.#clientsOf.get(session) ?? []) {
      const sessions = this.#sessionsOf.get(clientID)
      sessions?.delete(session)
      if (sessions?.size === 0) this.#sessionsOf.delete(clientID)
    }
    this.#clientsOf.delete(session)
  }
}
