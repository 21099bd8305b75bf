import { type DocumentId, splitPart } from '@weft/protocol'
import type { Request, Response } from 'express'
import { networkOf } from '../access/address.ts'
import type { Grant } from '../access/Grant.ts'
import type { NewDocuments } from '../access/NewDocuments.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Clock } from '../clock.ts'
import type { Documents } from '../room/Documents.ts'
import { ApiError, tooFast } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'

/** Whoever begins documents too fast waits so long at most, in ms, and is told then when to come back. */
const MAX_WAIT_MS = 10_000

export interface CreationServices {
  readonly documents: Pick<Documents, 'find'>
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly newDocuments: NewDocuments
  readonly clock: Clock
}

/**
 * Who may begin documents over HTTP, and how many: as over a socket, and counted with those. Programs of this machine and owners of
 * every document (an application's own server) may begin as many as they like.
 */
export class Creation {
  readonly #services: CreationServices

  constructor(services: CreationServices) {
    this.#services = services
  }

  /**
   * Resolves when something may be put into a document, which is begun by that where it isn't there. What is there can't become what
   * isn't: so it may be looked up before.
   * @throws {ApiError} `forbidden`: the token gives no right to create it; `too-fast`: with the seconds
   */
  async admit(request: Request, response: Response, grant: Grant, documentId: DocumentId): Promise<void> {
    const { documents } = this.#services
    if ((await documents.find(documentId)).presence === 'there') return
    // A part is begun with its document.
    const { document, part } = splitPart(documentId)
    if (part !== null && (await documents.find(document)).presence === 'there') return
    if (!grant.mayCreate) {
      throw new ApiError('forbidden', 'this document is not there, and the token gives no right to create it')
    }
    await this.#waitToBegin(request, response, grant)
  }

  async #waitToBegin(request: Request, response: Response, { userId }: Grant): Promise<void> {
    const { gate, proxies, newDocuments, clock } = this.#services
    if (proxies.isFromHere(request) || (await gate.isHost(request))) return
    const who = userId ?? networkOf(proxies.addressOf(request))
    for (let waitedMs = 0; ; ) {
      const waitMs = newDocuments.take(who, clock.now())
      if (waitMs === 0) return
      waitedMs += waitMs
      if (waitedMs > MAX_WAIT_MS || response.destroyed) {
        throw tooFast('too many new documents', waitMs, 'new-documents')
      }
      await new Promise<void>(resolve => clock.setTimer(resolve, waitMs))
    }
  }
}
