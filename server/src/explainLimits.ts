import { availableParallelism } from 'node:os'
import { HTTP_CONNECTIONS } from './access/requestFault.ts'
import { MAX_WAITING_BYTES } from './audit/AuditLog.ts'
import type { Config } from './config.ts'
import { describeSettings } from './describeSettings.ts'
import { limits } from './limits.ts'
import { LOAD_WIDTH } from './room/BytesCache.ts'
import { MAX_CONTENT_TASKS } from './room/Documents.ts'
import { threadsThatFit } from './worker/Workshop.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Node, the code, and a heap that collects late: measured idle (90 MiB), and doubled. */
const PROCESS_BYTES = 200 * MiB
/**
 * A connection that says nothing: measured 9 KiB (`npm run bench`, scenario `connections`), 25 KiB with TLS or compression;
 * and what a Hocuspocus socket remembers of documents that it was refused.
 */
const CONNECTION_BYTES = 32 * KiB + 100 * KiB
/** One read of the socket, and what was read of messages that are not large: both up to 64 KiB. */
const RECEIVE_BYTES = 128 * KiB
/** A session with its place in a room. */
const SESSION_BYTES = 4 * KiB
/** Up to ten of what it owes and remembers isn't counted. */
const SMALL_REMEMBERED_BYTES = 8 * KiB
/** A thread without a heap: its stack, its code. */
const THREAD_BYTES = 50 * MiB
/** LevelDB: cache of blocks, two write buffers, files that are open. */
const STORE_BYTES = 64 * MiB
/**
 * What the parts of the API hold of bodies and answers (`ByteBudget`): documents 128 MiB in and 64 MiB out, uploads 64 MiB each way,
 * others 4 MiB.
 */
const BODY_BYTES = 328 * MiB
/** An edit that waits is also merged, and framed for its readers. */
const PENDING_COPIES = 4
/** A task's bytes are copied on the way to its thread, and there. */
const WORKER_COPIES = 2
/** A message is put together from its parts when its last one comes. */
const MESSAGE_COPIES = 2
/** Entries of the audit log are strings, and a text of them all while they are written. */
const AUDIT_COPIES = 3
/** Rates of 10,000 users, addresses and links: eight kinds, of up to 500 bytes each. What they do again and again: 10,000 times 1 KiB. */
const COUNTED_BYTES = 8 * 10_000 * 500 + 10_000 * KiB
/** V8 collects what is garbage when there is enough of it. */
const HEAP_FACTOR = 1.3

/** One thing that takes memory. */
export interface MemoryTerm {
  readonly what: string
  /** How its bound comes about, in the names of settings. */
  readonly formula: string
  readonly bytes: number
}

