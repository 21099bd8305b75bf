import type { Bound } from '../Meters.ts'

/** Why a connection can't be let in, as an HTTP refusal. */
export type CountRefusal = readonly [status: number, text: string, retryAfterS: number, bound: Bound]

export interface CountSettings {
  readonly maxConnections: number
  /** Without a valid token. */
  readonly maxConnectionsPerAddress: number
  /** With one or without. */
  readonly maxKnownConnectionsPerAddress: number
  readonly maxConnectionsPerUser: number
}

/** Whoever is refused comes back after so long, in s. */
const RETRY_AFTER_S = 30

interface AddressCount {
  total: number
  strangers: number
}

/** One connection among those that are counted. */
export interface ConnectionPlace {
  /** Whose it is; null: no valid token has come, or nobody is asked. */
  readonly userId: string | null
  /**
   * A valid token has come over it. The first one says whose it is.
   * @returns null; or why it can't be let in
   */
  nameUser(userId: string): string | null
  /** It has ended. */
  leave(): void
}

/** Counts the connections of the process, of each address and of each user. */
export class ConnectionCount {
  readonly #settings: CountSettings
  readonly #addresses = new Map<string, AddressCount>()
  readonly #users = new Map<string, number>()
  #total = 0

  constructor(settings: CountSettings) {
    this.#settings = settings
  }

  /**
   * @param address null: of this machine, which isn't counted
   * @param userId of a valid token; null: none has come (yet), or nobody is asked
   */
  refusal(address: string | null, userId: string | null): CountRefusal | null {
    const { maxConnections, maxConnectionsPerAddress, maxKnownConnectionsPerAddress } = this.#settings
    if (this.#total >= maxConnections) return [503, 'too many connections', RETRY_AFTER_S, 'connections']
    const { total, strangers } = (address === null ? undefined : this.#addresses.get(address)) ?? NOBODY
    if (total >= maxKnownConnectionsPerAddress || (userId === null && strangers >= maxConnectionsPerAddress)) {
      return [429, 'too many connections from this address', RETRY_AFTER_S, 'connections-of-address']
    }
    if (userId !== null && this.#isFull(userId)) {
      return [429, 'too many connections of this user', RETRY_AFTER_S, 'connections-of-user']
    }
    return null
  }

  /** Counts a connection. Parameters as in `refusal`. */
  enter(address: string | null, userId: string | null): ConnectionPlace {
    this.#total++
    if (address !== null) this.#count(address, 1, userId === null ? 1 : 0)
    if (userId !== null) this.#countUser(userId, 1)
    let user = userId
    let hasLeft = false
    return {
      get userId() {
        return user
      },
      nameUser: name => {
        if (user !== null || hasLeft) return null
        if (this.#isFull(name)) {
          return `${this.#settings.maxConnectionsPerUser} connections of this user: retry after ${RETRY_AFTER_S} s`
        }
        user = name
        this.#countUser(name, 1)
        if (address !== null) this.#count(address, 0, -1)
        return null
      },
      leave: () => {
        if (hasLeft) return
        hasLeft = true
        this.#total--
        if (address !== null) this.#count(address, -1, user === null ? -1 : 0)
        if (user !== null) this.#countUser(user, -1)
      },
    }
  }

  #isFull(userId: string): boolean {
    return (this.#users.get(userId) ?? 0) >= this.#settings.maxConnectionsPerUser
  }

  #count(address: string, total: number, strangers: number): void {
    const count = this.#addresses.get(address) ?? { total: 0, strangers: 0 }
    count.total += total
    count.strangers += strangers
    if (count.total > 0) this.#addresses.set(address, count)
    else this.#addresses.delete(address)
  }

  #countUser(userId: string, change: number): void {
    const count = (this.#users.get(userId) ?? 0) + change
    if (count > 0) this.#users.set(userId, count)
    else this.#users.delete(userId)
  }
}

const NOBODY: AddressCount = { total: 0, strangers: 0 }
