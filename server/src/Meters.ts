/** One durable write for all documents that were due. */
export interface MeteredCommit {
  readonly durationMs: number
  readonly documents: number
  /** Entries of the log. */
  readonly entries: number
  readonly bytes: number
}

/** Bounds above which somebody is refused, by the names that the metrics give them. */
export const bounds = [
  'acknowledgements',
  'connections',
  'connections-of-address',
  'connections-of-user',
  'controls',
  'document-size',
  'fragments',
  'incomplete-bytes',
  'link-entries',
  'link-tries',
  'message-bytes',
  'new-documents',
  'open-documents',
  'opened-documents',
  'pending-edits',
  'receipts',
  'remembered-bytes',
  'requests',
  'rights-changes',
  'sessions',
  'sessions-of-document',
  'silence',
  'slow-reader',
  'stranger-bytes',
  'trickle',
  'unsent-bytes',
  'waiting-requests',
] as const

export type Bound = (typeof bounds)[number]

/** Whoever counts what happens. Called for every message: nothing here may take longer than an addition. */
export interface Meters {
  /** A message's bytes came in. */
  received(bytes: number): void
  /** Bytes were written to a connection. */
  sent(bytes: number): void
  /** A connection ended, by whichever side. */
  closed(code: number): void
  /** An upgrade was refused with an HTTP status. */
  refused(status: number): void
  committed(commit: MeteredCommit): void
  commitFailed(): void
  /** From the moment an acknowledgement was asked for until it was returned. */
  acknowledged(latencyMs: number): void
  compacted(durationMs: number): void
  compactionFailed(): void
  /** Somebody was refused because of a bound. */
  overBound(bound: Bound): void
  /** A commit deleted most of a document. */
  massDeletion(): void
}

const nothing = () => {}

/** Counts nothing. */
export const noMeters: Meters = {
  received: nothing,
  sent: nothing,
  closed: nothing,
  refused: nothing,
  committed: nothing,
  commitFailed: nothing,
  acknowledged: nothing,
  compacted: nothing,
  compactionFailed: nothing,
  overBound: nothing,
  massDeletion: nothing,
}
