/** The WebSocket subprotocol that the server answers with, where it is offered. */
export const SUBPROTOCOL = 'weft'

/** Chooses the multiplexed dialect: many documents over one socket. The server answers with it where it is offered. */
export const MULTIPLEX_SUBPROTOCOL = 'weft.multiplex'

/** Offered beside one of these, with a token behind it: a page can't set a header. Never answered. */
export const TOKEN_SUBPROTOCOL = 'weft.token.'

/** Whether a text can be a token: what a subprotocol's name may consist of (RFC 9110, section 5.6.2), as far as JWTs need it. */
export function isToken(text: string): boolean {
  return /^[\w.~+-]+$/.test(text)
}
