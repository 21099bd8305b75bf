import type { DocumentId } from '@weft/protocol'

/** What is written down. PROTOCOL.md says what each is. */
export const auditActions = [
  'opened',
  'ended',
  'read',
  'created',
  'deleted',
  'restored',
  'purged',
  'role-changed',
  'link-made',
  'link-changed',
  'link-used',
  'link-revoked',
  'token-made',
  'revoked',
  'session-ended',
  'backup',
  'lost',
  'dropped',
] as const

export type AuditAction = (typeof auditActions)[number]

/** Who did what. No content, no tokens, no names of documents. */
export interface AuditEvent {
  readonly action: AuditAction
  /** The request's number in the logs; null: it came over a socket. */
  readonly request?: string | null
  /** Whose token it was; null: nobody is asked. */
  readonly user?: string | null
  readonly address?: string | null
  readonly document?: DocumentId | null
  /** Of what ended: the close code, or the API's. */
  readonly code?: number | string | null
  readonly bytes?: number | null
  /** The link, session, role or user that it was done to. */
  readonly subject?: string | null
}

/** As it is stored: a line of JSON. */
export interface AuditEntry {
  /** ISO 8601, UTC */
  readonly time: string
  readonly action: AuditAction
  readonly request: string | null
  readonly user: string | null
  readonly address: string | null
  /** The first 16 bytes of the SHA-256 of the document's name, hex. */
  readonly document: string | null
  readonly code: number | string | null
  readonly bytes: number | null
  readonly subject: string | null
  /** So many of the same that were counted, and not written down one by one; null: it is one. */
  readonly count: number | null
}

/** Where what happens is written down. */
export interface Audit {
  record(event: AuditEvent): void
}

export const noAudit: Audit = { record: () => {} }