/** What the process holds at most, whoever attacks it: each buffer, queue and table, with its bound. */
export function memoryTerms(config: Config): MemoryTerm[] {
  const connections = config.maxConnections + HTTP_CONNECTIONS
  const threads = threadsThatFit(config.workers)
  const frame = config.maxMessageBytes
  return [
    { what: 'the process itself', formula: 'constant', bytes: PROCESS_BYTES },
    {
      what: 'connections',
      formula: `(WEFT_MAX_CONNECTIONS + ${HTTP_CONNECTIONS}) × (${(CONNECTION_BYTES + RECEIVE_BYTES) / KiB} KiB + 2 × headers)`,
      bytes: connections * (CONNECTION_BYTES + RECEIVE_BYTES + 2 * config.maxHeaderBytes),
    },
    {
      what: 'large messages that come in or are worked on',
      formula: `${MESSAGE_COPIES} × WEFT_MAX_INCOMPLETE_BYTES + WEFT_MAX_MESSAGE_BYTES`,
      bytes: MESSAGE_COPIES * config.maxIncompleteBytes + frame,
    },
    {
      what: 'what clients have not read yet',
      formula: 'WEFT_MAX_TOTAL_UNSENT_BYTES + WEFT_MAX_MESSAGE_BYTES + WEFT_MAX_CONNECTIONS × 64 KiB',
      bytes: config.maxTotalUnsentBytes + frame + config.maxConnections * 64 * KiB,
    },
    {
      what: 'sessions',
      formula: `WEFT_MAX_SESSIONS × ${(SESSION_BYTES + SMALL_REMEMBERED_BYTES) / KiB} KiB`,
      bytes: config.maxSessions * (SESSION_BYTES + SMALL_REMEMBERED_BYTES),
    },
    { what: 'what sessions are owed', formula: 'WEFT_MAX_REMEMBERED_BYTES', bytes: config.maxRememberedBytes },
    {
      what: 'what is known of open documents, awareness',
      formula: '1.5 × WEFT_MAX_OPEN_DOCUMENT_BYTES',
      bytes: 1.5 * config.maxOpenDocumentBytes,
    },
    {
      what: 'edits that wait for the disk',
      formula: `${PENDING_COPIES} × (WEFT_MAX_PENDING_BYTES + WEFT_MAX_MESSAGE_BYTES)`,
      bytes: PENDING_COPIES * (config.maxPendingBytes + frame),
    },
    {
      what: 'stored bytes of documents, for readers and compaction',
      formula: `WEFT_MAX_LOADED_BYTES + ${LOAD_WIDTH} × 2 × WEFT_MAX_DOCUMENT_BYTES`,
      bytes: config.maxLoadedBytes + LOAD_WIDTH * 2 * config.maxDocumentBytes,
    },
    {
      what: 'tasks of threads',
      formula: `2 pools × ${WORKER_COPIES} × WEFT_WORKER_BYTES`,
      bytes: 2 * WORKER_COPIES * config.workerBytes,
    },
    {
      what: `heaps of ${threads + MAX_CONTENT_TASKS} threads`,
      formula: `(${threads} + ${MAX_CONTENT_TASKS}) × (WEFT_WORKER_HEAP_MIB + ${THREAD_BYTES / MiB} MiB)`,
      bytes: (threads + MAX_CONTENT_TASKS) * (config.workerHeapMiB * MiB + THREAD_BYTES),
    },
    { what: 'bodies of requests and answers', formula: 'constant', bytes: BODY_BYTES },
    { what: 'entries that wait for the audit log', formula: 'constant', bytes: AUDIT_COPIES * MAX_WAITING_BYTES },
    { what: 'what is counted of users, addresses and links', formula: 'constant', bytes: COUNTED_BYTES },
    { what: 'the store', formula: 'constant', bytes: STORE_BYTES },
  ]
}

/** What the process takes at most, in bytes: all terms, and garbage that isn't collected yet. */
export function memoryBound(config: Config): number {
  const terms = memoryTerms(config)
  const heaps = terms.filter(({ what }) => what.startsWith('heaps of')).reduce((sum, { bytes }) => sum + bytes, 0)
  const sum = terms.reduce((total, { bytes }) => total + bytes, 0)
  // Threads' heaps have limits of their own, garbage included.
  return Math.ceil((sum - heaps) * HEAP_FACTOR + heaps)
}

/** The text of `--explain-limits`: every bound with its value, and what they cost in memory. */
export function explainLimits(config: Config): string {
  const help = new Map(describeSettings().map(row => [row.env, row.help]))
  const bounds = Object.entries(limits).map(([name, setting]) => {
    const value: unknown = Reflect.get(config, name)
    const text = Array.isArray(value)
      ? value.join(',') || 'any'
      : `${group(Number(value))} ${'unit' in setting ? setting.unit : ''}`
    return [setting.env, text, help.get(setting.env) ?? ''] as const
  })
  const terms = memoryTerms(config)
  const lines = [
    'Bounds, and what happens above them:',
    '',
    ...table(bounds),
    '',
    'What they cost in memory, at most:',
    '',
    ...table(terms.map(({ what, formula, bytes }) => [inMiB(bytes), what, formula])),
    '',
    `${inMiB(memoryBound(config))} in all, with garbage that waits to be collected (× ${HEAP_FACTOR}, but for the heaps of threads).`,
    `On the disk, the audit log has ${inMiB(config.maxAuditBytes)} at most (WEFT_MAX_AUDIT_BYTES, and a sixteenth while it is written), the files of`,
    `one document ${inMiB(config.maxDocumentUploadBytes)} (WEFT_MAX_DOCUMENT_UPLOAD_BYTES). Documents are as many as are made.`,
    `The heap of the process itself has a limit of Node's: NODE_OPTIONS=--max-old-space-size=MiB. This machine has ${availableParallelism()} cores.`,
    '',
  ]
  return lines.join('\n')
}

function table(rows: readonly (readonly [string, string, string])[]): string[] {
  const widths = [0, 1].map(column => Math.max(...rows.map(row => (row[column] ?? '').length)))
  return rows.map(
    ([first, second, third]) => `  ${first.padEnd(widths[0] ?? 0)}  ${second.padEnd(widths[1] ?? 0)}  ${third}`,
  )
}

/** As people read it: `18 088 MiB`. */
export function inMiB(bytes: number): string {
  return `${group(Math.ceil(bytes / MiB))} MiB`
}

function group(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/gu, ' ')
}
