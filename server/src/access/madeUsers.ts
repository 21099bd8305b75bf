/**
 * Whoever has a token that an owner of some documents made is a user of their own, `made:<maker>:<name>`: nobody becomes somebody
 * else by making a token, nor uses up what others may have. Only an owner of every document names users as they are.
 */
const MADE_PREFIX = 'made:'

export function madeUserId(maker: string, name: string): string {
  return `${MADE_PREFIX}${encodeURIComponent(maker)}:${name}`
}

/** A user, who made their token, who made that one's …: what is taken back of one is taken back of those before in this list. */
export function lineageOf(userId: string): string[] {
  const lineage = [userId]
  for (let made = MADE.exec(userId); made !== null; made = MADE.exec(lineage.at(-1) ?? '')) {
    try {
      lineage.push(decodeURIComponent(made[1] ?? ''))
    } catch {
      // An application calls its users so.
      return lineage
    }
  }
  return lineage
}

const MADE = /^made:([^:]+):/u
