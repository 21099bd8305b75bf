import { BadDocumentIdError, documentIdFromPath, encodePermissionDenied } from '@weft/protocol'
import type { Denial } from '../access/Grant.ts'
import type { VerifiedToken } from '../access/verifyToken.ts'
import { encodeFrame } from '../room/encodeFrame.ts'
import { Session } from '../room/Session.ts'
import type { Connection } from './Connection.ts'
import { openSession, type SessionServices } from './openSession.ts'
import { KEEP_ALIVE, type Peer } from './Peer.ts'

/** y-websocket's dialect: one document, named by the URL's path. */
export class YWebsocketPeer implements Peer {
  readonly #path: string
  readonly #verified: VerifiedToken | Denial | null
  readonly #connection: Connection
  readonly #services: SessionServices
  #session: Session | null = null

  /**
   * @param path of the upgrade's URL, without its query
   * @param verified what `Access.verify` said of the upgrade's token
   */
  constructor(
    connection: Connection,
    path: string,
    verified: VerifiedToken | Denial | null,
    services: SessionServices,
  ) {
    this.#path = path
    this.#verified = verified
    this.#connection = connection
    this.#services = services
  }

  receive(frame: Uint8Array): void | Promise<void> {
    return this.#session === null ? this.#begin(frame) : this.#session.receive(frame)
  }

  async #begin(frame: Uint8Array): Promise<void> {
    let documentId: ReturnType<typeof documentIdFromPath>
    try {
      documentId = documentIdFromPath(this.#path)
    } catch (error) {
      if (!(error instanceof BadDocumentIdError)) throw error
      this.#connection.close('badName', error.message)
      return
    }
    const connection = this.#connection
    const isWanted = () => !connection.isRefused
    // Before the document is loaded: who has no right to it costs no more than this.
    const grant = this.#services.access.grant(this.#verified, documentId)
    if ('close' in grant) {
      connection.close(grant.close, grant.text)
      return
    }
    const opened = await openSession(documentId, connection, 'y-websocket', this.#services, isWanted, { grant })
    if (opened === null) return
    if (!(opened instanceof Session)) {
      connection.close(opened.close, opened.text)
      return
    }
    this.#session = opened
    await opened.receive(frame)
  }

  drained(): void {
    this.#session?.drained()
  }

  keepAlive(): Buffer {
    return KEEP_ALIVE
  }

  denial(reason: string): Buffer {
    return encodeFrame(encodePermissionDenied(reason))
  }

  end(): void {
    this.#session?.end()
  }
}
