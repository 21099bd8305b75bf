import { createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import proxyAddr from 'proxy-addr'

/** A setting that ends the start; `message` names the setting, the value (but never a secret's) and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

interface SettingBase {
  /** Environment name; the command-line flag follows from it: `WEFT_LOG_LEVEL` → `--log-level`. */
  readonly env: `WEFT_${string}`
  readonly help: string
}

interface IntegerSetting extends SettingBase {
  readonly type: 'integer'
  readonly unit: string
  readonly default: number
  readonly min: number
  readonly max: number
}

interface TextSetting extends SettingBase {
  readonly type: 'text'
  /** '': none. */
  readonly default: string
}

interface ChoiceSetting extends SettingBase {
  readonly type: 'choice'
  readonly choices: readonly string[]
  readonly default: string
}

interface ListSetting extends SettingBase {
  readonly type: 'list'
  readonly default: readonly string[]
  /** What each entry must look like, and how to say so. */
  readonly pattern: { test(entry: string): boolean }
  readonly allowed: string
}

/**
 * Comes from the environment, or from a file that `<env>_FILE` names (a line feed at its end doesn't count), never from a flag,
 * which others on the machine can see. Set and empty is too short, not unset: it would open what should be closed.
 */
interface SecretSetting extends SettingBase {
  readonly type: 'secret'
  readonly minBytes: number
}

