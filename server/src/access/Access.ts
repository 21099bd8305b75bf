import type { KeyObject } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { BadTokenError } from './BadTokenError.ts'
import { type Denial, type Grant, UNASKED } from './Grant.ts'
import { verifyToken } from './verifyToken.ts'

/** Who may do what in which document, told by signed tokens. */
export class Access {
  readonly #secret: KeyObject | null
  readonly #clock: Clock

  /** @param secret null: nobody is asked, and tokens are not looked at */
  constructor(secret: KeyObject | null, clock: Clock) {
    this.#secret = secret
    this.#clock = clock
  }

  /** @param token null or empty: none was given. @returns what its bearer may do in a document, or why nothing. */
  async admit(token: string | null, documentId: DocumentId): Promise<Grant | Denial> {
    if (this.#secret === null) return UNASKED
    if (token === null || token === '') return { close: 'unauthorized', text: 'no token was given' }
    try {
      const { userId, rights, expiresAt } = await verifyToken(token, this.#secret, this.#clock)
      const role = rights.roleIn(documentId)
      if (role === null) return { close: 'forbidden', text: 'the token gives no right to this document' }
      return { userId, role, expiresAt }
    } catch (error) {
      if (error instanceof BadTokenError) return { close: 'unauthorized', text: error.message }
      throw error
    }
  }
}
