import type { IncomingMessage } from 'node:http'
import { MULTIPLEX_SUBPROTOCOL, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from '@weft/protocol'

/**
 * The token of an upgrade request, from where it is least likely to be seen by others: the header `Authorization: Bearer`, then
 * the offered subprotocol `weft.token.…`, then the query parameter `token`. The first that is given counts, good or bad.
 * @returns null where none is given
 */
export function tokenOfRequest({ headers, url = '' }: Pick<IncomingMessage, 'headers' | 'url'>): string | null {
  const bearer = /^bearer +(\S+) *$/iu.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  for (const offered of (headers['sec-websocket-protocol'] ?? '').split(',')) {
    const name = offered.trim()
    if (name.startsWith(TOKEN_SUBPROTOCOL)) return name.slice(TOKEN_SUBPROTOCOL.length)
  }
  const query = url.indexOf('?')
  return query < 0 ? null : new URLSearchParams(url.slice(query)).get('token')
}

/** The subprotocol that is answered: `weft.multiplex`, `weft`, else the first that isn't a token (browsers fail without an answer); false: none. */
export function chooseSubprotocol(offered: ReadonlySet<string>): string | false {
  for (const name of [MULTIPLEX_SUBPROTOCOL, SUBPROTOCOL]) if (offered.has(name)) return name
  for (const name of offered) if (!name.startsWith(TOKEN_SUBPROTOCOL)) return name
  return false
}
