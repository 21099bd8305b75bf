import { createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isLoopbackHost } from './access/address.ts'
import { asksForTokens } from './access/openKeys.ts'
import { type Config, settings } from './config.ts'
import { ConfigError, flagOf, type SecretSetting, type Setting, type SwitchSetting } from './Setting.ts'

/**
 * Reads the settings: a flag (`--port 1` or `--port=1`) wins over the environment, the environment over the default.
 * An empty environment variable counts as not set, but for a secret's.
 * @throws {ConfigError} for an unknown flag, a flag without a value, or a value that is not allowed
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>, args: readonly string[]): Config {
  const flags = readFlags(args)
  const config: Record<string, number | string | boolean | readonly string[] | KeyObject | null> = {}
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    if (setting.type === 'secret') {
      config[name] = readSecret(setting, env)
      continue
    }
    const flag = flagOf(setting) ?? ''
    const fromFlag = flags.get(flag)
    const fromEnv = env[setting.env]
    if (setting.type === 'switch') {
      config[name] = fromFlag !== undefined || readSwitch(fromEnv ?? '', setting.env)
      continue
    }
    if (fromFlag !== undefined) config[name] = readValue(setting, fromFlag, flag)
    else if (fromEnv !== undefined && fromEnv !== '') config[name] = readValue(setting, fromEnv, setting.env)
    else config[name] = setting.default
  }
  return check(config as Config)
}

function readFlags(args: readonly string[]): Map<string, string> {
  const known = new Map<string | null, Setting>(Object.values<Setting>(settings).map(each => [flagOf(each), each]))
  const flags = new Map<string, string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ''
    const equals = arg.indexOf('=')
    const flag = equals < 0 ? arg : arg.slice(0, equals)
    const setting = known.get(flag)
    if (setting === undefined) throw new ConfigError(`${flag} is no flag of Weft; --help lists them all`)
    if (setting.type === 'switch') {
      if (equals >= 0) throw new ConfigError(`${flag} has no value`)
      flags.set(flag, '')
      continue
    }
    const value = equals < 0 ? args[++i] : arg.slice(equals + 1)
    if (value === undefined) throw new ConfigError(`${flag} needs a value`)
    flags.set(flag, value)
  }
  return flags
}

function readSwitch(text: string, source: string): boolean {
  if (text !== '' && text !== '0' && text !== '1') throw new ConfigError(`${source} is '${text}': allowed are 1 and 0`)
  return text === '1'
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
    throw new ConfigError(
      `${source} has ${bytes.length} bytes: a secret has at least ${minBytes}; \`openssl rand -base64 32\` makes one`,
    )
  }
  const weakness = weaknessOf(bytes)
  if (weakness !== null) {
    const source = file === undefined ? name : `the file of ${name}_FILE`
    throw new ConfigError(`${source} ${weakness}; \`openssl rand -base64 32\` makes a secret`)
  }
  return createSecretKey(bytes)
}

/** Beginnings of secrets that stand in examples, in lower case, without what isn't a letter. */
const DEFAULTS = [
  'astringsecretatleast',
  'changeme',
  'changeit',
  'replaceme',
  'yourbitsecret',
  'yoursecret',
  'yoursupersecret',
]
/** 32 random bytes in hexadecimal have 15 or so. */
const MIN_DISTINCT_BYTES = 8

/** Why everybody may know a secret, or guess it; null: no reason is seen. */
function weaknessOf(bytes: Buffer): string | null {
  const text = bytes.toString('latin1')
  // What others verify with is published: whoever has it could sign.
  if (/-----BEGIN (?:[A-Z]+ )*(?:PUBLIC KEY|CERTIFICATE)-----/u.test(text)) {
    return 'is a public key, which everybody may know (WEFT_AUTH_KEYS_FILE is for those)'
  }
  if (new Set(bytes).size < MIN_DISTINCT_BYTES) return `has fewer than ${MIN_DISTINCT_BYTES} different characters`
  const letters = text.toLowerCase().replace(/[^a-z]/gu, '')
  return DEFAULTS.some(known => letters.startsWith(known)) ? 'is one that stands in examples' : null
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
  setting: Exclude<Setting, SecretSetting | SwitchSetting>,
  text: string,
  source: string,
): number | string | readonly string[] {
  switch (setting.type) {
    case 'integer': {
      const value = /^\d{1,16}$/u.test(text) ? Number(text) : Number.NaN
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
  if (config.authJwksUrl !== '' && !isSafeUrl(config.authJwksUrl)) {
    throw new ConfigError('WEFT_AUTH_JWKS_URL is not allowed: it is an https address (http for this machine only)')
  }
  if (!asksForTokens(config)) {
    const idle = [config.authIssuer && 'WEFT_AUTH_ISSUER', config.authAudience && 'WEFT_AUTH_AUDIENCE'].find(Boolean)
    if (idle !== undefined) throw new ConfigError(`${idle} is set, and no key that a token could be signed with`)
    if (!config.open && !isLoopbackHost(config.host)) {
      throw new ConfigError(
        `WEFT_HOST is ${config.host}, which others reach, and nobody would be asked who they are: set WEFT_AUTH_SECRET ` +
          '(or WEFT_AUTH_KEYS_FILE, WEFT_AUTH_JWKS_URL), or say --open if everybody there may read and write every document',
      )
    }
  }
  return config
}

/** Whoever can change an answer on its way could sign tokens. */
function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}
