import { isToken, SUBPROTOCOL, TOKEN_SUBPROTOCOL } from '@weft/protocol'
import { withinTime } from './withinTime.ts'

/** Says who this is: a token, or a function that is asked for one at each connection. An empty one is none. */
export type TokenSource = string | (() => string | Promise<string>)

/** @throws {TypeError} what can't be a token: a browser would refuse it too, in words that don't help */
export function checkToken(token: string): string {
  if (typeof token !== 'string' || (token !== '' && !isToken(token))) {
    throw new TypeError('a token is made of letters, digits and - . _ ~ + only')
  }
  return token
}

/** Longest wait for a token, in ms: who asks over a link that has died may never hear. */
const TOKEN_TIMEOUT_MS = 30_000

/** @throws {Error} none has come in time. {TypeError} what came can't be one. */
export async function askToken(token: TokenSource): Promise<string> {
  const asked = typeof token === 'string' ? token : token()
  const late = () => new Error(`none came within ${TOKEN_TIMEOUT_MS / 1_000} s`)
  return checkToken(await withinTime(asked, TOKEN_TIMEOUT_MS, late))
}

/** The subprotocols that carry a token to the server. */
export function tokenProtocols(token: string): string[] {
  return token === '' ? [] : [SUBPROTOCOL, `${TOKEN_SUBPROTOCOL}${checkToken(token)}`]
}
