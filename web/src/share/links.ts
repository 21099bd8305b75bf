import { base } from '../base.ts'
import { callApi } from '../device/callApi.ts'
import { heldToken } from '../device/guest.ts'

/** What a link gives. */
export type LinkRole = 'viewer' | 'commenter' | 'editor' | 'owner'

/** A share link as the server lists it: without its secret, which is told once. */
export interface ShareLink {
  readonly id: string
  readonly role: LinkRole
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

/** @returns the address to give to people @throws {Error} in words */
export async function makeLink(
  documentId: string,
  { role, days, maxUses }: { role: LinkRole; days: number; maxUses: number | null },
): Promise<{ link: ShareLink; address: string }> {
  const expiresAt = new Date(Date.now() + days * dayMs).toISOString()
  const asked = { document: documentId, role, expiresAt, maxUses }
  const { status, body } = await callApi('POST', '/links', { body: asked, token: heldToken(documentId) })
  if (status !== 201) {
    throw new Error(
      (body.error as { code?: string } | undefined)?.code === 'too-many'
        ? 'There are as many links as there may be. Revoke one first.'
        : `The server made no link (${status}).`,
    )
  }
  const { secret, ...link } = body as unknown as ShareLink & { secret: string }
  // Where this page is, whatever a proxy puts before it.
  return { link, address: `${location.origin}${base}s#${secret}` }
}

/** @throws {Error} in words */
export async function revokeLink(documentId: string, id: string): Promise<void> {
  const { status } = await callApi('DELETE', `/links/${encodeURIComponent(id)}`, { token: heldToken(documentId) })
  if (status !== 200 && status !== 204 && status !== 404) throw new Error(`The link could not be revoked (${status}).`)
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
