/** A token that isn't taken. The message says why, and is told to whoever brought it; it holds nothing of the token's own. */
export class BadTokenError extends Error {
  override readonly name = 'BadTokenError'
}
