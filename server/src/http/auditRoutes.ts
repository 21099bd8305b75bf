import { documentParts, partOf } from '@weft/protocol'
import { z } from 'zod'
import { auditActions } from '../audit/AuditEntry.ts'
import { type AuditLog, documentHash } from '../audit/AuditLog.ts'
import { ApiError } from './ApiError.ts'
import type { ApiGate } from './ApiGate.ts'
import { type ApiRoute, defineRoute } from './ApiRoute.ts'
import { documentName, limit, orNull, time } from './apiSchemas.ts'

/** Entries that one request looks at; where it was looking for a few, it says where to go on. */
const MAX_LOOKED_AT = 50_000

const entrySchema = z
  .strictObject({
    time,
    action: z.enum(auditActions),
    request: orNull(z.string()).meta({ description: 'the answer’s `X-Request-Id`; null: it came over a socket' }),
    user: orNull(z.string()),
    address: orNull(z.string()),
    document: orNull(z.string()).meta({ description: 'the first 16 bytes of the SHA-256 of its name, hex' }),
    code: z.union([z.string(), z.number(), z.null()]).meta({ description: 'the close code of what ended' }),
    bytes: orNull(z.number()),
    subject: orNull(z.string()).meta({ description: 'the link, token, session or user that it was done to' }),
    count: orNull(z.int()).meta({
      description: 'so many of the same, which were counted and not written one by one; null: one',
    }),
  })
  .meta({ id: 'AuditEntry' })

/** @param log null: nothing is written down */
export function auditRoutes({ log, gate }: { log: AuditLog | null; gate: ApiGate }): ApiRoute[] {
  const read = defineRoute({
    method: 'get',
    path: '/audit',
    id: 'readAudit',
    tag: 'store',
    summary: 'Who did what',
    description: 'An owner of every document. The oldest first; `next` is where to go on (`after`), null at the end.',
    query: z.strictObject({
      after: z
        .string()
        .regex(/^\d{4}-\d\d-\d\d\.\d{1,9}$/u, 'no place in the audit log')
        .optional(),
      limit: limit(1000, 10_000),
      document: documentName.optional().meta({ description: 'entries about this document' }),
      action: z.enum(auditActions).optional(),
      user: z.string().max(255).optional(),
      from: z.iso.date().optional().meta({ description: 'the first day (UTC)' }),
    }),
    answers: {
      200: {
        description: 'entries',
        schema: z.strictObject({ entries: z.array(entrySchema), next: orNull(z.string()) }),
      },
    },
    errors: ['not-found'],
    async handle({ request, query }) {
      await gate.admitEverywhere(request, 'owner')
      if (log === null) throw new ApiError('not-found', 'nothing is written down: WEFT_AUDIT_DAYS is 0')
      // What was done in its comments was done there.
      const { document } = query
      const ids = document === undefined ? [] : [document, ...documentParts.map(part => partOf(document, part))]
      const hashes = document === undefined ? null : new Set<unknown>(ids.map(documentHash))
      const entries: unknown[] = []
      let next: string | null = null
      let lookedAt = 0
      const begin = query.after ?? (query.from === undefined ? null : `${query.from}.0`)
      for await (const { entry, place } of log.read(begin)) {
        if (entries.length === query.limit || lookedAt === MAX_LOOKED_AT)
          return { status: 200, body: { entries, next } }
        lookedAt++
        next = place
        if (hashes !== null && !hashes.has(entry.document)) continue
        if (query.action !== undefined && entry.action !== query.action) continue
        if (query.user !== undefined && entry.user !== query.user) continue
        entries.push(entry)
      }
      return { status: 200, body: { entries, next: null } }
    },
  })
  return [read]
}
