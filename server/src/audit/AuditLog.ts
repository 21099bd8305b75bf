import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { RecentMap } from '../RecentMap.ts'
import { AuditCounts, type Counted } from './AuditCounts.ts'
import type { Audit, AuditEntry, AuditEvent } from './AuditEntry.ts'
import { AuditFiles } from './AuditFiles.ts'

/** Entries are written together, so long after the first of them, in ms. */
const FLUSH_MS = 1000
/** What was counted is written so long after the first of it, in ms. */
const COUNT_MS = 60_000
/** What waits for a disk that takes nothing: about 30,000 entries. What comes then is counted, and lost. */
export const MAX_WAITING_BYTES = 8 << 20
/** Names of documents whose hashes are kept: 1 MiB where all are as long as they may be. */
const MAX_HASHES = 1000
const DAY_MS = 24 * 60 * 60_000

export interface AuditSettings {
  /** Files older than these are removed. */
  readonly auditDays: number
  /** Above it the oldest go. */
  readonly maxAuditBytes: number
  /** Entries of one user a minute; more are counted. */
  readonly auditEntriesPerMinute: number
}

/**
 * Who did what, in `audit/` of the data folder: a file a day (UTC) or several, a line of JSON each, only ever added to.
 *
 * - Entries wait in memory for a second at most, so that they cost no write each; a normal stop writes them all, and `kill -9` may
 *   take the last second. A disk that takes nothing stops nobody: what doesn't fit in memory meanwhile is counted, and the count is
 *   an entry (`lost`).
 * - There is a bound in bytes: above it the oldest file goes, after an entry (`dropped`) says how many went, and from when to when.
 * - Nobody fills it with what they do again and again: above a rate of each user that is counted, and each minute the counts are
 *   entries.
 */
export class AuditLog implements Audit {
  readonly #files: AuditFiles
  readonly #counts: AuditCounts
  readonly #settings: AuditSettings
  readonly #clock: Clock
  readonly #logger: Logger
  #waiting: string[] = []
  #waitingBytes = 0
  #lostCount = 0
  #droppedCount = 0
  #timer: Timer | null = null
  #countTimer: Timer | null = null
  #writing: Promise<void> = Promise.resolve()
  #hasFailed = false
  /** The day that was written to last. */
  #day = ''

  constructor(dataFolder: string, settings: AuditSettings, clock: Clock, logger: Logger) {
    this.#files = new AuditFiles(join(dataFolder, 'audit'), settings.maxAuditBytes)
    this.#counts = new AuditCounts(settings.auditEntriesPerMinute)
    this.#settings = settings
    this.#clock = clock
    this.#logger = logger
  }

  /** Bytes on the disk, from the first write on. */
  get bytes(): number {
    return this.#files.bytes
  }

  /** Entries that went since the start because there were too many bytes. */
  get droppedCount(): number {
    return this.#droppedCount
  }

  record(event: AuditEvent): void {
    const time = this.#clock.wallTime()
    if (this.#counts.takes(event, this.#clock.now(), time)) {
      this.#countTimer ??= this.#clock.setTimer(() => this.#writeCounts(), COUNT_MS)
      return
    }
    this.#push(lineOf(entryOf(event, time)))
  }

  #push(line: string): void {
    if (this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#lostCount++
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    this.#timer ??= this.#clock.setTimer(() => void this.flush(), FLUSH_MS)
  }

