import { randomBytes } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import type { AccessRecords, RecordValue } from './AccessRecords.ts'
import { GUEST_PREFIX, linkOfGuest } from './guests.ts'
import { lineageOf } from './madeUsers.ts'
import { isRole, leastRole, type Role } from './Role.ts'
import type { TokenIdentity } from './TokenIdentity.ts'
import { MAX_LIFE_S, SKEW_S } from './verifyToken.ts'

/** Revocations that a store holds: 1 kB each in memory. */
const MAX_REVOCATIONS = 10_000
/** Those that owners of some documents may make, in one document and each of them in all: they must not use up the host's. */
const MAX_BY_OWNERS = 9000
const MAX_OF_DOCUMENT = 1000
const MAX_BY_OWNER = 1000
const KEY = 'revocation/'
/** After so long no token is there any more that was made before, in ms. */
const KEPT_MS = (MAX_LIFE_S + 2 * SKEW_S) * 1000

/** Which tokens are meant: those to which all apply that are given. */
export interface RevokedTokens {
  /** `sub` */
  readonly user: string | null
  /** Of a user: also those that this user made for others, and that these made …; links, too (`Links.limitMadeBy`). */
  readonly isOfMade: boolean
  /** The share link that they were made for. */
  readonly link: string | null
  /** `jti` */
  readonly token: string | null
  /** In this document alone. */
  readonly document: DocumentId | null
  /** Those that were made by then, ms since the epoch. */
  readonly notBefore: number
}

export interface Revocation extends RevokedTokens {
  readonly id: string
  /** What they give at most; null: nothing. */
  readonly role: Role | null
  /** When, ms since the epoch, and by whom: null, nobody is asked. */
  readonly at: number
  readonly by: string | null
}

/**
 * Tokens that count no more, or for less, before they end.
 *
 * A token says only to the second when it was made: one of the very second of the revocation is taken for an earlier one.
 */
export class Revocations {
  readonly #records: AccessRecords
  readonly #clock: Clock
  readonly #all = new Map<string, Revocation>()
  /** By what is looked up of a token: its most telling part. */
  readonly #index = new Map<string, Set<Revocation>>()

  constructor(records: AccessRecords, clock: Clock) {
    this.#records = records
    this.#clock = clock
    for (const [key, value] of records.entries(KEY)) {
      const revocation = decode(key.slice(KEY.length), value)
      if (revocation !== null) this.#remember(revocation)
    }
  }

