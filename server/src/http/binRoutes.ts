import { type DocumentId, keptParts } from '@weft/protocol'
import { z } from 'zod'
import type { Access } from '../access/Access.ts'
import { includesRole } from '../access/Role.ts'
import type { TrustedProxies } from '../access/TrustedProxies.ts'
import type { Audit } from '../audit/AuditEntry.ts'
import type { DocumentGrowth } from '../room/DocumentGrowth.ts'
import type { Documents } from '../room/Documents.ts'
import type { Rooms } from '../room/Rooms.ts'
import { actorOf } from './ApiActor.ts'
import { ApiError } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { documentName, isoTime, limit, orNull, time } from './apiSchemas.ts'

const DAY_MS = 24 * 60 * 60_000

const factsSchema = z
  .strictObject({
    document: z.string(),
    state: z.enum(['there', 'missing', 'deleted']),
    version: z.int().meta({ description: 'the place in its log: `Weft-Version`' }),
    bytes: z.int().meta({ description: 'of its snapshot, and of the edits since' }),
    clients: z.int().meta({ description: 'Yjs clients that ever wrote in it' }),
    structs: z
      .int()
      .meta({ description: 'what Yjs has an object for, each: a run of text that was typed in one go is one' }),
    size: z
      .enum(['fine', 'large', 'full'])
      .meta({ description: 'large: it is warned of; full: it can only be read, and shortened' }),
    maxBytes: z.int().meta({ description: '`WEFT_MAX_DOCUMENT_BYTES`' }),
    massDeletions: z
      .array(
        z.strictObject({
          keptAs: z.enum(keptParts).meta({ description: 'the `part` that holds the state before' }),
          at: time,
        }),
      )
      .meta({
        description: 'when most of it was deleted at once, the oldest first, as far as the state before is kept',
      }),
    operations: z.int().meta({ description: 'what they ever inserted: a character, a mark, an element are one each' }),
    sessions: z.int().meta({ description: 'who has it open now' }),
    createdAt: orNull(time),
    updatedAt: orNull(time).meta({ description: 'null: not known any more' }),
    deletedAt: orNull(time),
  })
  .meta({ id: 'DocumentFacts' })

const binned = z.strictObject({
  name: z.string(),
  createdAt: time,
  deletedAt: time,
  purgedAt: orNull(time).meta({ description: 'when it goes for good; null: it has' }),
})

export interface BinServices {
  readonly access: Access
  readonly documents: Documents
  readonly rooms: Rooms
  readonly gate: ApiGate
  readonly proxies: TrustedProxies
  readonly audit: Audit
  readonly growth: DocumentGrowth
  readonly settings: {
    /** How long what is deleted is kept. */
    readonly binDays: number
    readonly warnDocumentBytes: number
    readonly maxDocumentBytes: number
  }
}

/** What is known of documents beside their content, and what becomes of deleted ones. */
export function binRoutes(services: BinServices): ApiRoute[] {
  const { access, documents, rooms, gate, proxies, audit, growth, settings } = services
  const describe = defineRoute({
    method: 'get',
    path: '/metadata',
    id: 'describeDocument',
    tag: 'documents',
    summary: 'What is known of a document beside its content',
    description: 'A viewer. Of a deleted document: an owner.',
    query: z.strictObject({ document: documentName }),
    answers: { 200: { description: 'the facts', schema: factsSchema } },
    errors: ['deleted', 'busy', 'damaged'],
    async handle({ request, query: { document } }) {
      const grant = await gate.admit(request, document, 'viewer')
      const holder = await gate.holderOf(request)
      const facts = await documents.describe(document, holder)
      if (facts.presence === 'deleted' && !includesRole(grant.role, 'owner')) {
        throw new ApiError('deleted', 'the document was deleted')
      }
      const { version, bytes, clients, operations } = facts
      const { structs, massDeletions } = await growth.of(document, holder)
      const { warnDocumentBytes, maxDocumentBytes } = settings
      const orNever = (at: number | null) => (at === null ? null : isoTime(at))
      return {
        status: 200,
        body: {
          document: document as string,
          state: facts.presence,
          version,
          bytes,
          clients,
          structs,
          size: bytes >= maxDocumentBytes ? 'full' : bytes >= warnDocumentBytes ? 'large' : 'fine',
          maxBytes: maxDocumentBytes,
          massDeletions: massDeletions.map(({ keptAs, at }) => ({ keptAs, at: isoTime(at) })),
          operations,
          sessions: rooms.sessionsIn(document),
          createdAt: orNever(facts.createdAt),
          updatedAt: orNever(facts.updatedAt),
          deletedAt: orNever(facts.deletedAt),
        },
      }
    },
  })

  const list = defineRoute({
    method: 'get',
    path: '/bin',
    id: 'listBin',
    tag: 'documents',
    summary: 'List deleted documents',
    description: 'Those that the token owns, by name.',
    query: z.strictObject({
      prefix: z.string().default(''),
      after: z.string().optional(),
      limit: limit(100, 1000),
    }),
    answers: {
      200: {
        description: 'a part of the list',
        schema: z.strictObject({ documents: z.array(binned), next: orNull(z.string()) }),
      },
    },
    errors: ['busy'],
    async handle({ request, query }) {
      const scopes = await gate.readable(request)
      const verified = await gate.verify(request)
      const mayOwn = (documentId: DocumentId) => {
        const grant = access.grant(verified, documentId)
        return verified === null || (!('close' in grant) && includesRole(grant.role, 'owner'))
      }
      const { prefix, after = null, limit: most } = query
      const found: z.input<typeof binned>[] = []
      for await (const { documentId, createdAt, deletedAt } of documents.list({
        scopes,
        prefix,
        after,
        deleted: true,
      })) {
        if (deletedAt === null || !mayOwn(documentId)) continue
        if (found.length === most) return { status: 200, body: { documents: found, next: found.at(-1)?.name ?? null } }
        const { isStored } = await documents.describe(documentId)
        const purgedAt = isStored ? isoTime(deletedAt + settings.binDays * DAY_MS) : null
        found.push({ name: documentId, createdAt: isoTime(createdAt), deletedAt: isoTime(deletedAt), purgedAt })
      }
      return { status: 200, body: { documents: found, next: null } }
    },
  })

  const restore = defineRoute({
    method: 'post',
    path: '/bin/restore',
    id: 'restoreDocument',
    tag: 'documents',
    summary: 'Take a document out of the bin',
    description: 'An owner. It is what it was; whoever comes back to it finds it, and a replica brings what it has.',
    body: z.strictObject({ document: documentName }),
    answers: {
      200: { description: 'it is there', schema: z.strictObject({ document: z.string(), restored: z.literal(true) }) },
    },
    errors: ['cross-site', 'not-found', 'deleted', 'bad-type', 'too-large', 'busy', 'damaged'],
    async handle({ request, body: { document } }) {
      const { userId } = await gate.admit(request, document, 'owner')
      const found = await documents.restore(document)
      if (found === 'purged') throw new ApiError('deleted', 'nothing is left of this document')
      if (found !== 'deleted') throw new ApiError('not-found', 'this document is not in the bin')
      audit.record({ ...actorOf(request, proxies, userId), action: 'restored', document })
      return { status: 200, body: { document: document as string, restored: true } }
    },
  })

  return [describe, list, restore]
}
