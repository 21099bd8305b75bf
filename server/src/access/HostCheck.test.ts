import type { IncomingMessage } from 'node:http'
import pino from 'pino'
import { expect, it } from 'vitest'
import { HostCheck } from './HostCheck.ts'
import { TrustedProxies } from './TrustedProxies.ts'

const ask = (check: HostCheck, headers: Record<string, string>, remoteAddress = '192.0.2.1') =>
  check.refusal({ headers, socket: { remoteAddress } } as unknown as IncomingMessage)?.[0] ?? 'welcome'
const logger = pino({ level: 'silent' })

it('takes pages of its own host, programs, and on this machine any port', () => {
  const local = new HostCheck([], '127.0.0.1', logger)
  expect(ask(local, { host: '127.0.0.1:9091' })).toBe('welcome')
  expect(ask(local, { host: 'localhost:9091', origin: 'http://localhost:9091' })).toBe('welcome')
  expect(ask(local, { host: '[::1]:9091', origin: 'http://localhost:5173' })).toBe('welcome')
  const open = new HostCheck([], '0.0.0.0', logger)
  expect(ask(open, { host: 'docs.example', origin: 'https://docs.example' })).toBe('welcome')
  expect(ask(open, { host: 'docs.example' })).toBe('welcome')
})

it('refuses pages of other hosts, unless they are allowed', () => {
  expect(ask(new HostCheck([], '127.0.0.1', logger), { host: 'localhost:9091', origin: 'https://evil.example' })).toBe(
    403,
  )
  expect(ask(new HostCheck([], '0.0.0.0', logger), { host: 'docs.example', origin: 'null' })).toBe(403)
  expect(ask(new HostCheck([], '0.0.0.0', logger), { host: 'docs.example', origin: 'http://localhost:5173' })).toBe(403)
  const allowing = new HostCheck(['https://App.example'], '0.0.0.0', logger)
  expect(ask(allowing, { host: 'docs.example', origin: 'https://app.example' })).toBe('welcome')
})

it('refuses names that somebody else points at this machine', () => {
  const local = new HostCheck([], '127.0.0.1', logger)
  expect(ask(local, { host: 'evil.example:9091', origin: 'http://evil.example:9091' })).toBe(421)
  expect(ask(local, { host: 'localhost.evil.example' })).toBe(421)
  expect(ask(local, {})).toBe(400)
  expect(ask(new HostCheck(['https://docs.example'], '127.0.0.1', logger), { host: 'docs.example' })).toBe('welcome')
})

it('takes the host and the scheme of the page from a trusted proxy alone', () => {
  const check = new HostCheck([], '0.0.0.0', logger, new TrustedProxies(['192.0.2.1'], logger))
  const forwarded = { host: 'inner:9091', 'x-forwarded-host': 'docs.example', 'x-forwarded-proto': 'https' }
  expect(ask(check, { ...forwarded, origin: 'https://docs.example' })).toBe('welcome')
  expect(ask(check, { ...forwarded, origin: 'http://docs.example' })).toBe(403)
  expect(ask(check, { ...forwarded, origin: 'https://evil.example' })).toBe(403)
  expect(ask(check, { ...forwarded, origin: 'https://docs.example' }, '192.0.2.2')).toBe(403)
  const local = new HostCheck(['https://docs.example'], '127.0.0.1', logger, new TrustedProxies(['127.0.0.1'], logger))
  expect(ask(local, forwarded, '127.0.0.1')).toBe('welcome')
  expect(ask(local, { host: '127.0.0.1', 'x-forwarded-host': 'evil.example' }, '127.0.0.1')).toBe(421)
})
