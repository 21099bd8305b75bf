import type { Role } from './Role.ts'

/** What somebody may do in one document, and for how long. */
export interface Grant {
  /** The token's `sub`; null where nobody is asked who they are. */
  readonly userId: string | null
  /** The token's `name`. */
  readonly userName: string | null
  readonly role: Role
  /** Whether it may write where nobody has written yet. */
  readonly mayCreate: boolean
  /** When it ends, monotonic ms; infinite where nobody is asked. */
  readonly expiresAt: number
  /** The same right as it is now: less, or none, where some of it was taken back. Left out: nobody takes it back. */
  readonly review?: () => Grant | Denial
}

/** No right, or none that can be told now (`overload`): which close code says so, and why. */
export interface Denial {
  readonly close: 'unauthorized' | 'forbidden' | 'overload'
  readonly text: string
}

/** What is left of a right that was looked up a moment ago, be it microtasks: it may have been taken back since. */
export function stillGiven(grant: Grant | Denial): Grant | Denial {
  return 'close' in grant ? grant : (grant.review?.() ?? grant)
}

/** Everybody's, where no keys are configured. */
export const UNASKED: Grant = {
  userId: null,
  userName: null,
  role: 'editor',
  mayCreate: true,
  expiresAt: Number.POSITIVE_INFINITY,
}
