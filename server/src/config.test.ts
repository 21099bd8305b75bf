import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { settings } from './config.ts'
import { helpText, settingsTable } from './describeSettings.ts'
import { readConfig } from './readConfig.ts'
import { ConfigError, flagOf } from './Setting.ts'

it('has a default for every setting', () => {
  const config = readConfig({}, [])
  expect(config.port).toBe(9091)
  expect(config.host).toBe('127.0.0.1')
  expect(Object.keys(config)).toEqual(Object.keys(settings))
})

it('takes the least and the most that each setting allows, and nothing beyond', () => {
  for (const [name, setting] of Object.entries(settings)) {
    if (setting.type !== 'integer') continue
    const { env, min, max } = setting
    // One is compared with the other.
    const read = (value: number) =>
      Reflect.get(
        readConfig({ WEFT_BYTE_BURST: String(2 ** 30), WEFT_MAX_MESSAGE_BYTES: '65536', [env]: String(value) }, []),
        name,
      )
    expect([env, read(min), read(max)]).toEqual([env, min, max])
    expect(() => read(max + 1), env).toThrow(ConfigError)
  }
})

it('takes a flag before the environment, and the environment before the default', () => {
  expect(readConfig({ WEFT_PORT: '1' }, []).port).toBe(1)
  expect(readConfig({ WEFT_PORT: '1' }, ['--port', '2']).port).toBe(2)
  expect(readConfig({ WEFT_PORT: '1' }, ['--port=3']).port).toBe(3)
  expect(readConfig({ WEFT_PORT: '' }, []).port).toBe(9091)
  expect(readConfig({ WEFT_ORIGINS: 'https://a.example, https://b.example' }, []).origins).toEqual([
    'https://a.example',
    'https://b.example',
  ])
})

it.each([
  [{ WEFT_PORT: 'x' }, [], "WEFT_PORT is 'x': allowed is a whole number from 0 to 65535 (port)"],
  [{ WEFT_PORT: '65536' }, [], "WEFT_PORT is '65536': allowed is a whole number from 0 to 65535 (port)"],
  [{ WEFT_PORT: '1.5' }, [], "WEFT_PORT is '1.5': allowed is a whole number from 0 to 65535 (port)"],
  [{}, ['--port', '-1'], "--port is '-1': allowed is a whole number from 0 to 65535 (port)"],
  [{}, ['--port'], '--port needs a value'],
  [{}, ['--prot', '1'], '--prot is no flag of Weft; --help lists them all'],
  [
    { WEFT_LOG_LEVEL: 'loud' },
    [],
    "WEFT_LOG_LEVEL is 'loud': allowed is one of fatal, error, warn, info, debug, silent",
  ],
  [
    { WEFT_ORIGINS: 'example.org' },
    [],
    "WEFT_ORIGINS has 'example.org': allowed are origins such as https://example.org, separated by commas",
  ],
  [{ WEFT_TLS_CERT: 'a.pem' }, [], 'WEFT_TLS_CERT is set without WEFT_TLS_KEY: TLS needs both'],
  [{}, ['--tls-key', 'a.pem'], 'WEFT_TLS_KEY is set without WEFT_TLS_CERT: TLS needs both'],
  [{ WEFT_COMPRESSION: 'yes' }, [], "WEFT_COMPRESSION is 'yes': allowed is one of off, on"],
  [
    { WEFT_PUBLIC_URL: 'https://example.org/weft,https://:80' },
    [],
    "WEFT_PUBLIC_URL has 'https://:80': allowed are addresses such as https://example.org/weft, separated by commas",
  ],
  ...['localhost', '10.0.0.0/33', '0.0.0.0/0', '10.0.0.1/x'].map(
    (proxy): [Record<string, string>, string[], string] => [
      { WEFT_TRUSTED_PROXIES: `loopback, ${proxy}` },
      [],
      `WEFT_TRUSTED_PROXIES has '${proxy}': allowed are addresses, CIDR ranges such as 10.0.0.0/8, loopback, linklocal and uniquelocal, separated by commas`,
    ],
  ),
  [
    { WEFT_BYTE_BURST: '1000000' },
    [],
    'WEFT_BYTE_BURST is 1000000: allowed is at least WEFT_MAX_MESSAGE_BYTES, 16777216',
  ],
])('refuses %j %j', (env, args, message) => {
  expect(() => readConfig(env, args)).toThrow(new ConfigError(message))
})

