import { documentParts, splitPart } from '@weft/protocol'
import { z } from 'zod'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import type { Member } from '../room/Member.ts'
import type { Rooms } from '../room/Rooms.ts'
import { actorOf } from './ApiActor.ts'
import { ApiError } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { documentName, isoTime, limit, orNull, role, time } from './apiSchemas.ts'

const sessionId = z.string().max(64).meta({ description: 'a session’s id' })

const sessionSchema = z
  .strictObject({
    id: sessionId,
    document: z.string(),
    part: orNull(z.enum(documentParts)).meta({ description: 'of the document; null: the document itself' }),
    user: orNull(z.string()).meta({ description: 'the token’s `sub`; null: nobody is asked' }),
    name: orNull(z.string()),
    role: orNull(role).meta({ description: 'null: nobody is asked' }),
    dialect: z.enum(['y-websocket', 'hocuspocus']),
    address: z.string().meta({ description: 'IP address' }),
    openedAt: time,
  })
  .meta({ id: 'Session' })

export interface SessionRouteServices {
  readonly rooms: Rooms
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly audit: Audit
}

/** Who is connected. */
export function sessionRoutes({ rooms, gate, proxies, audit }: SessionRouteServices): ApiRoute[] {
  const list = defineRoute({
    method: 'get',
    path: '/sessions',
    id: 'listSessions',
    tag: 'sessions',
    summary: 'Who is connected',
    description: 'Those in a document for its owners; without one, all, for an owner of every document.',
    query: z.strictObject({ document: documentName.optional(), limit: limit(1000, 20_000) }),
    answers: {
      200: {
        description: 'the sessions, the oldest first',
        schema: z.strictObject({
          sessions: z.array(sessionSchema),
          count: z.int().meta({ description: 'how many there are, listed or not' }),
        }),
      },
    },
    async handle({ request, query: { document, limit: most } }) {
      if (document === undefined) await gate.admitEverywhere(request, 'owner')
      else await gate.admit(request, document, 'owner')
      const isWanted = ({ documentId }: Member) => document === undefined || splitPart(documentId).document === document
      const found = [...rooms.sessions()].filter(isWanted)
      found.sort((a, b) => a.openedAt - b.openedAt)
      return { status: 200, body: { sessions: found.slice(0, most).map(show), count: found.length } }
    },
  })

  const end = defineRoute({
    method: 'delete',
    path: '/sessions/{session}',
    id: 'endSession',
    tag: 'sessions',
    summary: 'End a session',
    description:
      'An owner of its document. It ends with 4403, and its client does not come back by itself. Whoever must not come back at all needs a revocation.',
    params: z.strictObject({ session: sessionId }),
    answers: {
      200: { description: 'it has ended', schema: z.strictObject({ session: sessionId, ended: z.literal(true) }) },
    },
    errors: ['not-found', 'cross-site'],
    async handle({ request, params }) {
      const session = [...rooms.sessions()].find(candidate => candidate.id === params.session)
      if (session === undefined) {
        await gate.readable(request)
        throw new ApiError('not-found', 'there is no such session')
      }
      const document = session.documentId
      const { userId } = await gate.admit(request, document, 'owner')
      const subject = `${session.userId ?? 'nobody'} ${session.outlet.address}`
      session.outlet.close('forbidden', 'an owner of the document ended this session')
      audit.record({ ...actorOf(request, proxies, userId), action: 'session-ended', document, subject })
      return { status: 200, body: { session: params.session, ended: true } }
    },
  })

  return [list, end]
}

function show(session: Member) {
  const { id, documentId, userId, grant, dialect, outlet, openedAt } = session
  return {
    id,
    ...splitPart(documentId),
    user: userId,
    name: grant.userName,
    role: userId === null ? null : grant.role,
    dialect,
    address: outlet.address,
    openedAt: isoTime(openedAt),
  }
}
