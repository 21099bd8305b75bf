import type { IncomingMessage } from 'node:http'
import pino from 'pino'
import { expect, it } from 'vitest'
import { TrustedProxies } from './TrustedProxies.ts'

const logger = pino({ level: 'silent' })
const asked = (remoteAddress: string, headers: Record<string, string> = {}) =>
  ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage
const from = (remoteAddress: string, way: string) => asked(remoteAddress, { 'x-forwarded-for': way })

it('takes the rightmost address that is no trusted proxy, and believes no one else', () => {
  const none = new TrustedProxies([], logger)
  expect(none.addressOf(asked('198.51.100.1'))).toBe('198.51.100.1')
  expect(none.addressOf(from('127.0.0.1', '198.51.100.1'))).toBe('127.0.0.1')
  const proxies = new TrustedProxies(['192.0.2.1', '10.0.0.0/8', 'loopback'], logger)
  expect(proxies.addressOf(from('192.0.2.1', '198.51.100.1'))).toBe('198.51.100.1')
  expect(proxies.addressOf(from('192.0.2.2', '198.51.100.1'))).toBe('192.0.2.2')
  expect(proxies.addressOf(from('127.0.0.1', '203.0.113.9, 198.51.100.1, 10.1.2.3'))).toBe('198.51.100.1')
  expect(proxies.addressOf(from('::1', '2001:db8::5'))).toBe('2001:db8::5')
  // Everybody on the way is trusted: the one who began it.
  expect(proxies.addressOf(from('127.0.0.1', '10.0.0.7, 10.0.0.8'))).toBe('10.0.0.7')
})

it('stays with the proxy where it tells no address', () => {
  const proxies = new TrustedProxies(['127.0.0.1', '10.0.0.0/8'], logger)
  expect(proxies.addressOf(asked('127.0.0.1'))).toBe('127.0.0.1')
  for (const way of ['', 'unknown', '_hidden', '198.51.100.1:4711', 'x'.repeat(10_000), ',,,', '198.51.100.1, unknown'])
    expect(proxies.addressOf(from('127.0.0.1', way))).toBe('127.0.0.1')
  expect(proxies.addressOf(from('127.0.0.1', 'unknown, 10.0.0.3'))).toBe('10.0.0.3')
  expect(proxies.addressOf({ socket: {}, headers: {} } as unknown as IncomingMessage)).toBe('')
})

it('knows an IPv4 address in its IPv6 form', () => {
  const proxies = new TrustedProxies(['192.0.2.0/24'], logger)
  expect(proxies.addressOf(from('::ffff:192.0.2.1', '::ffff:198.51.100.1'))).toBe('198.51.100.1')
  expect(proxies.addressOf(asked('::ffff:203.0.113.1'))).toBe('203.0.113.1')
})

it('takes host and scheme from a trusted proxy alone, of several the nearest proxy’s own', () => {
  const headers = { host: 'Inner:9091', 'x-forwarded-host': 'evil.example, Weft.example', 'x-forwarded-proto': 'HTTPS' }
  const proxies = new TrustedProxies(['192.0.2.1'], logger)
  expect(proxies.hostOf(asked('192.0.2.1', headers))).toBe('weft.example')
  expect(proxies.protocolOf(asked('192.0.2.1', headers))).toBe('https')
  expect(proxies.protocolOf(asked('192.0.2.1', { 'x-forwarded-proto': 'wss' }))).toBe('https')
  expect(proxies.hostOf(asked('192.0.2.2', headers))).toBe('inner:9091')
  expect(proxies.protocolOf(asked('192.0.2.2', headers))).toBeUndefined()
  expect(proxies.hostOf(asked('192.0.2.1', { host: 'weft.example', 'x-forwarded-host': ' ' }))).toBe('weft.example')
})

it('knows programs of this machine from everybody behind a proxy on it', () => {
  const none = new TrustedProxies([], logger)
  expect(none.isFromHere(asked('127.0.0.1'))).toBe(true)
  expect(none.isFromHere(asked('::ffff:127.0.0.1'))).toBe(true)
  expect(none.isFromHere(asked('192.0.2.1'))).toBe(false)
  for (const header of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto'])
    expect(none.isFromHere(asked('127.0.0.1', { [header]: '127.0.0.1' }))).toBe(false)
  // What nginx sends for whoever asks it, with nothing set but `proxy_pass http://127.0.0.1:9091`.
  const bare = { ...asked('127.0.0.1', { host: '127.0.0.1:9091', connection: 'close' }), httpVersion: '1.0' }
  expect(none.isFromHere(bare as IncomingMessage)).toBe(false)
  const proxies = new TrustedProxies(['127.0.0.1'], logger)
  expect(proxies.isFromHere(asked('127.0.0.1'))).toBe(false)
  expect(proxies.isFromHere(from('127.0.0.1', '127.0.0.1'))).toBe(false)
})

it('says once that a proxy is there which the settings do not name', () => {
  const said: string[] = []
  const proxies = new TrustedProxies([], pino({}, { write: (line: string) => said.push(line) }))
  proxies.isFromHere(from('127.0.0.1', '198.51.100.1'))
  proxies.isFromHere(from('127.0.0.1', '198.51.100.2'))
  expect(said).toEqual([expect.stringContaining('WEFT_TRUSTED_PROXIES')])
})
