import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { pino } from 'pino'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Clock } from '../clock.ts'
import type { AuditEntry } from './AuditEntry.ts'
import { AuditLog, documentHash } from './AuditLog.ts'

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
  const open = (days = 180) => new AuditLog(folder, days, clock, logger)
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
})
