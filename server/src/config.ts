import type { KeyObject } from 'node:crypto'
import proxyAddr from 'proxy-addr'
import { limits } from './limits.ts'
import type { Setting } from './Setting.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Every setting, once. `--help`, the README's table and the defaults all come from here. */
export const settings = {
  host: { type: 'text', env: 'WEFT_HOST', default: '127.0.0.1', help: 'address to listen on' },
  port: {
    type: 'integer',
    env: 'WEFT_PORT',
    unit: 'port',
    default: 9091,
    min: 0,
    max: 65_535,
    help: 'port to listen on (0: any free one)',
  },
  metricsHost: {
    type: 'text',
    env: 'WEFT_METRICS_HOST',
    default: '127.0.0.1',
    help: 'address on which Prometheus finds `/metrics`',
  },
  metricsPort: {
    type: 'integer',
    env: 'WEFT_METRICS_PORT',
    unit: 'port',
    default: 9092,
    min: 0,
    max: 65_535,
    help: 'port of `/metrics` (0: none)',
  },
  data: { type: 'text', env: 'WEFT_DATA', default: './data', help: 'folder of the store; made at the first start' },
  minFreeBytes: {
    type: 'integer',
    env: 'WEFT_MIN_FREE_BYTES',
    unit: 'bytes',
    default: 512 << 20,
    min: 0,
    max: 2 ** 50,
    help: 'space on the disk below which documents can only be read, until there is more',
  },
  minFreePercent: {
    type: 'integer',
    env: 'WEFT_MIN_FREE_PERCENT',
    unit: '%',
    default: 5,
    min: 0,
    max: 90,
    help: 'the same as a part of the disk; the larger of the two counts',
  },
  scrubSeconds: {
    type: 'integer',
    env: 'WEFT_SCRUB_SECONDS',
    unit: 's',
    default: 7 * 24 * 3600,
    min: 0,
    max: 366 * 24 * 3600,
    help: 'every stored document is read and checked so often, in a twentieth of the time; first after a 168th of that (0: never)',
  },
  logLevel: {
    type: 'choice',
    env: 'WEFT_LOG_LEVEL',
    choices: ['fatal', 'error', 'warn', 'info', 'debug', 'silent'],
    default: 'info',
    help: 'what is logged (to standard error)',
  },
  tlsCert: {
    type: 'text',
    env: 'WEFT_TLS_CERT',
    default: '',
    help: 'PEM file of a certificate and its chain: serves https and wss; read anew on SIGHUP',
  },
  tlsKey: { type: 'text', env: 'WEFT_TLS_KEY', default: '', help: 'PEM file of the certificate’s private key' },
  origins: {
    type: 'list',
    env: 'WEFT_ORIGINS',
    default: [],
    pattern: /^https?:\/\/[^/?#\s]+$/u,
    allowed: 'origins such as https://example.org, separated by commas',
    help: 'web origins that may connect beside the server’s own host',
  },
  publicUrls: {
    type: 'list',
    env: 'WEFT_PUBLIC_URL',
    default: [],
    pattern: { test: url => /^https?:\/\/[^?#\s]+$/u.test(url) && URL.canParse(url) },
    allowed: 'addresses such as https://example.org/weft, separated by commas',
    help: 'where people open it, behind a proxy: `https://example.org/weft`',
  },
  trustedProxies: {
    type: 'list',
    env: 'WEFT_TRUSTED_PROXIES',
    default: [],
    pattern: { test: isProxyAddress },
    allowed: 'addresses, CIDR ranges such as 10.0.0.0/8, loopback, linklocal and uniquelocal, separated by commas',
    help: 'proxies that are believed who asks (`X-Forwarded-For`, `-Host`, `-Proto`): addresses, CIDR ranges, `loopback`',
  },
  compression: {
    type: 'choice',
    env: 'WEFT_COMPRESSION',
    choices: ['off', 'on'],
    default: 'off',
    help: 'on: messages are compressed (permessage-deflate) for clients that offer it',
  },
  authSecret: {
    type: 'secret',
    env: 'WEFT_AUTH_SECRET',
    minBytes: 32,
    help: 'tokens signed with this secret (HS256; 32 bytes or more) say who may do what; without keys of any kind, nobody is asked',
  },
  authKeysFile: {
    type: 'text',
    env: 'WEFT_AUTH_KEYS_FILE',
    default: '',
    help: 'file of public keys (PEM or JWKS) that tokens are signed with (EdDSA, ES256, RS256); read anew when it changes',
  },
  authJwksUrl: {
    type: 'text',
    env: 'WEFT_AUTH_JWKS_URL',
    default: '',
    help: 'address of such keys (JWKS); asked again every 10 minutes, and for a key that is not known',
  },
  authIssuer: {
    type: 'text',
    env: 'WEFT_AUTH_ISSUER',
    default: '',
    help: 'what a token’s `iss` must be',
  },
  authAudience: {
    type: 'text',
    env: 'WEFT_AUTH_AUDIENCE',
    default: '',
    help: 'what must be a token’s `aud`, or among them',
  },
  open: {
    type: 'switch',
    env: 'WEFT_OPEN',
    help: 'serves other machines although nobody is asked for a token: who reaches the address reads and writes every document',
  },
  binDays: {
    type: 'integer',
    env: 'WEFT_BIN_DAYS',
    unit: 'days',
    default: 30,
    min: 0,
    max: 3660,
    help: 'a deleted document can be restored for so long (0: it is gone at once)',
  },
  auditDays: {
    type: 'integer',
    env: 'WEFT_AUDIT_DAYS',
    unit: 'days',
    default: 180,
    min: 0,
    max: 3660,
    help: 'who opened, shared or deleted is written down in `audit` of the data folder, and kept so long (0: nothing is)',
  },
  maxAuditBytes: {
    type: 'integer',
    env: 'WEFT_MAX_AUDIT_BYTES',
    unit: 'bytes',
    default: 1024 * MiB,
    min: MiB,
    max: 1024 * 1024 * MiB,
    help: 'all of that on the disk; above it the oldest entries go, and an entry says how many',
  },
  auditEntriesPerMinute: {
    type: 'integer',
    env: 'WEFT_AUDIT_ENTRIES_PER_MINUTE',
    unit: 'entries/min',
    default: 10,
    min: 1,
    max: 1_000_000,
    help: 'what one user (without users: one address) opens, ends and reads a minute is written down one by one, after 100 times as much at once; more is counted',
  },
  ...limits,
  fanoutPercent: {
    type: 'integer',
    env: 'WEFT_FANOUT_PERCENT',
    unit: '% of a core',
    default: 2,
    min: 1,
    max: 100,
    help: 'share of a core that sending one document’s edits may take; sets the pause between commits',
  },
  maxCommitPauseMs: {
    type: 'integer',
    env: 'WEFT_MAX_COMMIT_PAUSE_MS',
    unit: 'ms',
    default: 42,
    min: 0,
    max: 10_000,
    help: 'longest pause between two commits of a busy document',
  },
  awarenessPauseMs: {
    type: 'integer',
    env: 'WEFT_AWARENESS_PAUSE_MS',
    unit: 'ms',
    default: 36,
    min: 0,
    max: 10_000,
    help: 'carets and presence are gathered for at least so long',
  },
  tailBytes: {
    type: 'integer',
    env: 'WEFT_TAIL_BYTES',
    unit: 'bytes',
    default: 64 * KiB,
    min: KiB,
    max: 1024 * MiB,
    help: 'a log is compacted when it has grown by so much, or by a quarter of its snapshot if that is more',
  },
  tailEntries: {
    type: 'integer',
    env: 'WEFT_TAIL_ENTRIES',
    unit: 'entries',
    default: 500,
    min: 10,
    max: 1_000_000,
    help: 'a log is compacted when it has grown by so many entries (ten times as many for large documents)',
  },
  maxUploadBytes: {
    type: 'integer',
    env: 'WEFT_MAX_UPLOAD_BYTES',
    unit: 'bytes',
    default: 8 * MiB,
    min: 0,
    max: 64 * MiB,
    help: 'largest file that may be put into a document (0: none)',
  },
  maxDocumentUploadBytes: {
    type: 'integer',
    env: 'WEFT_MAX_DOCUMENT_UPLOAD_BYTES',
    unit: 'bytes',
    default: 256 * MiB,
    min: 0,
    max: 1024 * 1024 * MiB,
    help: 'all files of one document together',
  },
  workers: {
    type: 'integer',
    env: 'WEFT_WORKERS',
    unit: 'threads',
    default: 0,
    min: 0,
    max: 64,
    help: 'threads for compaction and other work on whole documents (0: as many as fit the machine); HTTP has two more of its own',
  },
} as const satisfies Record<string, Setting>

type Settings = typeof settings

/** A secret is held as what no log and no `JSON.stringify` shows. */
type Widen<T> = T extends { type: 'integer' }
  ? number
  : T extends { type: 'list' }
    ? readonly string[]
    : T extends { type: 'secret' }
      ? KeyObject | null
      : T extends { type: 'switch' }
        ? boolean
        : string

/** The values of all settings, checked. */
export type Config = { readonly [Name in keyof Settings]: Widen<Settings[Name]> }

function isProxyAddress(entry: string): boolean {
  try {
    proxyAddr.compile(entry)
    return true
  } catch {
    return false
  }
}
