import type { IncomingMessage } from 'node:http'
import pino from 'pino'
import { expect, it } from 'vitest'
import { HostCheck } from './HostCheck.ts'

const ask = (check: HostCheck, headers: { host?: string; origin?: string }) =>
  check.refusal({ headers } as unknown as IncomingMessage)?.[0] ?? 'welcome'
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
