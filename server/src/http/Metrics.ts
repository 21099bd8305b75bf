import { closeCode } from '@weft/protocol'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { type Bound, bounds, type MeteredCommit, type Meters } from '../Meters.ts'

/** What is looked up when somebody asks for the metrics. */
export interface MetricsSources {
  readonly connections: () => number
  readonly sessions: () => number
  readonly rooms: () => number
  /** Bytes that wait to be read by clients: of all, and of the one that has most. */
  readonly unsent: () => { total: number; max: number }
  readonly pendingBytes: () => number
  readonly heldBytes: () => number
  readonly workerTasks: () => number
  /** Bytes of log entries that no snapshot holds yet, in open documents. */
  readonly tailBytes: () => number
  /** Open documents that are warned of, and that are full. */
  readonly sizes: () => { large: number; full: number }
  /** What counts towards bounds of memory. */
  readonly memory: () => {
    loaded: number
    openDocuments: number
    remembered: number
    incomplete: number
    waiting: number
  }
  readonly store: () => Promise<{ bytes: number; freeBytes: number }>
  /** Its files, and entries that went for want of room. */
  readonly audit: () => { bytes: number; dropped: number }
  /** How it stands with storing edits. */
  readonly damagedDocuments: () => number
  readonly scrubbedDocuments: () => number
  readonly saving: () => 'saving' | 'saving-failing' | 'disk-full'
  /** The bounds of some of these. */
  readonly limits: {
    readonly auditBytes: number
    readonly connections: number
    readonly unsentBytes: number
    readonly pendingBytes: number
    readonly heldBytes: number
    readonly workerTasks: number
    readonly loadedBytes: number
    readonly openDocumentBytes: number
    readonly rememberedBytes: number
    readonly incompleteBytes: number
    readonly sessions: number
    readonly rooms: number
  }
}

/** Ours, and what clients and sockets say: going away, no code, broken off. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  1000,
  1001,
  1005,
  1006,
  ...Object.values(closeCode).map(({ code }) => code),
])
const SECOND = 1000
/** From an fsync on a fast disk to a disk that stalls, in seconds. */
const COMMIT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]
const ACK_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30]
const COMPACTION_SECONDS = [0.005, 0.025, 0.1, 0.5, 2, 10, 60]
const DOCUMENTS = [1, 2, 5, 10, 25, 50, 100, 250, 1000]

