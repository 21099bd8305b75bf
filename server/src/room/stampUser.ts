import { isNullState } from '@weft/protocol'

/** Longest name that is shown, in code points; a token has room for more. */
const MAX_NAME_LENGTH = 200

/** Who somebody is, by a token. */
export interface StampedUser {
  readonly id: string
  /** null: the token names none. */
  readonly name: string | null
}

/**
 * A client's awareness state that says who it is: `user.id` and `user.name` are the token's (the id, where it has no name), whatever
 * the client wrote there; the rest of `user`, such as its colour, stays.
 * @param json a state that was checked; it is not changed or kept
 * @param user null: nobody is asked who they are, and the state stays as it is
 */
export function stampUser(json: Uint8Array, user: StampedUser | null): Uint8Array {
  if (user === null || isNullState(json)) return new Uint8Array(json)
  const state = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString('utf8'))
  const said: unknown = Object.hasOwn(state, 'user') ? state.user : null
  const rest = typeof said === 'object' && said !== null && !Array.isArray(said) ? said : {}
  const name = user.name === null || user.name.trim() === '' ? user.id : user.name
  const stamped = { ...rest, id: user.id, name: [...name].slice(0, MAX_NAME_LENGTH).join('') }
  return Buffer.from(JSON.stringify({ ...state, user: stamped }))
}
