import { isToken, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from '@weft/protocol'

/** Says who this is: a token, or a function that is asked for one at each connection. An empty one is none. */
export type TokenSource = string | (() => string | Promise<string>)

/** @throws {TypeError} what can't be a token: a browser would refuse it too, in words that don't help */
export function checkToken(token: string): string {
  if (typeof token !== 'string' || (token !== '' && !isToken(token))) {
    throw new TypeError('a token is made of letters, digits and - . _ ~ + only')
  }
  return token
}

/** The subprotocols that carry a token to the server. */
export function tokenProtocols(token: string): string[] {
  return token === '' ? [] : [SUBPROTOCOL, `${TOKEN_SUBPROTOCOL}${checkToken(token)}`]
}