export type Setting = IntegerSetting | TextSetting | ChoiceSetting | ListSetting | SecretSetting

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
    help: 'tokens signed with this secret (HS256; 32 bytes or more) say who may do what; without one, nobody is asked',
  },
  maxMessageBytes: {
    type: 'integer',
    env: 'WEFT_MAX_MESSAGE_BYTES',
    unit: 'bytes',
    default: 16 * MiB,
    min: 64 * KiB,
    max: 1024 * MiB,
    help: 'largest message that is accepted; above it: close 1009',
  },
  maxUnsentBytes: {
    type: 'integer',
    env: 'WEFT_MAX_UNSENT_BYTES',
    unit: 'bytes',
    default: MiB,
    min: 16 * KiB,
    max: 1024 * MiB,
    help: 'unsent bytes of a connection above which it is written to no more until it has read them',
  },
  slowReaderSeconds: {
    type: 'integer',
    env: 'WEFT_SLOW_READER_SECONDS',
    unit: 's',
    default: 60,
    min: 5,
    max: 3600,
    help: 'a connection that reads nothing for so long is closed with 1013',
  },
  messagesPerSecond: {
    type: 'integer',
    env: 'WEFT_MESSAGES_PER_SECOND',
    unit: 'messages/s',
    default: 2000,
    min: 10,
    max: 10_000_000,
    help: 'messages per connection; above it the connection is read more slowly, never closed',
  },
  messageBurst: {
    type: 'integer',
    env: 'WEFT_MESSAGE_BURST',
    unit: 'messages',
    default: 20_000,
    min: 10,
    max: 100_000_000,
    help: 'messages that a connection may send at once',
  },
  bytesPerSecond: {
    type: 'integer',
    env: 'WEFT_BYTES_PER_SECOND',
    unit: 'bytes/s',
    default: MiB,
    min: KiB,
    max: 1024 * MiB,
    help: 'bytes per connection; above it the connection is read more slowly, never closed',
  },
  byteBurst: {
    type: 'integer',
    env: 'WEFT_BYTE_BURST',
    unit: 'bytes',
    default: 32 * MiB,
    min: 64 * KiB,
    max: 4096 * MiB,
    help: 'bytes that a connection may send at once; at least the largest message',
  },
  maxConnections: {
    type: 'integer',
    env: 'WEFT_MAX_CONNECTIONS',
    unit: 'connections',
    default: 12_000,
    min: 1,
    max: 1_000_000,
    help: 'connections at the same time; above it: 503',
  },
  maxConnectionsPerAddress: {
    type: 'integer',
    env: 'WEFT_MAX_CONNECTIONS_PER_ADDRESS',
    unit: 'connections',
    default: 1000,
    min: 1,
    max: 1_000_000,
    help: 'connections of one address (this machine is exempt, unless a proxy is between); above it: 429',
  },
  maxSessionsPerDocument: {
    type: 'integer',
    env: 'WEFT_MAX_SESSIONS_PER_DOCUMENT',
    unit: 'sessions',
    default: 2000,
    min: 1,
    max: 1_000_000,
    help: 'sessions of one document; above it: close 1013',
  },
  maxPendingBytes: {
    type: 'integer',
    env: 'WEFT_MAX_PENDING_BYTES',
    unit: 'bytes',
    default: 64 * MiB,
    min: MiB,
    max: 16_384 * MiB,
    help: 'edits that wait for the disk; above it no connection is read until it catches up',
  },
  idleDocumentSeconds: {
    type: 'integer',
    env: 'WEFT_IDLE_DOCUMENT_SECONDS',
    unit: 's',
    default: 30,
    min: 0,
    max: 86_400,
    help: 'a document without sessions leaves memory after so long',
  },
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
  maxAwarenessBytes: {
    type: 'integer',
    env: 'WEFT_MAX_AWARENESS_BYTES',
    unit: 'bytes',
    default: 4 * KiB,
    min: 64,
    max: MiB,
    help: 'largest presence state of a client (JSON); above it: close 1007',
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
      : string

/** The values of all settings, checked. */
export type Config = { readonly [Name in keyof Settings]: Widen<Settings[Name]> }

/** The command-line flag of a setting: `WEFT_LOG_LEVEL` → `--log-level`; null: it has none. */
export function flagOf(setting: Setting): string | null {
  if (setting.type === 'secret') return null
  return `--${setting.env.slice('WEFT_'.length).toLowerCase().replaceAll('_', '-')}`
}

/**
 * Reads the settings: a flag (`--port 1` or `--port=1`) wins over the environment, the environment over the default.
 * An empty environment variable counts as not set, but for a secret's.
 * @throws {ConfigError} for an unknown flag, a flag without a value, or a value that is not allowed
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, args: readonly string[]): Config {
  const flags = readFlags(args)
  const config: Record<string, number | string | readonly string[] | KeyObject | null> = {}
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    if (setting.type === 'secret') {
      config[name] = readSecret(setting, env)
      continue
    }
    const flag = flagOf(setting) ?? ''
    const fromFlag = flags.get(flag)
    const fromEnv = env[setting.env]
    if (fromFlag !== undefined) config[name] = readValue(setting, fromFlag, flag)
    else if (fromEnv !== undefined && fromEnv !== '') config[name] = readValue(setting, fromEnv, setting.env)
    else config[name] = setting.default
  }
  return check(config as Config)
}

function readFlags(args: readonly string[]): Map<string, string> {
  const known = new Set<string | null>(Object.values<Setting>(settings).map(flagOf))
  const flags = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    const equals = arg.indexOf('=')
    const flag = equals < 0 ? arg : arg.slice(0, equals)
    if (!known.has(flag)) throw new ConfigError(`${flag} is no flag of Weft; --help lists them all`)
    const value = equals < 0 ? args[++i] : arg.slice(equals + 1)
    if (value === undefined) throw new ConfigError(`${flag} needs a value`)
    flags.set(flag, value)
  }
  return flags
}

function readSecret(
  { env: name, minBytes }: SecretSetting,
  env: Readonly<Record<string, string | undefined>>,
): KeyObject | null {
  const fromEnv = env[name]
  const file = env[`${name}_FILE`]
  if (fromEnv === undefined && file === undefined) return null
  if (fromEnv !== undefined && file !== undefined) throw new ConfigError(`${name} and ${name}_FILE are both set`)
  const bytes = file === undefined ? Buffer.from(fromEnv ?? '') : readSecretFile(file, `${name}_FILE`)
  if (bytes.length < minBytes) {
    const source = file === undefined ? name : `the file of ${name}_FILE`
    throw new ConfigError(`${source} has ${bytes.length} bytes: a secret has at least ${minBytes}`)
  }
  return createSecretKey(bytes)
}

function readSecretFile(file: string, source: string): Buffer {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new ConfigError(
      `${source} names a file that can't be read: ${error instanceof Error ? error.message : error}`,
    )
  }
  const end = bytes.at(-1) !== 0x0a ? bytes.length : bytes.at(-2) === 0x0d ? bytes.length - 2 : bytes.length - 1
  return bytes.subarray(0, end)
}

function readValue(
  setting: Exclude<Setting, SecretSetting>,
  text: string,
  source: string,
): number | string | readonly string[] {
  switch (setting.type) {
    case 'integer': {
      const value = /^\d{1,15}$/u.test(text) ? Number(text) : Number.NaN
      if (!(value >= setting.min && value <= setting.max)) {
        throw new ConfigError(
          `${source} is '${text}': allowed is a whole number from ${setting.min} to ${setting.max} (${setting.unit})`,
        )
      }
      return value
    }
    case 'choice':
      if (!setting.choices.includes(text)) {
        throw new ConfigError(`${source} is '${text}': allowed is one of ${setting.choices.join(', ')}`)
      }
      return text
    case 'list': {
      const entries = text.split(',').map(entry => entry.trim())
      for (const entry of entries) {
        if (!setting.pattern.test(entry))
          throw new ConfigError(`${source} has '${entry}': allowed are ${setting.allowed}`)
      }
      return entries
    }
    case 'text':
      if (text === '') throw new ConfigError(`${source} is empty`)
      return text
  }
}

function isProxyAddress(entry: string): boolean {
  try {
    proxyAddr.compile(entry)
    return true
  } catch {
    return false
  }
}

function check(config: Config): Config {
  if (config.byteBurst < config.maxMessageBytes) {
    throw new ConfigError(
      `WEFT_BYTE_BURST is ${config.byteBurst}: allowed is at least WEFT_MAX_MESSAGE_BYTES, ${config.maxMessageBytes}`,
    )
  }
  if ((config.tlsCert === '') !== (config.tlsKey === '')) {
    const [set, missing] = config.tlsKey === '' ? ['WEFT_TLS_CERT', 'WEFT_TLS_KEY'] : ['WEFT_TLS_KEY', 'WEFT_TLS_CERT']
    throw new ConfigError(`${set} is set without ${missing}: TLS needs both`)
  }
  return config
}

/** A row per setting for `--help` and the README: flag, environment name, unit, default, meaning. */
export function describeSettings(): { flag: string | null; env: string; default: string; help: string }[] {
  return Object.values<Setting>(settings).flatMap(setting => {
    const row = { flag: flagOf(setting), env: setting.env, default: describeDefault(setting), help: setting.help }
    if (setting.type !== 'secret') return [row]
    return [row, { ...row, env: `${setting.env}_FILE`, help: `file that holds \`${setting.env}\`` }]
  })
}

function describeDefault(setting: Setting): string {
  switch (setting.type) {
    case 'integer':
      return setting.unit === 'port' ? String(setting.default) : `${groupDigits(setting.default)} ${setting.unit}`
    case 'secret':
      return 'none'
    case 'list':
      return setting.default.length === 0 ? 'none' : setting.default.join(',')
    default:
      return setting.default === '' ? 'none' : setting.default
  }
}

function groupDigits(value: number): string {
  return String(value).replace(/\B(?=(?:\d{3})+$)/gu, ' ')
}

/** The text of `--help`. */
export function helpText(): string {
  const rows = describeSettings()
  const names = rows.map(({ flag, env }) => (flag === null ? env : `${flag}  (${env})`))
  const width = Math.max(...names.map(name => name.length)) + 1
  const lines = rows.map((row, index) => `  ${names[index]?.padEnd(width)}  ${row.help} [${row.default}]`)
  return ['Weft: write documents together. Every setting is a flag or an environment variable:', '', ...lines, ''].join(
    '\n',
  )
}

/** The README's table of settings, as Markdown. */
export function settingsTable(): string {
  const rows = describeSettings().map(
    row => `| \`${row.env}\` | ${row.flag === null ? '' : `\`${row.flag}\``} | ${row.default} | ${row.help} |`,
  )
  return ['| environment | flag | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
