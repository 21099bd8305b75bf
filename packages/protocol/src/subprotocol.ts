/** The WebSocket subprotocol that the server answers with, where it is offered. */
export const SUBPROTOCOL = 'weft'

/** Offered beside `SUBPROTOCOL`, with a token behind it: a page can't set a header. Never answered. */
export const TOKEN_SUBPROTOCOL = 'weft.token.'
