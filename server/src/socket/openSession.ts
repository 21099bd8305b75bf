import type { CloseName, DocumentId } from '@weft/protocol'
import type { Logger } from 'pino'
import type { Access } from '../access/Access.ts'
import { networkOf } from '../access/address.ts'
import type { NewDocuments } from '../access/NewDocuments.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import type { Clock } from '../clock.ts'
import { WeftError } from '../errors.ts'
import type { Bound, Meters } from '../Meters.ts'
import type { Dialect } from '../room/Member.ts'
import type { Outlet } from '../room/Outlet.ts'
import type { Rooms } from '../room/Rooms.ts'
import { Session, type SessionOptions, type SessionWatcher } from '../room/Session.ts'

export interface SessionServices {
  readonly access: Access
  readonly rooms: Rooms
  readonly audit: Audit
  readonly clock: Clock
  readonly logger: Logger
  readonly meters: Pick<Meters, 'overBound'>
  /** Left out: everybody may begin as many documents as they like. */
  readonly newDocuments?: NewDocuments
  readonly settings: {
    readonly maxSessionsPerDocument: number
    readonly maxDocumentsPerConnection: number
    readonly opensPerSecond: number
  }
}

/** Why there is no session: what a connection is closed with. */
export interface Refusal {
  readonly close: CloseName
  readonly text: string
}

/**
 * Opens a document for somebody.
 * @param isWanted asked once the document is there: whether anybody still waits for it
 * @param joined called at the moment at which the session is in its room, and may be ended: whoever ends it must know of it
 * @returns null where nobody waits for it
 */
export async function openSession(
  documentId: DocumentId,
  outlet: Outlet,
  dialect: Dialect,
  services: SessionServices,
  isWanted: () => boolean,
  joined: (session: Session) => void,
  options: SessionOptions = {},
): Promise<Session | Refusal | null> {
  const { rooms, audit, logger, meters, settings } = services
  const over = (bound: Bound, refusal: Refusal): Refusal => {
    meters.overBound(bound)
    return refusal
  }
  try {
    if (rooms.isCrowded) return over('sessions', { close: 'overload', text: 'too many sessions: retry after 30 s' })
    const room = await rooms.open(documentId)
    if (!isWanted()) return null
    if (room.isFailed) return { close: 'internal', text: 'this document cannot be written to now' }
    if (room.sessionCount >= settings.maxSessionsPerDocument) {
      const text = `${room.sessionCount} sessions are in this document: retry after 30 s`
      return over('sessions-of-document', { close: 'overload', text })
    }
    const beginning = beginningOf(outlet, options, services)
    const session = new Session(room, outlet, dialect, { ...options, ...beginning, watcher: watcherOf(audit) })
    room.join(session)
    joined(session)
    audit.record({ ...describe(session), action: 'opened', subject: session.grant.role })
    // Its right may have been taken back while the document was loaded.
    const right = options.grant?.review?.()
    if (right !== undefined && 'close' in right) {
      session.end()
      return right
    }
    session.review()
    return session
  } catch (error) {
    if (error instanceof WeftError && error.code === 'DOCUMENT_DELETED')
      return { close: 'deleted', text: 'the document was deleted' }
    if (error instanceof WeftError && error.code === 'OVERLOADED') {
      return over('open-documents', { close: 'overload', text: 'too many documents are open: retry after 30 s' })
    }
    logger.error({ err: error, document: documentId }, 'a document could not be read')
    return { close: 'internal', text: 'this document cannot be read now' }
  }
}

/** Programs of this machine may begin as many documents as they like: imports, say. */
function beginningOf(
  outlet: Outlet,
  { grant }: SessionOptions,
  { newDocuments, clock }: SessionServices,
): Pick<SessionOptions, 'begin'> {
  if (newDocuments === undefined || outlet.isLocal !== false) return {}
  const who = grant?.userId ?? networkOf(outlet.address)
  return { begin: () => newDocuments.take(who, clock.now()) }
}

const watchers = new WeakMap<Audit, SessionWatcher>()

/** The same for all sessions. */
function watcherOf(audit: Audit): SessionWatcher {
  const known = watchers.get(audit)
  if (known !== undefined) return known
  const watcher: SessionWatcher = {
    roleChanged: session => audit.record({ ...describe(session), action: 'role-changed', subject: session.grant.role }),
    ended: session => audit.record({ ...describe(session), action: 'ended', code: session.outlet.closeCode ?? null }),
  }
  watchers.set(audit, watcher)
  return watcher
}

function describe({ userId, outlet, room }: Session) {
  return { user: userId, address: outlet.address, document: room.documentId }
}
