import type { IntegerSetting, ListSetting, Setting } from './Setting.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

function integer(
  env: `WEFT_${string}`,
  unit: string,
  [value, min, max]: readonly [value: number, min: number, max: number],
  help: string,
): IntegerSetting {
  return { type: 'integer', env, unit, default: value, min, max, help }
}

const anyName: ListSetting = {
  type: 'list',
  env: 'WEFT_ROOT_NAMES',
  default: [],
  pattern: /^[^\s,]{1,255}$/u,
  allowed: 'names of root types such as default, separated by commas',
  help: 'the only names of root types (`doc.getText(name)`) that documents may have; none: any',
}

/** Every bound that may be set, once: part of `settings`. What they cost at most in memory: `explainLimits`. */
export const limits = {
  // ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────────────
  maxHeaderBytes: integer(
    'WEFT_MAX_HEADER_BYTES',
    'bytes',
    [16 * KiB, 2 * KiB, MiB],
    'headers of a request; above it: 431',
  ),
  maxUrlBytes: integer('WEFT_MAX_URL_BYTES', 'bytes', [4 * KiB, 512, 64 * KiB], 'URL of an upgrade; above it: 414'),
  headersSeconds: integer('WEFT_HEADERS_SECONDS', 's', [10, 1, 600], 'a request’s headers must be there after so long'),
  requestSeconds: integer(
    'WEFT_REQUEST_SECONDS',
    's',
    [15, 1, 3600],
    'who has an answer may go on sending the request for so long',
  ),
  uploadSeconds: integer(
    'WEFT_UPLOAD_SECONDS',
    's',
    [300, 1, 86_400],
    'a request must have come after so long, with all that it uploads',
  ),
  requestsPerSecond: integer(
    'WEFT_REQUESTS_PER_SECOND',
    'requests/s',
    [100, 1, 1_000_000],
    'requests of one user to the API, of which a list, or content that is read or written, counts as five; twenty times as many of one address without a token, and of all guests of a link; above it: 429 (owners of every document are exempt, and this machine where nobody is asked)',
  ),
  requestBurst: integer('WEFT_REQUEST_BURST', 'requests', [2000, 10, 10_000_000], 'the same, at once'),
  rightsChangesPerMinute: integer(
    'WEFT_RIGHTS_CHANGES_PER_MINUTE',
    'requests/min',
    [10, 1, 1_000_000],
    'requests of one user that change rights, end sessions, delete or restore, after 100 times as many at once; above it: 429 (as above)',
  ),
  maxWaitingPerUser: integer(
    'WEFT_MAX_WAITING_PER_USER',
    'requests',
    [16, 1, 64],
    'requests of one user that wait for a thread, beside those that run: half of what does; above it: 429 (as above)',
  ),
  linkEntriesPerMinute: integer(
    'WEFT_LINK_ENTRIES_PER_MINUTE',
    'people/min',
    [100, 1, 1_000_000],
    'people who come by share links from one address, after ten times as many at once; ten times both by one link; above it: 429',
  ),

  // ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────
  maxConnections: integer(
    'WEFT_MAX_CONNECTIONS',
    'connections',
    [12_000, 1, 1_000_000],
    'connections at the same time; above it: 503',
  ),
  maxConnectionsPerAddress: integer(
    'WEFT_MAX_CONNECTIONS_PER_ADDRESS',
    'connections',
    [1000, 1, 1_000_000],
    'connections of one address (of IPv6: of its /64) that have shown no valid token (this machine is exempt, unless a proxy is between); above it: 429',
  ),
  maxKnownConnectionsPerAddress: integer(
    'WEFT_MAX_KNOWN_CONNECTIONS_PER_ADDRESS',
    'connections',
    [10_000, 1, 1_000_000],
    'connections of one address, those with a valid token too; above it: 429',
  ),
  maxConnectionsPerUser: integer(
    'WEFT_MAX_CONNECTIONS_PER_USER',
    'connections',
    [50, 1, 1_000_000],
    'connections of one user (a token’s `sub`); above it: 429, or close 1013 where the token came later',
  ),
  maxSessions: integer(
    'WEFT_MAX_SESSIONS',
    'sessions',
    [50_000, 1, 10_000_000],
    'clients in documents at the same time, over all connections; above it: close 1013',
  ),
  maxSessionsPerDocument: integer(
    'WEFT_MAX_SESSIONS_PER_DOCUMENT',
    'sessions',
    [2000, 1, 1_000_000],
    'sessions of one document; above it: close 1013',
  ),
  maxDocumentsPerConnection: integer(
    'WEFT_MAX_DOCUMENTS_PER_CONNECTION',
    'documents',
    [100, 1, 10_000],
    'documents open over one socket; `@weft/client` then takes another socket',
  ),
  opensPerSecond: integer(
    'WEFT_OPENS_PER_SECOND',
    'documents/s',
    [10, 1, 10_000],
    'documents opened over one socket, after 20 times as many at once',
  ),
  introductionSeconds: integer(
    'WEFT_INTRODUCTION_SECONDS',
    's',
    [60, 5, 3600],
    'a first message, and a valid token where one is asked for, must have come after so long; else close 1008',
  ),
  maxStrangerBytes: integer(
    'WEFT_MAX_STRANGER_BYTES',
    'bytes',
    [16 * KiB, 10 * KiB, MiB],
    'largest message before a valid token has come; above it: close 1009',
  ),
  pingSeconds: integer(
    'WEFT_PING_SECONDS',
    's',
    [15, 5, 600],
    'clients are pinged so often; two pings without a sign of life end the connection',
  ),
  leastBytes: integer(
    'WEFT_LEAST_BYTES',
    'bytes',
    [16 * KiB, 0, MiB],
    'what must come of an unfinished message in 10 s; below it: close 1008',
  ),
  controlsPerSecond: integer(
    'WEFT_CONTROLS_PER_SECOND',
    'frames/s',
    [10, 1, 10_000],
    'pings and pongs from a client, for 5 s; above it: close 1008',
  ),
  maxFragments: integer(
    'WEFT_MAX_FRAGMENTS',
    'frames',
    [1024, 1, 1_000_000],
    'frames of one message; above it: close 1008',
  ),
  maxBufferedChunks: integer(
    'WEFT_MAX_BUFFERED_CHUNKS',
    'reads',
    [4096, 16, 1_000_000],
    'reads of the network that one frame may come in; above it: close 1008',
  ),
  maxPendingPongs: integer(
    'WEFT_MAX_PENDING_PONGS',
    'frames',
    [16, 1, 10_000],
    'pongs that wait for a client that pings and does not read; above it none is added',
  ),

  // ── Messages ──────────────────────────────────────────────────────────────────────────────────────────────────────
  maxMessageBytes: integer(
    'WEFT_MAX_MESSAGE_BYTES',
    'bytes',
    [16 * MiB, 64 * KiB, GiB],
    'largest message that is accepted; above it: close 1009',
  ),
  messagesPerSecond: integer(
    'WEFT_MESSAGES_PER_SECOND',
    'messages/s',
    [2000, 10, 10_000_000],
    'messages per connection; above it the connection is read more slowly, never closed',
  ),
  messageBurst: integer(
    'WEFT_MESSAGE_BURST',
    'messages',
    [20_000, 10, 100_000_000],
    'messages that a connection may send at once',
  ),
  bytesPerSecond: integer(
    'WEFT_BYTES_PER_SECOND',
    'bytes/s',
    [MiB, KiB, GiB],
    'bytes per connection; above it the connection is read more slowly, never closed',
  ),
  byteBurst: integer(
    'WEFT_BYTE_BURST',
    'bytes',
    [32 * MiB, 64 * KiB, 4 * GiB],
    'bytes that a connection may send at once; at least the largest message',
  ),
  maxIncompleteBytes: integer(
    'WEFT_MAX_INCOMPLETE_BYTES',
    'bytes',
    [256 * MiB, 16 * MiB, 64 * GiB],
    'messages over 64 KiB that are coming in or worked on, of all connections; above it they wait',
  ),
  maxRememberedBytes: integer(
    'WEFT_MAX_REMEMBERED_BYTES',
    'bytes',
    [128 * MiB, MiB, 16 * GiB],
    'questions and acknowledgements that sessions are owed, of all sessions; above it: close 1013',
  ),
  questionsPerSecond: integer(
    'WEFT_QUESTIONS_PER_SECOND',
    'questions/s',
    [2, 1, 10_000],
    'sync steps 1 and awareness queries of a client; what comes faster waits, and shares an answer',
  ),
  questionBurst: integer('WEFT_QUESTION_BURST', 'questions', [10, 1, 10_000], 'the same, at once'),
  maxUnsentBytes: integer(
    'WEFT_MAX_UNSENT_BYTES',
    'bytes',
    [MiB, 16 * KiB, GiB],
    'unsent bytes of a connection above which it is written to no more until it has read them',
  ),
  maxTotalUnsentBytes: integer(
    'WEFT_MAX_TOTAL_UNSENT_BYTES',
    'bytes',
    [512 * MiB, 16 * MiB, 64 * GiB],
    'unsent bytes of all connections; near it each may have 64 KiB, above it who has more is closed with 1013',
  ),
  slowReaderSeconds: integer(
    'WEFT_SLOW_READER_SECONDS',
    's',
    [60, 5, 3600],
    'a connection that reads nothing for so long is closed with 1013',
  ),

  // ── The check of an update ────────────────────────────────────────────────────────────────────────────────────────
  maxUpdateStructs: integer(
    'WEFT_MAX_UPDATE_STRUCTS',
    'structs',
    [2_000_000, 1000, 100_000_000],
    'structs of one update (a document of 1,500 blocks and 50 tables has 60,000); above it: close 1007',
  ),
  maxUpdateRootNames: integer(
    'WEFT_MAX_UPDATE_ROOT_NAMES',
    'names',
    [16, 1, 100_000],
    'names of root types in one update; above it: close 1007',
  ),
  rootNames: anyName,
  maxUpdateNesting: integer(
    'WEFT_MAX_UPDATE_NESTING',
    'levels',
    [100, 10, 1000],
    'types within types in one update; above it: close 1007',
  ),
  maxJsonLevels: integer(
    'WEFT_MAX_JSON_LEVELS',
    'levels',
    [32, 4, 200],
    'objects and arrays within each other in one JSON value; above it: close 1007',
  ),

  // ── Documents ─────────────────────────────────────────────────────────────────────────────────────────────────────
  warnDocumentBytes: integer(
    'WEFT_WARN_DOCUMENT_BYTES',
    'bytes',
    [16 * MiB, KiB, 16 * GiB],
    'a stored document of this size is warned of: in the log, in the metrics, to those who write it',
  ),
  maxDocumentBytes: integer(
    'WEFT_MAX_DOCUMENT_BYTES',
    'bytes',
    [64 * MiB, KiB, 16 * GiB],
    'a stored document of this size can only be read, and shortened; who goes on writing: close 4413',
  ),
  maxDocumentClients: integer(
    'WEFT_MAX_DOCUMENT_CLIENTS',
    'client ids',
    [100_000, 10, 10_000_000],
    'Yjs client ids that may have written in one document, or stand in one message',
  ),
  newDocumentsPerMinute: integer(
    'WEFT_NEW_DOCUMENTS_PER_MINUTE',
    'documents',
    [10, 1, 1_000_000],
    'documents that one user (without users: one address) may begin a minute, as many at once; others wait (this machine is exempt)',
  ),
  maxOpenDocuments: integer(
    'WEFT_MAX_OPEN_DOCUMENTS',
    'documents',
    [20_000, 1, 10_000_000],
    'documents open at the same time; who opens another one is closed with 1013',
  ),
  maxOpenDocumentBytes: integer(
    'WEFT_MAX_OPEN_DOCUMENT_BYTES',
    'bytes',
    [512 * MiB, 16 * MiB, 64 * GiB],
    'what is known of all open documents, without their text; above it none is opened, and no edit is read',
  ),
  cacheBytes: integer(
    'WEFT_CACHE_BYTES',
    'bytes',
    [128 * MiB, MiB, 64 * GiB],
    'stored bytes of documents that are held for who comes next',
  ),
  maxLoadedBytes: integer(
    'WEFT_MAX_LOADED_BYTES',
    'bytes',
    [512 * MiB, 16 * MiB, 64 * GiB],
    'stored bytes of documents that are in use, for readers and for compaction; above it others wait',
  ),
  idleDocumentSeconds: integer(
    'WEFT_IDLE_DOCUMENT_SECONDS',
    's',
    [30, 0, 86_400],
    'a document without sessions leaves memory after so long',
  ),

  // ── Awareness ─────────────────────────────────────────────────────────────────────────────────────────────────────
  maxAwarenessBytes: integer(
    'WEFT_MAX_AWARENESS_BYTES',
    'bytes',
    [4 * KiB, 64, MiB],
    'largest presence state of a client (JSON); above it: close 1007',
  ),
  maxAwarenessLevels: integer(
    'WEFT_MAX_AWARENESS_LEVELS',
    'levels',
    [16, 2, 200],
    'objects and arrays within each other in such a state; above it: close 1007',
  ),
  awarenessPerSecond: integer(
    'WEFT_AWARENESS_PER_SECOND',
    'states/s',
    [20, 1, 10_000],
    'states of a client that are passed on; of what comes faster the latest is',
  ),
  maxAwarenessMessageBytes: integer(
    'WEFT_MAX_AWARENESS_MESSAGE_BYTES',
    'bytes',
    [64 * KiB, KiB, 16 * MiB],
    'states in one message; more leave in several',
  ),

  // ── Storage ───────────────────────────────────────────────────────────────────────────────────────────────────────
  maxPendingBytes: integer(
    'WEFT_MAX_PENDING_BYTES',
    'bytes',
    [64 * MiB, MiB, 16 * GiB],
    'edits that wait for the disk; above it no connection is read until it catches up',
  ),
  maxPendingSeconds: integer(
    'WEFT_MAX_PENDING_SECONDS',
    's',
    [5, 1, 3600],
    'while a write takes longer, no connection is read whose edits wait for it',
  ),
  maxWaitSeconds: integer(
    'WEFT_MAX_WAIT_SECONDS',
    's',
    [60, 1, 3600],
    'a connection that could not be read for so long, because of the disk or of memory, is closed with 1013',
  ),

  // ── Workers ───────────────────────────────────────────────────────────────────────────────────────────────────────
  workerHeapMiB: integer(
    'WEFT_WORKER_HEAP_MIB',
    'MiB',
    [1024, 64, 65_536],
    'heap of one thread (a document takes about 12 times its size); a task that needs more fails',
  ),
  workerBytes: integer(
    'WEFT_WORKER_BYTES',
    'bytes',
    [512 * MiB, 16 * MiB, 64 * GiB],
    'what tasks that wait for a thread, or run, were given; above it they are refused',
  ),
} as const satisfies Record<string, Setting>
