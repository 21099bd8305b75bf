import {
  BadDocumentIdError,
  decodeMessage,
  documentIdFromPath,
  encodePermissionDenied,
  MalformedMessageError,
  messageType,
  withPart,
} from '@weft/protocol'
import type { Denial } from '../access/Grant.ts'
import type { VerifiedToken } from '../access/verifyToken.ts'
import { encodeFrame } from '../room/encodeFrame.ts'
import { Session } from '../room/Session.ts'
import { TokenBucket } from '../TokenBucket.ts'
import type { Connection, Upgrade } from './Connection.ts'
import { openSession, type SessionServices } from './openSession.ts'
import { KEEP_ALIVE, type Peer } from './Peer.ts'
import { renewSession } from './renewSession.ts'

/** Tokens that renew a session: so many more each second, as many at once. Each costs a signature's check. */
const RENEWALS_PER_SECOND = 10

/** y-websocket's dialect: one document, named by the URL's path, or the part of it that the parameter `part` names. */
export class YWebsocketPeer implements Peer {
  readonly #path: string
  readonly #part: string | null
  readonly #verified: VerifiedToken | Denial | null
  readonly #connection: Connection
  readonly #services: SessionServices
  readonly #renewals: TokenBucket
  #session: Session | null = null

  /**
   * @param upgrade of its URL the path and the parameter `part`, and what `Access.verify` said of its token
   */
  constructor(
    connection: Connection,
    { path, part, verified }: Pick<Upgrade, 'path' | 'part' | 'verified'>,
    services: SessionServices,
  ) {
    this.#path = path
    this.#part = part
    this.#verified = verified
    this.#connection = connection
    this.#services = services
    this.#renewals = new TokenBucket(RENEWALS_PER_SECOND, RENEWALS_PER_SECOND, services.clock.now())
  }

  receive(frame: Uint8Array): void | Promise<void> {
    if (this.#session === null) return this.#begin(frame)
    return frame[0] === messageType.token ? this.#renew(this.#session, frame) : this.#session.receive(frame)
  }

  async #renew(session: Session, frame: Uint8Array): Promise<void> {
    let token: string
    try {
      const message = decodeMessage(frame)
      token = message.type === 'token' ? message.token : ''
    } catch (error) {
      if (!(error instanceof MalformedMessageError)) throw error
      this.#connection.close('malformed', error.message)
      return
    }
    if (this.#renewals.take(1, this.#services.clock.now()) > 0) {
      this.#connection.close('policy', `over ${RENEWALS_PER_SECOND} tokens a second`)
      return
    }
    await renewSession(session, token, this.#services.access, () => !this.#connection.isRefused)
  }

  async #begin(frame: Uint8Array): Promise<void> {
    let documentId: ReturnType<typeof documentIdFromPath>
    try {
      documentId = withPart(documentIdFromPath(this.#path), this.#part)
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
    const joined = (session: Session) => {
      this.#session = session
    }
    const opened = await openSession(documentId, connection, 'y-websocket', this.#services, isWanted, joined, { grant })
    if (opened === null) return
    if (!(opened instanceof Session)) {
      connection.close(opened.close, opened.text)
      return
    }
    // Its document may have been deleted in this very moment, or its right taken back.
    if (!connection.isRefused) await opened.receive(frame)
  }

  drained(): void {
    this.#session?.drained()
  }

  get hasPending(): boolean {
    return this.#session?.hasPending ?? false
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