/** Counts what happens, for Prometheus. `server/dashboards/weft.json` draws it all. */
export class Metrics implements Meters {
  readonly registry = new Registry()
  // Plain numbers, added up at each scrape: a counter's own addition costs more than some of what it counts.
  #receivedMessages = 0
  #receivedBytes = 0
  #sentBytes = 0
  readonly #closes = new Counter({
    name: 'weft_closes_total',
    help: 'connections that ended, by close code',
    labelNames: ['code'],
    registers: [this.registry],
  })
  readonly #refusals = new Counter({
    name: 'weft_refusals_total',
    help: 'upgrades refused, by HTTP status',
    labelNames: ['status'],
    registers: [this.registry],
  })
  readonly #overBounds = new Counter({
    name: 'weft_over_bound_total',
    help: 'connections, sessions and requests refused because of a bound, by its name',
    labelNames: ['bound'],
    registers: [this.registry],
  })
  readonly #commitSeconds = this.#histogram('weft_commit_seconds', 'duration of a durable write', COMMIT_SECONDS)
  readonly #commitDocuments = this.#histogram('weft_commit_documents', 'documents in one durable write', DOCUMENTS)
  readonly #commitEntries = this.#counter('weft_commit_entries_total', 'log entries written')
  readonly #commitBytes = this.#counter('weft_commit_bytes_total', 'bytes of log entries written')
  readonly #commitFailures = this.#counter('weft_commit_failures_total', 'writes that failed, to be tried again')
  readonly #ackSeconds = this.#histogram('weft_ack_seconds', 'time until an acknowledgement is returned', ACK_SECONDS)
  readonly #compactionSeconds = this.#histogram(
    'weft_compaction_seconds',
    'duration of a compaction',
    COMPACTION_SECONDS,
  )
  readonly #compactionFailures = this.#counter('weft_compaction_failures_total', 'compactions that failed')

  readonly #massDeletions = this.#counter('weft_mass_deletions_total', 'commits that deleted most of a document')

  /** Numbers of the process too: CPU, memory, garbage collection, event-loop delay (`process_…`, `nodejs_…`). */
  constructor() {
    // The default of 10 ms wakes an idle process a hundred times a second.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 50 })
    // All that there are, from the start: a rate needs a value before the first one.
    for (const bound of bounds) this.#overBounds.inc({ bound }, 0)
    this.#tally('weft_received_messages_total', 'messages that came in', () => this.#receivedMessages)
    this.#tally('weft_received_bytes_total', 'bytes of messages that came in', () => this.#receivedBytes)
    this.#tally('weft_sent_bytes_total', 'bytes of frames written to clients', () => this.#sentBytes)
  }

  /** @param sources looked up at each scrape */
  watch(sources: MetricsSources): void {
    const { limits } = sources
    this.#gauge('weft_connections', 'open WebSockets', sources.connections)
    this.#gauge('weft_connections_limit', 'most WebSockets at a time', () => limits.connections)
    this.#gauge('weft_sessions', 'clients in documents', sources.sessions)
    this.#gauge('weft_rooms', 'open documents', sources.rooms)
    this.#gauge('weft_pending_bytes', 'edits that wait for the disk', sources.pendingBytes)
    this.#gauge('weft_pending_bytes_limit', 'above it nothing more is read', () => limits.pendingBytes)
    this.#gauge('weft_unsent_bytes', 'bytes that wait to be read by clients', () => sources.unsent().total)
    this.#gauge('weft_unsent_bytes_max', 'the same, of the slowest client', () => sources.unsent().max)
    this.#gauge('weft_unsent_bytes_limit', 'above it a client is written to no more', () => limits.unsentBytes)
    this.#gauge('weft_held_bytes', 'stored bytes held in memory for joiners', sources.heldBytes)
    this.#gauge('weft_held_bytes_limit', 'what is held beyond it is in use', () => limits.heldBytes)
    this.#gauge('weft_worker_tasks', 'tasks that wait for a worker, or run', sources.workerTasks)
    this.#gauge('weft_worker_tasks_limit', 'above it tasks are refused', () => limits.workerTasks)
    this.#gauge('weft_compaction_debt_bytes', 'log entries that no snapshot holds yet', sources.tailBytes)
    this.#gauge('weft_damaged_documents', 'documents found damaged since the start', sources.damagedDocuments)
    this.#tally(
      'weft_scrubbed_documents_total',
      'documents read and checked in the background',
      sources.scrubbedDocuments,
    )
    this.#gauge('weft_saving_failing', '1 while writes fail, and are tried again', () =>
      sources.saving() === 'saving-failing' ? 1 : 0,
    )
    this.#gauge('weft_disk_full', '1 while too little space is left, and documents can only be read', () =>
      sources.saving() === 'disk-full' ? 1 : 0,
    )
    this.#gauge('weft_documents_large', 'open documents that are near their size limit', () => sources.sizes().large)
    this.#gauge(
      'weft_documents_full',
      'open documents that are at it, and can only be read',
      () => sources.sizes().full,
    )
    this.#gauge('weft_loaded_bytes', 'stored bytes that are held or being sent', () => sources.memory().loaded)
    this.#gauge('weft_loaded_bytes_limit', 'above it documents wait to be read', () => limits.loadedBytes)
    this.#gauge('weft_open_document_bytes', 'what is known of open documents', () => sources.memory().openDocuments)
    this.#gauge('weft_open_document_bytes_limit', 'above it none is opened', () => limits.openDocumentBytes)
    this.#gauge('weft_remembered_bytes', 'what sessions are owed', () => sources.memory().remembered)
    this.#gauge('weft_remembered_bytes_limit', 'above it sessions are refused', () => limits.rememberedBytes)
    this.#gauge('weft_incomplete_bytes', 'large messages that come in', () => sources.memory().incomplete)
    this.#gauge('weft_incomplete_bytes_limit', 'above it they wait', () => limits.incompleteBytes)
    this.#gauge('weft_paused_connections', 'connections that aren’t read now', () => sources.memory().waiting)
    this.#gauge('weft_sessions_limit', 'most clients in documents at a time', () => limits.sessions)
    this.#gauge('weft_rooms_limit', 'most open documents at a time', () => limits.rooms)
    this.#gauge('weft_audit_bytes', 'size of the audit log', () => sources.audit().bytes)
    this.#gauge('weft_audit_bytes_limit', 'above it the oldest entries go', () => limits.auditBytes)
    this.#tally(
      'weft_audit_dropped_entries_total',
      'entries of the audit log that went for want of room',
      () => sources.audit().dropped,
    )
    this.#gauge('weft_store_bytes', 'size of the store', async () => (await sources.store()).bytes)
    this.#gauge('weft_store_free_bytes', 'space left for it', async () => (await sources.store()).freeBytes)
  }

  received(bytes: number): void {
    this.#receivedMessages++
    this.#receivedBytes += bytes
  }

  sent(bytes: number): void {
    this.#sentBytes += bytes
  }

  closed(code: number): void {
    // A client may say any code from 3000 to 4999: each would be a series of its own.
    this.#closes.inc({ code: KNOWN_CODES.has(code) ? code : 'other' })
  }

  refused(status: number): void {
    this.#refusals.inc({ status })
  }

  overBound(bound: Bound): void {
    this.#overBounds.inc({ bound })
  }

  committed({ durationMs, documents, entries, bytes }: MeteredCommit): void {
    this.#commitSeconds.observe(durationMs / SECOND)
    this.#commitDocuments.observe(documents)
    this.#commitEntries.inc(entries)
    this.#commitBytes.inc(bytes)
  }

  commitFailed(): void {
    this.#commitFailures.inc()
  }

  acknowledged(latencyMs: number): void {
    this.#ackSeconds.observe(latencyMs / SECOND)
  }

  compacted(durationMs: number): void {
    this.#compactionSeconds.observe(durationMs / SECOND)
  }

  massDeletion(): void {
    this.#massDeletions.inc()
  }

  compactionFailed(): void {
    this.#compactionFailures.inc()
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] })
  }

  #tally(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.registry] })
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      async collect() {
        this.set(await read())
      },
    })
  }
}
