import { base } from '../base.ts'
import { callApi } from '../device/callApi.ts'
import { heldToken } from '../device/guest.ts'
import { namelessName } from '../device/me.ts'

/** What a link gives. */
export type LinkRole = 'viewer' | 'commenter' | 'editor' | 'owner'

/** A share link as the server lists it: without its secret, which is told once. */
export interface ShareLink {
  readonly id: string
  readonly role: LinkRole
  /** Whose token made it; `null`: nobody knows. */
  readonly creator: string | null
  readonly createdAt: string
  readonly expiresAt: string
  readonly lastUsedAt: string | null
  readonly uses: number
  readonly maxUses: number | null
}

export const dayMs = 86_400_000

/** The document's links, the newest first; `not-owner`: this person may not see them. @throws {Error} there was no good answer */
export async function listLinks(documentId: string): Promise<ShareLink[] | 'not-owner'> {
  const query = new URLSearchParams({ document: documentId })
  const { status, body } = await callApi('GET', `/links?${query}`, { token: heldToken(documentId) })
  if (status === 401 || status === 403 || status === 409) return 'not-owner'
  if (status !== 200) throw new Error(`the links could not be read (${status})`)
  return [...(body.links as ShareLink[])].reverse()
}

/** A session as the server lists it. */
interface ListedSession {
  readonly user: string | null
  readonly name: string | null
}

/** Who is in the document now, by the link that they came by: names, each person once. Empty where that can't be asked. */
export async function peopleByLink(documentId: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const query = new URLSearchParams({ document: documentId })
  const answer = await callApi('GET', `/sessions?${query}`, { token: heldToken(documentId) }).catch(() => null)
  return answer?.status === 200 ? byLink(answer.body.sessions as ListedSession[]) : new Map()
}

/** A guest's user id is `link:<id of the link>:…` (PROTOCOL.md, "Share links"). */
export function byLink(sessions: readonly ListedSession[]): ReadonlyMap<string, readonly string[]> {
  const links = new Map<string, Map<string, string>>()
  for (const { user, name } of sessions) {
    const [, link] = /^link:([^:]+):/u.exec(user ?? '') ?? []
    if (link === undefined || user === null) continue
    const people = links.get(link) ?? new Map<string, string>()
    links.set(link, people.set(user, name ?? namelessName))
  }
  return new Map([...links].map(([link, people]) => [link, [...people.values()]]))
}

/** Why the server did not do what was asked, and what can be done. */
function refusalOf(what: string, status: number): Error {
  if (status === 401 || status === 403) return new Error(`${what}: only owners of this document may do that.`)
  return new Error(`${what} (${status}). Try again in a moment.`)
}

/** @returns the address to give to people @throws {Error} in words */
export async function makeLink(
  documentId: string,
  { role, days, maxUses }: { role: LinkRole; days: number; maxUses: number | null },
): Promise<{ link: ShareLink; address: string }> {
  const expiresAt = new Date(Date.now() + days * dayMs).toISOString()
  const asked = { document: documentId, role, expiresAt, maxUses }
  const { status, body } = await callApi('POST', '/links', { body: asked, token: heldToken(documentId) })
  if (status !== 201) {
    if ((body.error as { code?: string } | undefined)?.code === 'too-many')
      throw new Error('There are as many links as there may be. Revoke one first.')
    throw refusalOf('The server made no link', status)
  }
  const { secret, ...link } = body as unknown as ShareLink & { secret: string }
  // Where this page is, whatever a proxy puts before it.
  return { link, address: `${location.origin}${base}s#${secret}` }
}

/** @throws {Error} in words */
export async function revokeLink(documentId: string, id: string): Promise<void> {
  const { status } = await callApi('DELETE', `/links/${encodeURIComponent(id)}`, { token: heldToken(documentId) })
  if (status !== 200 && status !== 204 && status !== 404)
    throw refusalOf('The link was not revoked, and still lets people in', status)
}

/** When a link was made, and by whom: "Made today at 15:51 by you". With the time: two of a day are told apart by it. */
export function madeText({ createdAt, creator }: ShareLink, me: string | null, now: number): string {
  const at = new Date(createdAt)
  const time = at.toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' })
  const isToday = at.toDateString() === new Date(now).toDateString()
  const isThisYear = at.getFullYear() === new Date(now).getFullYear()
  const day = at.toLocaleDateString(undefined, {
    day: 'numeric',
    month: 'long',
    ...(!isThisYear && { year: 'numeric' }),
  })
  const by = creator === null ? '' : ` by ${creator === me ? 'you' : creator}`
  return `Made ${isToday ? 'today' : day} at ${time}${by}`
}

/** "Gus is here now", "Gus, Hal and 3 others are here now"; empty: nobody is. */
export function hereText(names: readonly string[]): string {
  const [first = '', second = '', third = ''] = names
  if (names.length === 0) return ''
  if (names.length === 1) return `${first} is here now`
  if (names.length === 2) return `${first} and ${second} are here now`
  if (names.length === 3) return `${first}, ${second} and ${third} are here now`
  return `${first}, ${second} and ${names.length - 2} others are here now`
}

/** What a link is, in a line: "Until December 7 · used 2 of 10 times · last 3 h ago". */
export function linkText(link: ShareLink, ago: (at: number) => string, now: number): string {
  const end = Date.parse(link.expiresAt)
  const day = new Date(end).toLocaleDateString(undefined, { day: 'numeric', month: 'long' })
  const isUsedUp = link.maxUses !== null && link.uses >= link.maxUses
  const uses =
    link.maxUses === null || link.maxUses === 1
      ? `used ${timesText(link.uses)}`
      : `used ${link.uses} of ${timesText(link.maxUses)}`
  const last = link.lastUsedAt === null ? 'never opened' : `${uses} · last ${ago(Date.parse(link.lastUsedAt))}`
  const unused =
    link.lastUsedAt === null && link.maxUses !== null
      ? ` · lets in ${link.maxUses === 1 ? 'one person' : `${link.maxUses} people`}`
      : ''
  return `${end <= now ? 'Expired' : isUsedUp ? 'Used up' : `Until ${day}`} · ${last}${unused}`
}

function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}
