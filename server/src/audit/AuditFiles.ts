import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const FILE_NAME = /^(\d{4}-\d\d-\d\d)(?:\.(\d{1,9}))?\.jsonl$/u
/** What goes at once when there is too much: a part of all that may be. */
const SEGMENTS = 16
const MIN_SEGMENT_BYTES = 64 << 10

/** A file: a day's lines, or a part of them. */
export interface Segment {
  /** `2027-01-31`, UTC */
  readonly day: string
  /** Lines of that day that are in files before this one. */
  readonly before: number
}

/** What went with a file. */
export interface DroppedSegment {
  readonly lines: number
  readonly first: string | null
  readonly last: string | null
}

/**
 * The files of the audit log: `YYYY-MM-DD.jsonl`, and where a day has more than fits, `YYYY-MM-DD.N.jsonl` for what follows its
 * first N lines. They are only added to, and go whole.
 */
export class AuditFiles {
  readonly #folder: string
  readonly #segmentBytes: number
  /** By name; null: not looked at yet. */
  #sizes: Map<string, number> | null = null
  /** The file that was written to last, and its lines. */
  #last: (Segment & { lines: number }) | null = null

  constructor(folder: string, maxBytes: number) {
    this.#folder = folder
    this.#segmentBytes = Math.max(MIN_SEGMENT_BYTES, Math.ceil(maxBytes / SEGMENTS))
  }

  /** All files together, as far as they are known: from the first write on. */
  get bytes(): number {
    let sum = 0
    for (const size of this.#sizes?.values() ?? []) sum += size
    return sum
  }

  /** In the order in which they were written. */
  async list(): Promise<Segment[]> {
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    return names.flatMap(name => parseName(name) ?? []).sort(inOrder)
  }

  /**
   * Adds lines of one day, as many as fit into a file. When it resolves they are on disk; where it fails none of them is.
   * @param lines each with its line feed @returns how many
   */
  async append(day: string, lines: readonly string[]): Promise<number> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const sizes = await this.#measure()
    let segment = await this.#segmentOf(day)
    if ((sizes.get(nameOf(segment)) ?? 0) >= this.#segmentBytes) {
      segment = { day, before: segment.before + segment.lines, lines: 0 }
    }
    const name = nameOf(segment)
    let room = this.#segmentBytes - (sizes.get(name) ?? 0)
    const fitting: string[] = []
    for (const line of lines) {
      if (fitting.length > 0 && room <= 0) break
      fitting.push(line)
      room -= Buffer.byteLength(line)
    }
    const { size, isMended } = await this.#write(join(this.#folder, name), fitting.join(''))
    sizes.set(name, size)
    this.#last = { ...segment, lines: segment.lines + fitting.length + (isMended ? 1 : 0) }
    return fitting.length
  }

  async #write(path: string, text: string): Promise<{ size: number; isMended: boolean }> {
    const file = await open(path, 'a+', 0o600)
    try {
      const { size } = await file.stat()
      try {
        // What a crash, or a full disk, has cut off in its middle must not swallow the next line.
        const isMended = size > 0 && !(await endsLine(file, size))
        await file.appendFile(isMended ? `\n${text}` : text)
        await file.datasync()
        return { size: (await file.stat()).size, isMended }
      } catch (error) {
        // All of it is written again.
        await file.truncate(size).catch(() => {})
        throw error
      }
    } finally {
      await file.close()
    }
  }

  async #measure(): Promise<Map<string, number>> {
    if (this.#sizes !== null) return this.#sizes
    const sizes = new Map<string, number>()
    for (const name of (await this.list()).map(nameOf)) sizes.set(name, (await stat(join(this.#folder, name))).size)
    this.#sizes = sizes
    return sizes
  }

  async #segmentOf(day: string): Promise<Segment & { lines: number }> {
    if (this.#last?.day === day) return this.#last
    const last = (await this.list()).findLast(segment => segment.day === day)
    if (last === undefined) return { day, before: 0, lines: 0 }
    let lines = 0
    for await (const chunk of createReadStream(join(this.#folder, nameOf(last)))) lines += count(chunk as Buffer)
    return { ...last, lines }
  }

  /** The oldest file where there is more than so much, and another one. */
  async oldestOver(maxBytes: number): Promise<Segment | null> {
    await this.#measure()
    if (this.bytes <= maxBytes) return null
    const segments = await this.list()
    return segments.length > 1 ? (segments[0] ?? null) : null
  }

  /** What would go with a file. */
  async describe(segment: Segment): Promise<DroppedSegment> {
    let lines = 0
    let first: string | null = null
    let last: string | null = null
    for await (const { text } of this.lines(segment)) {
      lines++
      last = text
      first ??= text
    }
    return { lines, first, last }
  }

  async remove(segment: Segment): Promise<void> {
    const name = nameOf(segment)
    await rm(join(this.#folder, name), { force: true })
    this.#sizes?.delete(name)
  }

  /** The lines of a file, with their numbers in the day, from 1; none where it has gone. */
  async *lines(segment: Segment): AsyncGenerator<{ text: string; line: number }> {
    const file = await open(join(this.#folder, nameOf(segment))).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (file === null) return
    const input = file.createReadStream({ encoding: 'utf8' })
    try {
      let line = segment.before
      for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        line++
        yield { text, line }
      }
    } finally {
      input.destroy()
    }
  }
}

function nameOf({ day, before }: Segment): string {
  return before === 0 ? `${day}.jsonl` : `${day}.${before}.jsonl`
}

function parseName(name: string): Segment | null {
  const [, day, before = '0'] = FILE_NAME.exec(name) ?? []
  return day === undefined ? null : { day, before: Number(before) }
}

function inOrder(a: Segment, b: Segment): number {
  return a.day === b.day ? a.before - b.before : a.day < b.day ? -1 : 1
}

async function endsLine(file: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] === 0x0a
}

function count(chunk: Buffer): number {
  let found = 0
  for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, at + 1)) found++
  return found
}
