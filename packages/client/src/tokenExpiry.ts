/**
 * When a token ends, as far as can be told without its key: the `exp` of a JWT (RFC 7519, section 4.1.4).
 * @returns ms since 1970; `undefined` for what is no JWT, or has none
 */
export function tokenExpiry(token: string): number | undefined {
  try {
    const payload = token.split('.')[1] ?? ''
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), character =>
      character.charCodeAt(0),
    )
    const { exp } = JSON.parse(new TextDecoder().decode(bytes)) as { exp?: unknown }
    return typeof exp === 'number' ? exp * 1_000 : undefined
  } catch {
    return undefined
  }
}