  #writeCounts(): void {
    if (this.#countTimer !== null) this.#clock.clearTimer(this.#countTimer)
    this.#countTimer = null
    const time = this.#clock.wallTime()
    for (const counted of this.#counts.takeAll()) this.#push(lineOf(countedEntry(counted, time)))
  }

  /** Writes what waits. Resolves when it has been tried, rejects never. */
  flush(): Promise<void> {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#timer = null
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Writes all that there is, to the disk. */
  async stop(): Promise<void> {
    this.#writeCounts()
    await this.flush()
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#timer = null
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return
    const lines = this.#waiting
    this.#waiting = []
    let written = 0
    try {
      while (written < lines.length) {
        const count = await this.#append(lines, written)
        for (const line of lines.slice(written, written + count)) this.#waitingBytes -= line.length
        written += count
      }
      if (this.#hasFailed) this.#logger.info('the audit log can be written to again')
      this.#hasFailed = false
      if (this.#lostCount > 0) this.#tellLost()
    } catch (error) {
      if (!this.#hasFailed)
        this.#logger.error({ err: error }, 'the audit log cannot be written to; entries wait in memory')
      this.#hasFailed = true
      this.#waiting = [...lines.slice(written), ...this.#waiting]
      this.#timer ??= this.#clock.setTimer(() => void this.flush(), FLUSH_MS)
    }
  }

  #tellLost(): void {
    const subject = `${this.#lostCount} entries`
    this.#lostCount = 0
    this.record({ action: 'lost', subject })
  }

  /** @returns how many lines were written: those of one day that fit into a file */
  async #append(lines: readonly string[], from: number): Promise<number> {
    const day = dayOf(lines[from] ?? '')
    let end = from + 1
    while (end < lines.length && dayOf(lines[end] ?? '') === day) end++
    const count = await this.#files.append(day, lines.slice(from, end))
    if (day !== this.#day) {
      this.#day = day
      await this.#removeOld()
    }
    await this.#dropOldest()
    return count
  }

  async #removeOld(): Promise<void> {
    const oldest = isoDay(this.#clock.wallTime() - this.#settings.auditDays * DAY_MS)
    for (const segment of await this.#files.list()) if (segment.day < oldest) await this.#files.remove(segment)
  }

  async #dropOldest(): Promise<void> {
    for (;;) {
      const segment = await this.#files.oldestOver(this.#settings.maxAuditBytes)
      if (segment === null) return
      const { lines, first, last } = await this.#files.describe(segment)
      const timeOf = (text: string | null) => parse(text ?? '')?.time ?? segment.day
      const subject = `${lines} entries, ${timeOf(first)} to ${timeOf(last)}`
      const line = lineOf(entryOf({ action: 'dropped', subject }, this.#clock.wallTime()))
      // Told before it is done: no crash in between makes it silent. Never in the file that goes, though the clock went back.
      const newest = (await this.#files.list()).at(-1)?.day ?? ''
      await this.#files.append(newest > dayOf(line) ? newest : dayOf(line), [line])
      await this.#files.remove(segment)
      this.#droppedCount += lines
      this.#logger.warn(
        { lines, maxAuditBytes: this.#settings.maxAuditBytes },
        'the oldest entries of the audit log went',
      )
    }
  }

  /**
   * Entries in the order in which they were written, one by one.
   * @param after where to begin: a place that came with an entry before; null: with the first that is kept
   */
  async *read(after: string | null): AsyncGenerator<{ entry: AuditEntry; place: string }> {
    await this.flush()
    const [fromDay = '', fromLine = '0'] = after === null ? [] : after.split('.')
    const segments = await this.#files.list()
    for (const [index, segment] of segments.entries()) {
      const { day } = segment
      const skipped = day === fromDay ? Number(fromLine) : 0
      const next = segments[index + 1]
      if (day < fromDay || (next?.day === day && next.before <= skipped)) continue
      for await (const { text, line } of this.#files.lines(segment)) {
        const entry = line > skipped ? parse(text) : null
        if (entry !== null) yield { entry, place: `${day}.${line}` }
      }
    }
  }
}

/** Of the documents named last: after a restart each is opened by all who were in it. */
const hashes = new RecentMap<string, string>(MAX_HASHES)

/** As documents are named in the log. */
export function documentHash(name: string): string {
  const known = hashes.get(name)
  if (known !== undefined) return known
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 32)
  hashes.set(name, hash)
  return hash
}

function entryOf(event: AuditEvent, time: number): AuditEntry {
  const { request = null, user = null, address = null, document = null, code = null, bytes = null } = event
  return {
    time: new Date(time).toISOString(),
    action: event.action,
    request,
    user,
    address,
    document: document === null ? null : documentHash(document),
    code,
    bytes,
    subject: event.subject ?? null,
    count: null,
  }
}

function countedEntry({ holder, count, since, ...event }: Counted, time: number): AuditEntry {
  const subject = `${holder} since ${new Date(since).toISOString()}`
  return { ...entryOf({ ...event, subject }, time), count }
}

function lineOf(entry: AuditEntry): string {
  return `${JSON.stringify(entry)}\n`
}

function isoDay(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** Of a line: `{"time":"2026-11-30T…` */
function dayOf(line: string): string {
  return line.slice(9, 19)
}

/** @returns null: it was cut short, or is none of ours */
function parse(line: string): AuditEntry | null {
  try {
    const entry: unknown = JSON.parse(line)
    // Those of earlier versions have no count.
    return typeof entry === 'object' && entry !== null && 'action' in entry && 'time' in entry
      ? ({ count: null, ...entry } as AuditEntry)
      : null
  } catch {
    return null
  }
}