const SECRET = 'a secret of thirty-two bytes, yes'

/** A file that is removed after the test. */
function fileWith(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'secret'), content)
  return join(folder, 'secret')
}

it('takes a secret from the environment or from a file, without the line feed at its end', () => {
  const secretOf = (env: Record<string, string>) => readConfig(env, []).authSecret?.export().toString()
  expect(secretOf({})).toBeUndefined()
  expect(secretOf({ WEFT_AUTH_SECRET: SECRET })).toBe(SECRET)
  for (const content of [SECRET, `${SECRET}\n`, `${SECRET}\r\n`]) {
    expect(secretOf({ WEFT_AUTH_SECRET_FILE: fileWith(content) })).toBe(SECRET)
  }
  expect(secretOf({ WEFT_AUTH_SECRET_FILE: fileWith(`${SECRET}\n\n`) })).toBe(`${SECRET}\n`)
})

it('holds a secret where nobody sees it by accident', () => {
  const config = readConfig({ WEFT_AUTH_SECRET: SECRET }, [])
  expect(inspect(config, { depth: 9, showHidden: true }) + JSON.stringify(config) + helpText()).not.toContain(SECRET)
})

it.each([
  [
    { WEFT_AUTH_SECRET: 'short' },
    'WEFT_AUTH_SECRET has 5 bytes: a secret has at least 32; `openssl rand -base64 32` makes one',
  ],
  [
    { WEFT_AUTH_SECRET: '' },
    'WEFT_AUTH_SECRET has 0 bytes: a secret has at least 32; `openssl rand -base64 32` makes one',
  ],
  [{ WEFT_AUTH_SECRET: SECRET, WEFT_AUTH_SECRET_FILE: 'x' }, 'WEFT_AUTH_SECRET and WEFT_AUTH_SECRET_FILE are both set'],
  [{ WEFT_AUTH_SECRET_FILE: '/no/such/file' }, /^WEFT_AUTH_SECRET_FILE names a file that can't be read: ENOENT/],
  [{ WEFT_AUTH_SECRET_FILE: '' }, /^WEFT_AUTH_SECRET_FILE names a file that can't be read: /],
])('refuses the secret of %j', (env, message) => {
  expect(() => readConfig(env, [])).toThrow(message)
})

it('refuses a file with a short secret, without a word of it', () => {
  expect(() => readConfig({ WEFT_AUTH_SECRET_FILE: fileWith('hunter2\n') }, [])).toThrow(
    new ConfigError(
      'the file of WEFT_AUTH_SECRET_FILE has 7 bytes: a secret has at least 32; `openssl rand -base64 32` makes one',
    ),
  )
})

it('takes no secret from a flag', () => {
  for (const args of [[`--auth-secret=${SECRET}`], ['--auth-secret', SECRET]]) {
    expect(() => readConfig({}, args)).toThrow(
      new ConfigError('--auth-secret is no flag of Weft; --help lists them all'),
    )
  }
})

it('names every setting in the help', () => {
  const help = helpText()
  for (const setting of Object.values(settings)) {
    const flag = flagOf(setting)
    expect(help).toContain(flag === null ? setting.env : `${flag}  (${setting.env})`)
    expect(help).toContain(setting.help)
  }
})

it('has the table of the README', () => {
  expect(readFileSync(new URL('../../README.md', import.meta.url), 'utf8')).toContain(settingsTable())
})
