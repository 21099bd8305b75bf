import type { Role } from './Role.ts'

/** What somebody may do in one document, and for how long. */
export interface Grant {
  /** The token's `sub`; null where nobody is asked who they are. */
  readonly userId: string | null
  readonly role: Role
  /** When it ends, monotonic ms; infinite where nobody is asked. */
  readonly expiresAt: number
}

/** No right: which close code says so, and why. */
export interface Denial {
  readonly close: 'unauthorized' | 'forbidden'
  readonly text: string
}

/** Everybody's, where no secret is configured. */
export const UNASKED: Grant = { userId: null, role: 'editor', expiresAt: Number.POSITIVE_INFINITY }
