import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { Audit, AuditEntry, AuditEvent } from './AuditEntry.ts'

/** Entries are written together, so long after the first of them, in ms. */
const FLUSH_MS = 1000
/** What waits for a disk that takes nothing: about 30,000 entries. What comes then is counted, and lost. */
const MAX_WAITING_BYTES = 8 << 20
const FILE_NAME = /^(\d{4}-\d\d-\d\d)\.jsonl$/u
const DAY_MS = 24 * 60 * 60_000

/**
 * Who did what, in `audit/` of the data folder: a file a day (UTC), a line of JSON each, only ever added to. Entries wait in
 * memory for a second at most, so that they cost no write each; a normal stop writes them all, and `kill -9` may take the last
 * second. A disk that takes nothing stops nobody: what doesn't fit in memory meanwhile is counted, and the count is an entry.
 */
export class AuditLog implements Audit {
  readonly #folder: string
  readonly #days: number
  readonly #clock: Clock
  readonly #logger: Logger
  #waiting: string[] = []
  #waitingBytes = 0
  #lostCount = 0
  #timer: Timer | null = null
  #writing: Promise<void> = Promise.resolve()
  #hasFailed = false
  /** The file that was written to last. */
  #day = ''

  /** @param days files older than these are removed */
  constructor(dataFolder: string, days: number, clock: Clock, logger: Logger) {
    this.#folder = join(dataFolder, 'audit')
    this.#days = days
    this.#clock = clock
    this.#logger = logger
  }

  record(event: AuditEvent): void {
    const { request = null, user = null, address = null, document = null, code = null, bytes = null } = event
    const entry: AuditEntry = {
      time: new Date(this.#clock.wallTime()).toISOString(),
      action: event.action,
      request,
      user,
      address,
      document: document === null ? null : documentHash(document),
      code,
      bytes,
      subject: event.subject ?? null,
    }
    const line = `${JSON.stringify(entry)}\n`
    if (this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#lostCount++
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    this.#timer ??= this.#clock.setTimer(() => void this.flush(), FLUSH_MS)
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
    await this.flush()
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#timer = null
  }

  async #write(): Promise<void> {
    if (this.#waiting.length === 0) return
    const lines = this.#waiting
    const bytes = this.#waitingBytes
    this.#waiting = []
    let written = 0
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      for (const [day, text] of byDay(lines)) {
        await this.#append(day, text)
        written += text.length
      }
      if (this.#hasFailed) this.#logger.info('the audit log can be written to again')
      this.#hasFailed = false
      this.#waitingBytes -= bytes
      if (this.#lostCount > 0) this.#tellLost()
    } catch (error) {
      if (!this.#hasFailed)
        this.#logger.error({ err: error }, 'the audit log cannot be written to; entries wait in memory')
      this.#hasFailed = true
      const isUnwritten = lineFilter(written)
      this.#waiting = [...lines.filter(isUnwritten), ...this.#waiting]
      this.#waitingBytes -= written
      this.#timer ??= this.#clock.setTimer(() => void this.flush(), FLUSH_MS)
    }
  }

  #tellLost(): void {
    const subject = `${this.#lostCount} entries`
    this.#lostCount = 0
    this.record({ action: 'lost', subject })
  }

  async #append(day: string, text: string): Promise<void> {
    const file = await open(join(this.#folder, `${day}.jsonl`), 'a+', 0o600)
    try {
      const { size } = await file.stat()
      try {
        // What a crash, or a full disk, has cut off in its middle must not swallow the next line.
        if (size > 0 && !(await endsLine(file, size))) await file.appendFile('\n')
        await file.appendFile(text)
        await file.datasync()
      } catch (error) {
        // All of it is written again.
        await file.truncate(size).catch(() => {})
        throw error
      }
    } finally {
      await file.close()
    }
    if (day !== this.#day) {
      this.#day = day
      await this.#removeOld()
    }
  }

  async #removeOld(): Promise<void> {
    const oldest = dayOf(this.#clock.wallTime() - this.#days * DAY_MS)
    for (const day of await this.#listDays()) {
      if (day < oldest) await rm(join(this.#folder, `${day}.jsonl`), { force: true })
    }
  }

  async #listDays(): Promise<string[]> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return names.flatMap(name => FILE_NAME.exec(name)?.[1] ?? []).sort()
  }

  /**
   * Entries in the order in which they were written, one by one.
   * @param after where to begin: a place that came with an entry before; null: with the first that is kept
   */
  async *read(after: string | null): AsyncGenerator<{ entry: AuditEntry; place: string }> {
    await this.flush()
    const [fromDay = '', fromLine = '0'] = after === null ? [] : after.split('.')
    for (const day of await this.#listDays()) {
      if (day < fromDay) continue
      const skipped = day === fromDay ? Number(fromLine) : 0
      const input = createReadStream(join(this.#folder, `${day}.jsonl`), 'utf8')
      try {
        let line = 0
        for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
          line++
          const entry = line > skipped ? parse(text) : null
          if (entry !== null) yield { entry, place: `${day}.${line}` }
        }
      } finally {
        input.destroy()
      }
    }
  }
}

/** As documents are named in the log. */
export function documentHash(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 32)
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** Lines in order, those of a day as one text. */
function byDay(lines: readonly string[]): Map<string, string> {
  const days = new Map<string, string[]>()
  for (const line of lines) {
    // `{"time":"2026-11-30T…`
    const day = line.slice(9, 19)
    const ofDay = days.get(day)
    if (ofDay === undefined) days.set(day, [line])
    else ofDay.push(line)
  }
  return new Map([...days].map(([day, ofDay]) => [day, ofDay.join('')]))
}

/** Whether a line is not among the first `length` characters of all. */
function lineFilter(length: number): (line: string) => boolean {
  let left = length
  return line => {
    if (left <= 0) return true
    left -= line.length
    return false
  }
}

async function endsLine(file: Awaited<ReturnType<typeof open>>, size: number): Promise<boolean> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] === 0x0a
}

/** @returns null: it was cut short, or is none of ours */
function parse(line: string): AuditEntry | null {
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' && entry !== null && 'action' in entry && 'time' in entry
      ? (entry as AuditEntry)
      : null
  } catch {
    return null
  }
}
