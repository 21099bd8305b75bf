import { readStored, writeStored } from './storage.ts'

/** Under which this device keeps who used it last. */
const USER_KEY = 'weft.user'
/** Under which this tab keeps its token. Not on the device: another tab may be somebody else's link. */
const KEY = 'weft.token'

/** Where storage is forbidden, the token lasts as long as the page. */
let kept = ''

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

/** The token of this tab; empty where it has none. */
export function currentToken(): string {
  try {
    return sessionStorage.getItem(KEY) ?? kept
  } catch {
    return kept
  }
}

/** Whose a token is: the `sub` of a JWT (RFC 7519, section 4.1.2); `null` for what names nobody. Nothing is verified here. */
export function userOfToken(token: string): string | null {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
    const bytes = Uint8Array.from(atob(payload), character => character.charCodeAt(0))
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown }
    return typeof sub === 'string' && sub !== '' ? sub : null
  } catch {
    return null
  }
}

/**
 * Who uses this tab, as far as its token says; without a token, who used this browser last: they see what is kept for them here,
 * though no server takes anything from them. `null`: nobody was ever asked.
 */
export function currentUser(): string | null {
  const token = currentToken()
  if (token === '') return readStored(USER_KEY)
  const user = userOfToken(token)
  writeStored(USER_KEY, user)
  return user
}

/** Takes a token out of the address bar, and out of what the browser remembers of it. @returns whether there was one */
function takeToken(): boolean {
  const { token, rest } = tokenInHash(location.hash)
  if (token === null) return false
  kept = token
  try {
    sessionStorage.setItem(KEY, token)
  } catch {
    // Kept in the page, then.
  }
  history.replaceState(history.state, '', `${location.pathname}${location.search}${rest}`)
  return true
}

/** Called once, before anything reads the address. A link with a token that is followed later begins anew. */
export function startToken(): void {
  takeToken()
  window.addEventListener('hashchange', () => {
    if (takeToken()) location.reload()
  })
}
