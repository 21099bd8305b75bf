import type { IncomingMessage } from 'node:http'

/** Connections beside WebSockets, for requests: what comes on top of `WEFT_MAX_CONNECTIONS` is hung up on. */
export const HTTP_CONNECTIONS = 1000
/** Headers of one request. Node hands over so many, and is silent about the rest. */
export const MAX_HEADERS = 100

/** What is wrong with a request, whatever it asks for and whoever asks: status and text of the refusal; null: nothing. */
export function requestFault({ rawHeaders }: IncomingMessage): [status: number, text: string] | null {
  if (rawHeaders.length > 2 * MAX_HEADERS) return [431, `the request has over ${MAX_HEADERS} headers`]
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++
  // A proxy may have looked at one, and we at the other (RFC 9112, section 3.2).
  return hosts > 1 ? [400, 'the request has several Host headers'] : null
}
