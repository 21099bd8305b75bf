/** One durable write for all documents that were due. */
export interface MeteredCommit {
  readonly durationMs: number
  readonly documents: number
  /** Entries of the log. */
  readonly entries: number
  readonly bytes: number
}

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
  massDeletion: nothing,
}
