/** Whoever comes by a share link is a user of their own: `link:<id of the link>:<random>`. */
export const GUEST_PREFIX = 'link:'

export function guestId(linkId: string, random: string): string {
  return `${GUEST_PREFIX}${linkId}:${random}`
}

/** The link by which a guest came. */
export function linkOfGuest(userId: string): string {
  return userId.split(':')[1] ?? ''
}
