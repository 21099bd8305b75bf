import { createHash, randomBytes } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import type { AccessRecords, RecordValue } from './AccessRecords.ts'
import { lineageOf } from './madeUsers.ts'
import { isRole, leastRole, type Role } from './Role.ts'

/** Links that a store holds, in all and of one document: 1 kB each in memory. */
const MAX_LINKS = 10_000
const MAX_LINKS_OF_DOCUMENT = 1000
/** Those that an owner of some documents may make: they must not use up all others'. */
const MAX_LINKS_BY_OWNER = 1000
const KEY = 'link/'
/** Renewals tell that a link is in use; so often they are written down, in ms. */
const LAST_USE_INTERVAL_MS = 60 * 60_000

/** A share link: whoever has its secret gets a token for one document. */
export interface Link {
  /** Names it, and opens nothing. */
  readonly id: string
  readonly document: DocumentId
  readonly role: Role
  /** Who made it; null: nobody is asked who they are. */
  readonly creator: string | null
  /** Who made that one's token, as `TokenIdentity.makers`. */
  readonly makers: readonly string[]
  /** These are ms since the epoch. */
  readonly createdAt: number
  readonly expiresAt: number
  /** Null: never used. */
  readonly lastUsedAt: number | null
  /** How many people got in by it. */
  readonly uses: number
  /** Null: no bound. */
  readonly maxUses: number | null
}

/** Why a link opens nothing: `unknown` (or revoked), or over. */
export type LinkRefusal = 'unknown' | 'expired' | 'used-up'

/** The share links of a store. Of a secret only its SHA-256 is kept: 128 random bits need no slower hash. */
export class Links {
  readonly #records: AccessRecords
  readonly #clock: Clock
  readonly #links = new Map<string, Link>()
  readonly #secretHashes = new Map<string, string>()
  readonly #byHash = new Map<string, string>()

  constructor(records: AccessRecords, clock: Clock) {
    this.#records = records
    this.#clock = clock
    for (const [key, value] of records.entries(KEY)) {
      const link = decode(key.slice(KEY.length), value)
      if (link !== null) this.#remember(link, String(value.secretHash))
    }
  }

  /** One that still is: neither revoked nor past its end. */
  get(id: string): Link | undefined {
    const link = this.#links.get(id)
    return link !== undefined && link.expiresAt > this.#clock.wallTime() ? link : undefined
  }

  /** One, be it over or not. */
  find(id: string): Link | undefined {
    return this.#links.get(id)
  }

