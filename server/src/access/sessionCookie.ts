import type { IncomingMessage } from 'node:http'

/** Largest token that fits: browsers drop a cookie of over 4,096 bytes, name and attributes included, without a word. */
export const MAX_COOKIE_TOKEN_LENGTH = 3800

/**
 * The cookie's name. `__Host-` (RFC 6265bis, section 4.1.3.2): no other host and no plain HTTP can have set it; browsers take
 * that under TLS only.
 */
export function cookieName(isSecure: boolean): string {
  return isSecure ? '__Host-weft' : 'weft'
}

/** @param maxAgeS 0: the browser forgets it. @returns a `Set-Cookie` header */
export function sessionCookie(token: string, maxAgeS: number, isSecure: boolean): string {
  const attributes = ['Path=/', `Max-Age=${maxAgeS}`, 'HttpOnly', 'SameSite=Strict', ...(isSecure ? ['Secure'] : [])]
  return [`${cookieName(isSecure)}=${token}`, ...attributes].join('; ')
}

/** The token in a request's cookie; null: there is none. Where there are two (another path's), none can be told to be ours. */
export function tokenOfCookie({ headers }: Pick<IncomingMessage, 'headers'>, isSecure: boolean): string | null {
  const begin = `${cookieName(isSecure)}=`
  const found = (headers.cookie ?? '').split(';').map(pair => pair.trim())
  const values = found.filter(pair => pair.startsWith(begin)).map(pair => pair.slice(begin.length))
  return values.length === 1 && values[0] !== undefined && values[0] !== '' ? values[0] : null
}
