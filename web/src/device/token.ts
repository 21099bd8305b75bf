import { base } from '../base.ts'
import { named, type SignedUser, setSignedUser, signedUserOf } from './signedUser.ts'
import { readStored, writeStored } from './storage.ts'

/** Under which this device keeps who used it last. */
const USER_KEY = 'weft.user'
/** Under which this tab keeps its token until a cookie holds it. Not on the device: another tab may be somebody else's link. */
const KEY = 'weft.token'

/** The token as long as the page lasts; no other page of this browser changes it. */
let kept = ''
/** Whose the cookie is; `null`: there is none, or nobody asked. */
let cookieUser: string | null = null

/**
 * The token in a URL's fragment (`#token=…`), without what no token has (an e-mail's line break, say), and the fragment without it.
 * @param hash with its `#`, or empty
 */
export function tokenInHash(hash: string): { token: string | null; rest: string } {
  const parts = hash.slice(1).split('&')
  const own = parts.filter(part => part.startsWith('token='))
  if (own.length === 0) return { token: null, rest: hash }
  const rest = parts.filter(part => part !== '' && !part.startsWith('token=')).join('&')
  const token = own
    .at(-1)
    ?.slice('token='.length)
    .replace(/%[\da-f]{2}|[^\w.~+-]/giu, '')
  return { token: token ?? null, rest: rest === '' ? '' : `#${rest}` }
}

/** The token of this page; empty where it has none: a cookie may hold one, which no script sees. */
export function currentToken(): string {
  return kept
}

/** Whose a token is: the `sub` of a JWT (RFC 7519, section 4.1.2); `null` for what names nobody. Nothing is verified here. */
export function userOfToken(token: string): string | null {
  return signedUserOf(token)?.id ?? null
}

/**
 * Who uses this tab, as far as its token or cookie says; without, who used this browser last: they see what is kept for them here,
 * though no server takes anything from them. `null`: nobody was ever asked.
 */
export function currentUser(): string | null {
  const token = currentToken()
  if (token === '') return cookieUser ?? readStored(USER_KEY)
  const user = userOfToken(token)
  writeStored(USER_KEY, user)
  return user
}

/** Takes a token out of the address bar, and out of what the browser remembers of it. @returns whether there was one */
function takeToken(): boolean {
  const { token, rest } = tokenInHash(location.hash)
  if (token === null) return false
  kept = token
  remember(token)
  history.replaceState(history.state, '', `${location.pathname}${location.search}${rest}`)
  return true
}

function remember(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, token)
  } catch {
    // Kept in the page, then.
  }
}

/** Longest wait for the server to say who this is, in ms: what this device has is shown then. */
const patienceMs = 3_000

/**
 * Called once, before anything is shown: takes a token out of the address, and has a cookie hold it, which no script can read; or
 * asks whose the cookie is that holds one. A link with a token that is followed later begins anew.
 */
export async function startToken(): Promise<void> {
  takeToken()
  window.addEventListener('hashchange', () => {
    if (takeToken()) location.reload()
  })
  // Somebody else has come to this browser, in another tab: this one's cookie is theirs now.
  window.addEventListener('storage', ({ key, newValue }) => {
    if (key === USER_KEY && kept === '' && cookieUser !== null && newValue !== cookieUser) location.reload()
  })
  if (kept === '') kept = remembered()
  if (kept !== '') {
    setSignedUser(signedUserOf(kept))
    // Not there: a token that is too long, say, or a server that can't be reached. Then this tab keeps it.
    if (await holdInCookie(kept)) remember(null)
  } else if (readStored(USER_KEY) !== null) {
    const holder = await holderOfCookie()
    cookieUser = holder?.id ?? null
    setSignedUser(holder)
    if (cookieUser !== null) writeStored(USER_KEY, cookieUser)
  }
}

function remembered(): string {
  try {
    return sessionStorage.getItem(KEY) ?? ''
  } catch {
    return ''
  }
}

/** Has the server put a token into a cookie, for images and for the page's next visit. @returns whether it did */
export async function holdInCookie(token: string): Promise<boolean> {
  const answer = await ask({
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  return answer?.ok === true
}

/** Whose token the cookie holds; `null`: there is none that the server takes, or it can't be asked. */
export async function userOfCookie(): Promise<string | null> {
  return (await holderOfCookie())?.id ?? null
}

async function holderOfCookie(): Promise<SignedUser | null> {
  const answer = await ask({})
  if (answer?.ok !== true) return null
  const { user } = (await answer.json()) as { user: { id: string; name: string | null } }
  return named(user.id, user.name)
}

async function ask(request: RequestInit): Promise<Response | null> {
  try {
    return await fetch(`${base}api/v1/session`, { ...request, signal: AbortSignal.timeout(patienceMs) })
  } catch {
    return null
  }
}
