import type { DocumentId } from '@weft/protocol'
import type { RightsTakenBack } from './Access.ts'
import type { Denial, Grant } from './Grant.ts'
import type { Links } from './Links.ts'
import type { Revocations } from './Revocations.ts'
import { leastRole } from './Role.ts'
import type { TokenIdentity } from './TokenIdentity.ts'

const REVOKED = 'the token was revoked'

/** What revocations and links leave of a token. */
export class TokenLimits implements RightsTakenBack {
  readonly #revocations: Revocations
  readonly #links: Links

  constructor(revocations: Revocations, links: Links) {
    this.#revocations = revocations
    this.#links = links
  }

  refusal(token: TokenIdentity): string | null {
    // A link that was revoked is there no more, nor are those whose end has come.
    const isLinkGone = token.linkId !== null && this.#links.get(token.linkId) === undefined
    return isLinkGone || this.#revocations.limitAnywhere('owner', token) === null ? REVOKED : null
  }

  review(grant: Grant, token: TokenIdentity, documentId: DocumentId | null): Grant | Denial {
    const link = token.linkId === null ? undefined : this.#links.get(token.linkId)
    const given = link === undefined ? grant.role : leastRole(grant.role, link.role)
    const role = this.#revocations.limit(given, token, documentId)
    if (role === null) return { close: 'unauthorized', text: REVOKED }
    return role === grant.role ? grant : { ...grant, role }
  }
}
