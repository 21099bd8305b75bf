import { callApi } from './callApi.ts'
import { me, namelessName } from './me.ts'
import { setSignedUser, signedUserOf } from './signedUser.ts'
import { currentToken, currentUser, holdInCookie, userOfCookie } from './token.ts'

/** Somebody who came to a document by a share link. */
interface Guest {
  /** What is exchanged for the next token (PROTOCOL.md, "Share links"). It is no token, and of use for this document only. */
  readonly renewal: string
  /** The `sub` of the tokens. */
  readonly user: string
}

/** A token is renewed when it has so little time left, in ms: the client asks a minute ahead. */
const renewAheadMs = 90_000

/** Under which this tab keeps that it is a guest in a document: the link is used once, and the page may be loaded anew. */
const keyOf = (documentId: string) => `weft.guest:${documentId}`

/** Until when: ms since the epoch. */
const tokens = new Map<string, { token: string; endsAt: number }>()
const guests = new Map<string, Guest>()

function guestIn(documentId: string): Guest | null {
  const known = guests.get(documentId)
  if (known !== undefined) return known
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(keyOf(documentId)) ?? 'null')
    if (typeof stored !== 'object' || stored === null) return null
    const { renewal, user } = stored as Record<string, unknown>
    return typeof renewal === 'string' && typeof user === 'string' ? { renewal, user } : null
  } catch {
    return null
  }
}

/** Whether this tab came to a document by a share link. */
export function isGuest(documentId: string): boolean {
  return guestIn(documentId) !== null
}

/** Who uses this tab in a document: a guest, or whoever `currentUser` says. */
export function userIn(documentId: string): string | null {
  return guestIn(documentId)?.user ?? currentUser()
}

/** The token that is at hand for a document, without asking anybody; empty: none, or the cookie's. */
export function heldToken(documentId: string): string {
  return tokens.get(documentId)?.token ?? (isGuest(documentId) ? '' : currentToken())
}

/**
 * The token to connect to a document with; a guest's is renewed when it ends soon. Empty: the cookie's, if there is one.
 * @throws {Error} the server can't be asked
 */
export async function tokenIn(documentId: string): Promise<string> {
  const guest = guestIn(documentId)
  if (guest === null) return currentToken()
  const held = tokens.get(documentId)
  if (held !== undefined && held.endsAt - Date.now() > renewAheadMs) return held.token
  // The renewal says the name of before; another one may have been given while nobody could be told.
  const { name } = me.peek()
  const asked = { renewal: guest.renewal, ...(name !== '' && { name }) }
  const { status, body } = await callApi('POST', '/links/exchange', { body: asked })
  if (status === 200) return hold(body as unknown as Exchanged)
  // For good: the server says at the document what is the matter.
  if (status === 404 || status === 410 || status === 409) return held?.token ?? ''
  throw new Error(`the link could not be renewed (${status})`)
}

/**
 * Gives a guest another name: the next token, which is at hand then, has it.
 * @param name empty: none
 * @throws {Error} in words
 */
export async function renameGuest(documentId: string, name: string): Promise<void> {
  const guest = guestIn(documentId)
  if (guest === null) return
  const asked = { renewal: guest.renewal, name: shownName(name) }
  const answer = await callApi('POST', '/links/exchange', { body: asked }).catch(() => null)
  if (answer?.status === 200) {
    await hold(answer.body as unknown as Exchanged)
    return
  }
  // The next connection asks anew.
  const held = tokens.get(documentId)
  if (held !== undefined) tokens.set(documentId, { ...held, endsAt: 0 })
  throw new Error(
    answer === null
      ? 'The server can’t be reached. Others see the new name when it is.'
      : `The server didn’t take the name (${answer.status}). Others still see the one before.`,
  )
}

/** Without a name in the token, others would see its id. */
function shownName(name: string): string {
  return name === '' ? namelessName : name
}

interface Exchanged {
  token: string
  expiresAt: string
  renewal: string
  document: string
  user: string
}

async function hold({ token, expiresAt, renewal, document, user }: Exchanged): Promise<string> {
  const guest = { renewal, user }
  guests.set(document, guest)
  tokens.set(document, { token, endsAt: Date.parse(expiresAt) })
  setSignedUser(signedUserOf(token), document)
  try {
    sessionStorage.setItem(keyOf(document), JSON.stringify(guest))
  } catch {
    // Kept in the page, then.
  }
  // Whoever is known here by a token of their own stays so: there is one cookie.
  const holder = currentToken() === '' && currentUser() !== null ? await userOfCookie() : null
  if (currentToken() === '' && (holder === null || holder === user || holder.startsWith('link:')))
    await holdInCookie(token)
  return token
}

/** Why a link doesn't open its document. */
export type LinkFailure =
  | { why: 'unknown' | 'expired' | 'used-up' | 'no-keys' | 'unreachable' }
  | { why: 'too-fast'; seconds: number }
  | { why: 'other'; status: number }

/** Exchanges a share link: that is a use of it. @returns the document that it opens, or why none */
export async function enterByLink(secret: string, name: string): Promise<{ documentId: string } | LinkFailure> {
  let answer: Awaited<ReturnType<typeof callApi>>
  try {
    answer = await callApi('POST', '/links/exchange', { body: { secret, name: shownName(name) } })
  } catch {
    return { why: 'unreachable' }
  }
  const { status, body, retryAfterS } = answer
  if (status === 200) {
    const exchanged = body as unknown as Exchanged
    await hold(exchanged)
    return { documentId: exchanged.document }
  }
  if (status === 404 || status === 400) return { why: 'unknown' }
  if (status === 409) return { why: 'no-keys' }
  if (status === 410) return { why: JSON.stringify(body).includes('expired') ? 'expired' : 'used-up' }
  if (status === 429) return { why: 'too-fast', seconds: retryAfterS ?? 60 }
  return status === 502 || status === 503 || status === 504 ? { why: 'unreachable' } : { why: 'other', status }
}
