import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { pino } from 'pino'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Clock } from '../clock.ts'
import type { AuditEntry } from './AuditEntry.ts'
import { AuditLog, type AuditSettings, documentHash } from './AuditLog.ts'

const logger = pino({ level: 'silent' })
const DAY_MS = 24 * 60 * 60_000

describe('the audit log', () => {
  let folder = ''
  let wallTime = 0
  let timers = 0
  /** Timers don't ring: a test flushes. */
  const clock: Clock = {
    now: () => wallTime,
    wallTime: () => wallTime,
    setTimer: () => ++timers,
    clearTimer: () => {},
    soon: callback => setImmediate(callback),
  }
  const open = (auditDays = 180, bounds: Partial<AuditSettings> = {}) =>
    new AuditLog(folder, { auditDays, maxAuditBytes: 1 << 30, auditEntriesPerMinute: 1000, ...bounds }, clock, logger)
  const entriesOf = async (log: AuditLog, after: string | null = null) => {
    const entries: AuditEntry[] = []
    for await (const { entry } of log.read(after)) entries.push(entry)
    return entries
  }
  const subjectsOf = async (log: AuditLog) => (await entriesOf(log)).map(({ subject }) => subject)

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weft-audit-'))
    wallTime = Date.UTC(2027, 0, 31, 23, 59, 59)
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
  })

  it('is a line of JSON for each entry, with the hash of a name and not the name', async () => {
    const log = open()
    log.record({ action: 'opened', user: 'ann', address: '192.0.2.1', document: 'team/notes' as DocumentId })
    await log.stop()
    const text = await readFile(join(folder, 'audit', '2027-01-31.jsonl'), 'utf8')
    expect(JSON.parse(text)).toEqual({
      time: '2027-01-31T23:59:59.000Z',
      action: 'opened',
      request: null,
      user: 'ann',
      address: '192.0.2.1',
      document: documentHash('team/notes'),
      code: null,
      bytes: null,
      subject: null,
      count: null,
    })
    expect(text).not.toContain('team')
  })

  it('costs one write for all entries of a second', async () => {
    const log = open()
    timers = 0
    for (let i = 0; i < 1000; i++) log.record({ action: 'opened', subject: `${i}` })
    expect(timers).toBe(1)
    await log.stop()
    expect(await entriesOf(log)).toHaveLength(1000)
  })

  it('begins a file each day, and removes those that are older than it keeps', async () => {
    const log = open(2)
    for (let day = 0; day < 5; day++) {
      log.record({ action: 'opened', subject: `day ${day}` })
      // Of the last two, the first is of the last second of its day.
      if (day < 4) wallTime += day === 3 ? 1000 : DAY_MS
    }
    await log.stop()
    const files = (await readdir(join(folder, 'audit'))).sort()
    expect(files).toEqual(['2027-02-02.jsonl', '2027-02-03.jsonl', '2027-02-04.jsonl'])
    expect(await subjectsOf(log)).toEqual(['day 2', 'day 3', 'day 4'])
  })

  it('is read on from any place', async () => {
    const log = open()
    for (let i = 0; i < 5; i++) log.record({ action: 'opened', subject: `${i}` })
    await log.flush()
    const places: string[] = []
    for await (const { place } of log.read(null)) places.push(place)
    expect((await entriesOf(log, places[2])).map(({ subject }) => subject)).toEqual(['3', '4'])
    expect(await entriesOf(log, places[4])).toEqual([])
  })

  it('keeps what a disk does not take, in order, and writes it when it does', async () => {
    await writeFile(join(folder, 'audit'), 'in the way')
    const log = open()
    for (const subject of ['1', '2']) {
      log.record({ action: 'opened', subject })
      await log.flush()
    }
    await rm(join(folder, 'audit'))
    log.record({ action: 'opened', subject: '3' })
    await log.flush()
    expect(await subjectsOf(log)).toEqual(['1', '2', '3'])
  })

  it('counts what finds no room meanwhile, and says how many', async () => {
    await writeFile(join(folder, 'audit'), 'in the way')
    const log = open()
    const subject = 'x'.repeat(1 << 20)
    for (let i = 0; i < 10; i++) log.record({ action: 'opened', subject })
    await log.flush()
    await rm(join(folder, 'audit'))
    await log.flush()
    await log.flush()
    const entries = await entriesOf(log)
    const opened = entries.filter(({ action }) => action === 'opened').length
    expect(entries.at(-1)).toMatchObject({ action: 'lost', subject: `${10 - opened} entries` })
    expect([opened > 0, opened < 10]).toEqual([true, true])
  })

  it('begins a new line behind one that was cut short', async () => {
    const log = open()
    log.record({ action: 'opened', subject: '1' })
    await log.stop()
    const file = join(folder, 'audit', '2027-01-31.jsonl')
    await writeFile(file, `${await readFile(file, 'utf8')}{"time":"2027-01-31T23:59`)
    const next = open()
    next.record({ action: 'opened', subject: '2' })
    await next.stop()
    expect(await subjectsOf(next)).toEqual(['1', '2'])
  })

  it('[threat P6] has a bound in bytes: the oldest go, and an entry says how many, and from when to when', async () => {
    const log = open(180, { maxAuditBytes: 1 << 20 })
    const subject = 'x'.repeat(1000)
    for (let i = 0; i < 3000; i++) {
      log.record({ action: 'revoked', user: `${i}`, subject })
      wallTime += 1000
      if (i % 100 === 99) await log.flush()
    }
    await log.stop()
    expect(log.bytes).toBeLessThanOrEqual((1 << 20) + (1 << 17))
    const entries = await entriesOf(log)
    const kept = entries.filter(({ action }) => action === 'revoked')
    expect(kept.at(-1)?.user).toBe('2999')
    const firstKept = Number(kept[0]?.user)
    expect(kept.map(({ user }) => Number(user))).toEqual(
      Array.from({ length: 3000 - firstKept }, (_, i) => firstKept + i),
    )
    // What is said to be gone, and what is there, are all that there were.
    const told = entries.filter(({ action }) => action === 'dropped')
    expect(log.droppedCount).toBeGreaterThanOrEqual(firstKept)
    expect(told.at(-1)?.subject).toMatch(/^\d+ entries, \S+Z to \S+Z$/u)
  })

  it('[threat P6] goes on in the next file of a day where a restart was between, and is read from any place there', async () => {
    const bounds = { maxAuditBytes: 1 << 20 }
    wallTime = Date.UTC(2027, 1, 1)
    for (let start = 0; start < 4; start++) {
      const log = open(180, bounds)
      for (let i = 0; i < 100; i++) log.record({ action: 'revoked', subject: `${start * 100 + i} ${'x'.repeat(1000)}` })
      await log.stop()
    }
    const log = open(180, bounds)
    const numbers = async (after: string | null) =>
      (await subjectsOfAfter(log, after)).map(text => Number.parseInt(text, 10))
    expect((await readdir(join(folder, 'audit'))).length).toBeGreaterThan(4)
    expect(await numbers(null)).toEqual(Array.from({ length: 400 }, (_, i) => i))
    for (const place of [1, 57, 58, 59, 200, 399]) {
      expect((await numbers(`2027-02-01.${place}`))[0], `after ${place}`).toBe(place)
    }
    expect(await numbers('2027-02-01.400')).toEqual([])
  })

  it('[threat P6] counts what somebody does again and again, and writes down what others do, and what is rare', async () => {
    const log = open(180, { auditEntriesPerMinute: 1 })
    const eve = { user: 'eve', address: '192.0.2.1', document: 'a' as DocumentId }
    for (let i = 0; i < 1000; i++) log.record({ ...eve, action: i % 2 === 0 ? 'opened' : 'ended' })
    log.record({ ...eve, action: 'read', bytes: 10, address: '192.0.2.2' })
    log.record({ ...eve, action: 'read', bytes: 20 })
    log.record({ ...eve, action: 'deleted' })
    log.record({ user: 'bo', action: 'opened' })
    await log.stop()
    const entries = await entriesOf(log)
    expect(entries.filter(({ user, count }) => user === 'eve' && count === null)).toHaveLength(101)
    const counted = entries.filter(({ count }) => count !== null)
    expect(counted).toMatchObject([
      { action: 'opened', user: 'eve', address: '192.0.2.1', count: 450, document: documentHash('a') },
      { action: 'ended', user: 'eve', count: 450 },
      { action: 'read', user: 'eve', count: 2, bytes: 30, address: null },
    ])
    expect(counted[0]?.subject).toBe('user:eve since 2027-01-31T23:59:59.000Z')
    expect(entries.filter(({ user }) => user === 'bo')).toHaveLength(1)
    expect(entries.filter(({ action }) => action === 'deleted')).toHaveLength(1)
  })

  const subjectsOfAfter = async (log: AuditLog, after: string | null) =>
    (await entriesOf(log, after)).map(({ subject }) => subject ?? '')
})