  /** The oldest first. */
  list(): readonly Revocation[] {
    return [...this.#all.values()].sort((a, b) => a.at - b.at)
  }

  /**
   * Counts at once; on disk when it resolves.
   * @param isLinkThere whether a share link exists: what is said of its guests is kept as long as that
   * @param isHost whether it is an owner of every document who makes it
   * @returns null: there are too many
   * @throws {WeftError} as `AccessRecords.change`: it counts all the same, until a restart
   */
  async add(
    tokens: RevokedTokens,
    role: Role | null,
    by: string | null,
    isLinkThere: (id: string) => boolean,
    isHost = true,
  ): Promise<Revocation | null> {
    const changes = this.#forget(isLinkThere)
    if (this.#all.size >= MAX_REVOCATIONS || (!isHost && this.#isFull(tokens.document, by))) return null
    const id = randomBytes(12).toString('base64url')
    const revocation: Revocation = { ...tokens, id, role, at: this.#clock.wallTime(), by }
    this.#remember(revocation)
    const { id: _, ...value } = revocation
    await this.#records.change(changes.set(KEY + id, value))
    return revocation
  }

  /** Whether an owner of some documents may make no more. */
  #isFull(document: DocumentId | null, by: string | null): boolean {
    const owner = by === null ? null : lineageOf(by).at(-1)
    let all = 0
    let ofDocument = 0
    let byOwner = 0
    for (const revocation of this.#all.values()) {
      if (revocation.document === null) continue
      all++
      if (revocation.document === document) ofDocument++
      if (revocation.by !== null && lineageOf(revocation.by).at(-1) === owner) byOwner++
    }
    return all >= MAX_BY_OWNERS || ofDocument >= MAX_OF_DOCUMENT || byOwner >= MAX_BY_OWNER
  }

  /**
   * What a token still gives where it says `role`.
   * @param documentId null: in every document @returns null: nothing
   */
  limit(role: Role, token: TokenIdentity, documentId: DocumentId | null): Role | null {
    if (this.#all.size === 0) return role
    const ofDocument =
      documentId === null
        ? this.list().filter(revocation => keyOf(revocation).startsWith('document:'))
        : this.#under('document', documentId)
    const found = [
      ...this.#under('token', token.tokenId),
      ...this.#under('link', token.linkId),
      ...this.#underUser(token),
      ...ofDocument,
    ]
    return leastOf(role, found, token, documentId)
  }

  /** As `limit`, by those that concern no single document alone. */
  limitAnywhere(role: Role, token: TokenIdentity): Role | null {
    const found = [
      ...this.#under('token', token.tokenId),
      ...this.#under('link', token.linkId),
      ...this.#underUser(token),
    ].filter(revocation => revocation.document === null)
    return leastOf(role, found, token, null)
  }

  #under(kind: Kind, id: string | null): Iterable<Revocation> {
    return id === null ? [] : (this.#index.get(indexKey(kind, id)) ?? [])
  }

  #underUser(token: TokenIdentity): Revocation[] {
    return [...new Set(lineageOfToken(token))].flatMap(user => [...this.#under('user', user)])
  }

  #remember(revocation: Revocation): void {
    this.#all.set(revocation.id, revocation)
    const key = keyOf(revocation)
    const others = this.#index.get(key)
    if (others === undefined) this.#index.set(key, new Set([revocation]))
    else others.add(revocation)
  }

  /** Drops what concerns no token any more. @returns the changes for the store */
  #forget(isLinkThere: (id: string) => boolean): Map<string, RecordValue | null> {
    const limit = this.#clock.wallTime() - KEPT_MS
    const changes = new Map<string, RecordValue | null>()
    for (const revocation of this.#all.values()) {
      // A guest of a link may ask for another token as long as there is the link.
      const guest = revocation.user ?? revocation.token
      const linkId = guest?.startsWith(GUEST_PREFIX) ? linkOfGuest(guest) : null
      if (revocation.at > limit || (linkId !== null && isLinkThere(linkId))) continue
      this.#all.delete(revocation.id)
      const key = keyOf(revocation)
      const others = this.#index.get(key)
      others?.delete(revocation)
      if (others?.size === 0) this.#index.delete(key)
      changes.set(KEY + revocation.id, null)
    }
    return changes
  }
}

/** Whose it is, and all who had a part in making it. */
function lineageOfToken({ userId, makers }: TokenIdentity): string[] {
  return [userId, ...makers].flatMap(lineageOf)
}

type Kind = 'token' | 'link' | 'user' | 'document'

function indexKey(kind: Kind, id: string | null): string {
  return `${kind}:${id}`
}

function leastOf(
  role: Role,
  revocations: readonly Revocation[],
  token: TokenIdentity,
  documentId: DocumentId | null,
): Role | null {
  let left = role
  for (const revocation of revocations) {
    if (!concerns(revocation, token, documentId)) continue
    if (revocation.role === null) return null
    left = leastRole(left, revocation.role)
  }
  return left
}

function keyOf({ token, link, user, document }: RevokedTokens): string {
  if (token !== null) return indexKey('token', token)
  if (link !== null) return indexKey('link', link)
  if (user !== null) return indexKey('user', user)
  return indexKey('document', document)
}

function concerns(tokens: RevokedTokens, token: TokenIdentity, documentId: DocumentId | null): boolean {
  const { user, isOfMade, link, token: tokenId, document, notBefore } = tokens
  return (
    token.issuedAt <= notBefore &&
    (user === null || user === token.userId || (isOfMade && lineageOfToken(token).includes(user))) &&
    (link === null || link === token.linkId) &&
    (tokenId === null || tokenId === token.tokenId) &&
    (document === null || documentId === null || document === documentId)
  )
}

/** @returns null: a newer version's */
function decode(id: string, value: RecordValue): Revocation | null {
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : null)
  const { notBefore, role, at } = value
  if (typeof notBefore !== 'number' || typeof at !== 'number' || !(role === null || isRole(role))) return null
  const document = text('document') as DocumentId | null
  const isOfMade = value.isOfMade === true
  const tokens = { user: text('user'), isOfMade, link: text('link'), token: text('token'), document, notBefore }
  return { ...tokens, id, role, at, by: text('by') }
}
