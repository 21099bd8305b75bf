import type { KeyObject } from 'node:crypto'

/** Keys that tokens may be signed with. A key is for one algorithm only, whatever a token says of itself. */
export interface KeySource {
  /** Algorithms of its keys (RFC 7518, RFC 8037). `none` is never among them. */
  readonly algorithms: readonly string[]
  /**
   * The keys that a token with this header can be signed with, best first.
   * @param kid the header's key id; null: it has none, so any key of the algorithm may be it
   */
  candidates(algorithm: string, kid: string | null): readonly KeyObject[]
  /** Whether a key with this id is among them. */
  knows(kid: string): boolean
  /**
   * Looks for newer keys, where none of these was the right one.
   * @returns whether there may be others now
   * @throws {KeysUnavailableError} they can't be had now; nothing is known of the token
   */
  renew(): Promise<boolean>
}

/** Keys can't be had now. The message is told to whoever brought a token, and names no address. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError'
}

/** The one secret that tokens are signed with (HS256), if they name no other key. */
export class SecretKey implements KeySource {
  readonly algorithms = ['HS256']
  readonly #keys: readonly KeyObject[]

  constructor(secret: KeyObject) {
    this.#keys = [secret]
  }

  candidates(algorithm: string): readonly KeyObject[] {
    return algorithm === 'HS256' ? this.#keys : []
  }

  knows(): boolean {
    return false
  }

  async renew(): Promise<boolean> {
    return false
  }
}