  /** Those of a document, or all, the oldest first; those that are used up or over, too. */
  list(document: DocumentId | null): readonly Link[] {
    const links = [...this.#links.values()].filter(link => document === null || link.document === document)
    return links.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  }

  /**
   * @param isHost whether it is an owner of every document who makes it
   * @returns with its secret, which nobody can get any more; null: there are too many
   * @throws {WeftError} as `AccessRecords.change`
   */
  async make(
    wanted: Pick<Link, 'document' | 'role' | 'creator' | 'makers' | 'expiresAt' | 'maxUses'>,
    isHost = true,
  ): Promise<{ link: Link; secret: string } | null> {
    await this.#forget()
    if (this.#links.size >= MAX_LINKS || this.list(wanted.document).length >= MAX_LINKS_OF_DOCUMENT) return null
    if (!isHost && this.#countBy(wanted.creator) >= MAX_LINKS_BY_OWNER) return null
    const id = randomBytes(12).toString('base64url')
    const secret = randomBytes(16).toString('base64url')
    const link: Link = { ...wanted, id, createdAt: this.#clock.wallTime(), lastUsedAt: null, uses: 0 }
    await this.#put(link, hashOf(secret))
    return { link, secret }
  }

  #countBy(creator: string | null): number {
    const ownerOf = (user: string | null) => (user === null ? null : lineageOf(user).at(-1))
    return this.list(null).filter(link => ownerOf(link.creator) === ownerOf(creator)).length
  }

  /** One, be it over or not, by what its guests know of it; null: there is none. */
  findBySecret(secret: string): Link | null {
    const id = this.#byHash.get(hashOf(secret))
    return (id === undefined ? undefined : this.#links.get(id)) ?? null
  }

  /** Takes a use of a link. @throws {WeftError} as `AccessRecords.change` */
  async use(secret: string): Promise<Link | LinkRefusal> {
    const link = this.findBySecret(secret)
    if (link === null) return 'unknown'
    const now = this.#clock.wallTime()
    if (link.expiresAt <= now) return 'expired'
    if (link.maxUses !== null && link.uses >= link.maxUses) return 'used-up'
    const used = { ...link, uses: link.uses + 1, lastUsedAt: now }
    await this.#put(used)
    return used
  }

  /** Somebody who got in by it before goes on: no further use. @throws {WeftError} as `AccessRecords.change` */
  async useAgain(id: string): Promise<Link | LinkRefusal> {
    const link = this.#links.get(id)
    if (link === undefined) return 'unknown'
    const now = this.#clock.wallTime()
    if (link.expiresAt <= now) return 'expired'
    if (now - (link.lastUsedAt ?? 0) < LAST_USE_INTERVAL_MS) return link
    const used = { ...link, lastUsedAt: now }
    await this.#put(used)
    return used
  }

  /** Gives a link another role: tokens that were made for it give no more than that, from now on. */
  async changeRole(id: string, role: Role): Promise<Link | null> {
    const link = this.#links.get(id)
    if (link === undefined) return null
    const changed = { ...link, role }
    await this.#put(changed)
    return changed
  }

  /** Tokens that were made for it are none any more. @returns null: there is none */
  async revoke(id: string): Promise<Link | null> {
    const link = this.#links.get(id)
    if (link === undefined) return null
    this.#drop(id)
    await this.#records.change(new Map([[KEY + id, null]]))
    return link
  }

  /**
   * Has those links give no more than `role` that a user made, or who had a token of that user's making.
   * @param limit.role null: nothing, they are revoked
   * @param limit.document null: in whichever
   * @param limit.notBefore those that were made by then, ms since the epoch
   * @returns those that have changed, as they were
   */
  async limitMadeBy(
    user: string,
    { role, document, notBefore }: { role: Role | null; document: DocumentId | null; notBefore: number },
  ): Promise<readonly Link[]> {
    const isMade = ({ creator, makers }: Link) =>
      creator !== null && [creator, ...makers].flatMap(lineageOf).includes(user)
    const found = this.list(document).filter(link => link.createdAt <= notBefore && isMade(link))
    const changed = found.filter(link => role === null || leastRole(link.role, role) !== link.role)
    if (changed.length === 0) return []
    const changes = new Map<string, RecordValue | null>()
    for (const link of changed) {
      if (role === null) {
        this.#drop(link.id)
        changes.set(KEY + link.id, null)
      } else changes.set(...this.#take({ ...link, role }))
    }
    await this.#records.change(changes)
    return changed
  }

  async #put(link: Link, secretHash?: string): Promise<void> {
    await this.#records.change(new Map([this.#take(link, secretHash)]))
  }

  /** @returns what there is to be stored of it */
  #take(link: Link, secretHash = this.#secretHashes.get(link.id) ?? ''): [string, RecordValue] {
    this.#remember(link, secretHash)
    const { id, makers, ...rest } = link
    return [KEY + id, { ...rest, makers: JSON.stringify(makers), secretHash }]
  }

  /** Links whose end is long past: a day, so that who asks why hears it. */
  async #forget(): Promise<void> {
    const limit = this.#clock.wallTime() - 24 * 60 * 60_000
    const over = [...this.#links.values()].filter(({ expiresAt }) => expiresAt < limit)
    if (over.length === 0) return
    for (const { id } of over) this.#drop(id)
    await this.#records.change(new Map(over.map(({ id }) => [KEY + id, null])))
  }

  #remember(link: Link, secretHash: string): void {
    this.#links.set(link.id, link)
    this.#secretHashes.set(link.id, secretHash)
    this.#byHash.set(secretHash, link.id)
  }

  #drop(id: string): void {
    this.#byHash.delete(this.#secretHashes.get(id) ?? '')
    this.#secretHashes.delete(id)
    this.#links.delete(id)
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** @returns null: a newer version's */
function decode(id: string, value: RecordValue): Link | null {
  const { document, role, creator, makers, createdAt, expiresAt, lastUsedAt, uses, maxUses } = value
  if (typeof document !== 'string' || !isRole(role) || typeof createdAt !== 'number') return null
  if (typeof expiresAt !== 'number' || typeof uses !== 'number') return null
  return {
    id,
    document: document as DocumentId,
    role,
    creator: typeof creator === 'string' ? creator : null,
    makers: typeof makers === 'string' ? JSON.parse(makers) : [],
    createdAt,
    expiresAt,
    lastUsedAt: typeof lastUsedAt === 'number' ? lastUsedAt : null,
    uses,
    maxUses: typeof maxUses === 'number' ? maxUses : null,
  }
}
