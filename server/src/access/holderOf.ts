import { networkOf } from './address.ts'
import { GUEST_PREFIX, linkOfGuest } from './guests.ts'
import { lineageOf } from './madeUsers.ts'

/**
 * Whose bytes, requests and entries of the audit log are counted together. Whoever can make users, by a link or by tokens, is one
 * holder with them.
 * @param userId null: nobody is known, and the address says who it is
 */
export function holderOf(userId: string | null, address: string): string {
  if (userId === null) return networkOf(address)
  if (userId.startsWith(GUEST_PREFIX)) return `${GUEST_PREFIX}${linkOfGuest(userId)}`
  return `user:${lineageOf(userId).at(-1)}`
}
