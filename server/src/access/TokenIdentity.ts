/** What a token says of itself, as far as it can be withdrawn by that. */
export interface TokenIdentity {
  /** `sub` */
  readonly userId: string
  /** `jti`; null: it has none. */
  readonly tokenId: string | null
  /** The share link that it was made for; null: none. */
  readonly linkId: string | null
  /** Who made it (`POST /api/v1/tokens`), who made their token, who made that …; none: it isn't ours, or is of a link. */
  readonly makers: readonly string[]
  /** When it was made, ms since the epoch; where it doesn't say so: the earliest time at which it can have been. */
  readonly issuedAt: number
}
