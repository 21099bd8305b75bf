/** What a token says of itself, as far as it can be withdrawn by that. */
export interface TokenIdentity {
  /** `sub` */
  readonly userId: string
  /** `jti`; null: it has none. */
  readonly tokenId: string | null
  /** The share link that it was made for; null: none. */
  readonly linkId: string | null
  /** When it was made, ms since the epoch; where it doesn't say so: the earliest time at which it can have been. */
  readonly issuedAt: number
}
