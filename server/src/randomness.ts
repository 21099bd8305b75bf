import { randomBytes, randomInt } from 'node:crypto'

/** Randomness, as the server's parts see it: given to them, so that a simulation repeats itself. */
export interface Randomness {
  /** A name that nobody guesses: 16 characters of base64url. */
  id(): string
  /** A client id of Yjs, not 0. */
  clientID(): number
}

export const systemRandomness: Randomness = {
  id: () => randomBytes(12).toString('base64url'),
  clientID: () => randomInt(1, 2 ** 32),
}
