import { randomInt } from 'node:crypto'
import { closeSync } from 'node:fs'
import type { WeftDocument } from '@weft/client'
import { comesFrom } from '@weft/schema'
import * as Y from 'yjs'
import { CommandError } from '../errors.ts'
import { type DiskFile, type Found, type FoundFile, wasRead } from './DiskFile.ts'
import { BadFileError, decodeFile, encodeFile, type FileFormat, isCut, MAX_FILE_BYTES, newFormat } from './FileText.ts'
import { keepFormatting } from './mergeLines.ts'
import { ReplacedFiles } from './ReplacedFiles.ts'
import {
  addVersion,
  changeFrom,
  chooseBase,
  holdsOtherThings,
  markdownOf,
  markdownOfState,
  saysSame,
  unsavedChange,
} from './SyncBase.ts'
import { SyncedDocument } from './SyncedDocument.ts'
import type { SyncReport } from './SyncReport.ts'
import type { SyncState, SyncVersion } from './SyncState.ts'

/** How long a file must be left alone before it is taken in, in ms: editors write it in several steps. */
const FILE_PAUSE_MS = 100
/** The same for one that is empty, or only the beginning of what it was: it may be on its way, by a slow writer. */
const CUT_PAUSE_MS = 2_000
/** A file that is gone may be on its way, too. */
const GONE_PAUSE_MS = 2_000
/** The file is rewritten when nobody has written in the document for so long, in ms … */
const DOCUMENT_PAUSE_MS = 300
/** … or for so long at the latest. */
const LONGEST_PAUSE_MS = 1_500
/** Pauses before something that failed is tried again, in ms: twice as long each time. */
const RETRY = { firstMs: 1_000, longestMs: 60_000 }

/** What `FileSync` needs of the world. */
export interface FileSyncOptions {
  readonly file: DiskFile
  /** As it is told. */
  readonly name: string
  readonly document: WeftDocument
  readonly state: SyncState
  readonly report: SyncReport
  /** A file that isn't there, and was at the last run, is written again. */
  readonly restoresMissing: boolean
  /** The file is gone and stays away. */
  readonly onGone?: () => void
}

/**
 * Keeps one file and one document in step.
 *
 * [F1] Nothing is written over what was not taken in: a file is replaced only in the state in which it was last read; what is
 *      written at that very moment into the file that was replaced is taken in, too.
 * [F2] What is done is recorded before it is done: a killed process does nothing twice, and loses nothing.
 * [F3] Only the difference is taken in, as an edit of the state that the file was made of (`chooseBase`).
 * [F4] Nothing is taken in or written without the server: what happens meanwhile stays where it is, and comes together later.
 */
export class FileSync {
  readonly document: WeftDocument
  readonly #options: FileSyncOptions
  readonly #file: DiskFile
  readonly #synced: SyncedDocument
  #format: FileFormat = newFormat
  /** What was found on the disk, and since when. Monotonic ms. */
  #found: { readonly what: Found; readonly since: number } | null = null
  /** The stamp of what the record was made of. */
  #takenStamp: string | null = null
  /** The file that was written here last, kept open: whether it was read tells who can have loaded it. */
  #written: number | null = null
  /** When the document changed first and last since the file was last compared with it. Monotonic ms. */
  #changed: { readonly first: number; readonly last: number } | null
  /** Under which the file's changes are written: one of this process. */
  readonly #clientID = randomInt(1, 2 ** 32)
  #failureCount = 0
  #retryAt = 0
  #timer: NodeJS.Timeout | undefined
  readonly #replaced = new ReplacedFiles<SyncVersion | undefined>((bytes, base) => this.#takeLate(bytes, base))
  #isStopped = false
  #idle: (() => void)[] = []
  /** When something was last done. Monotonic ms. */
  activeAt = performance.now()

  constructor(options: FileSyncOptions) {
    this.#options = options
    this.document = options.document
    this.#file = options.file
    this.#synced = new SyncedDocument(options.document, options.state, {
      problem: message => this.#problem(message),
      note: message => this.#note(message),
    })
    // Compared once, at the start.
    this.#changed = { first: Number.NEGATIVE_INFINITY, last: Number.NEGATIVE_INFINITY }
    this.document.ydoc.on('update', this.#documentChanged)
    this.document.on('status', this.#wake)
    this.#wake()
  }

  /** The file may have changed. */
  look(): void {
    this.#wake()
  }

  /** Resolves when both say the same, or it was reported why they can't. */
  settled(): Promise<void> {
    return new Promise(resolve => {
      this.#idle.push(resolve)
      this.#wake()
    })
  }

  /** The file is as it was when it and the document last said the same, and so is the document. */
  isUnchanged(): boolean {
    const found = this.#file.look()
    const base = this.#synced.newest
    return (
      base !== undefined &&
      (found.state === 'missing' || found.stamp === this.#takenStamp) &&
      saysSame(markdownOf(this.document.ydoc), base.text)
    )
  }

  /** Waits until the server has what was taken in, 10 s at most, and lets go of all. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#tellIdle()
    this.document.ydoc.off('update', this.#documentChanged)
    this.document.off('status', this.#wake)
    this.#replaced.close()
    this.#closeWritten()
    await this.#synced.close()
  }

  readonly #documentChanged = () => {
    const now = performance.now()
    this.#changed = { first: this.#changed?.first ?? now, last: now }
    this.#wake()
  }

  readonly #wake = () => {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#run(), 0)
  }

  #run(): void {
    let pause: number | null
    try {
      pause = this.#step()
      if (pause === null) this.#failureCount = 0
    } catch (error) {
      this.#problem(messageOf(error))
      pause = Math.min(RETRY.firstMs * 2 ** this.#failureCount++, RETRY.longestMs)
      this.#retryAt = performance.now() + pause
      this.#tellIdle()
    }
    if (pause !== null && !this.#isStopped) {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#run(), pause)
    }
  }

  #tellIdle(): void {
    const waiting = this.#idle
    this.#idle = []
    for (const resolve of waiting) resolve()
  }

  /** Does what there is to do. @returns ms until something is to be looked at again; null: when something happens */
  #step(): number | null {
    const { document } = this
    if (document.status !== 'synced') return null
    const now = performance.now()
    if (holdsOtherThings(document.ydoc)) {
      this.#problem('the document has no text, but other things')
      this.#tellIdle()
      return null
    }
    const what = this.#file.look()
    if (what.stamp !== this.#found?.what.stamp) {
      this.#found = { what, since: now }
      this.#retryAt = 0
    }
    const quiet = now - this.#found.since
    if (this.#retryAt > now) return this.#retryAt - now
    // A file that was not touched since it was last taken in needs no pause.
    const pause = what.stamp === this.#takenStamp ? null : this.#takeFound(what, quiet)
    if (pause !== null) return pause
    const isTaken = what.stamp === this.#takenStamp
    if (isTaken && this.#changed !== null) {
      const { first, last } = this.#changed
      const due = Math.min(last + DOCUMENT_PAUSE_MS, first + LONGEST_PAUSE_MS)
      if (due > now) return due - now
      // What is looked at again at once is what was put in its place.
      if (this.#write(what)) this.#changed = null
      else return FILE_PAUSE_MS
    }
    if (isTaken) this.#options.report.cured(document.documentId, this.#options.name)
    this.#tellIdle()
    return null
  }

  /** Looks at what is new on the disk. @returns as `#step`; null with another `#takenStamp`: it stays as it is */
  #takeFound(what: Found, quiet: number): number | null {
    if (what.state === 'missing') return this.#takeMissing(quiet)
    if (quiet < FILE_PAUSE_MS) return FILE_PAUSE_MS - quiet
    if (what.state === 'other') {
      this.#problem(what.why)
      return null
    }
    const bytes = this.#file.read(what)
    if (bytes === null) return FILE_PAUSE_MS
    try {
      const { text, format } = decodeFile(bytes)
      const { newest } = this.#synced
      if (newest !== undefined && isCut(newest.text, text) && quiet < CUT_PAUSE_MS) return CUT_PAUSE_MS - quiet
      if (!this.#take(text, what)) return null
      this.#format = format
      this.#takenStamp = what.stamp
      return null
    } catch (error) {
      if (!(error instanceof BadFileError)) throw error
      this.#problem(error.message)
      return null
    }
  }

  #takeMissing(quiet: number): number | null {
    const isNew = this.#synced.record === null || (this.#takenStamp === null && this.#options.restoresMissing)
    if (isNew) {
      this.#takenStamp = ''
      return null
    }
    if (quiet < GONE_PAUSE_MS) return GONE_PAUSE_MS - quiet
    if (this.#takenStamp !== 'gone') {
      // Another than '': nothing is written in its place.
      this.#takenStamp = 'gone'
      this.#options.onGone?.()
    }
    return null
  }

  /** @returns whether the document has it */
  #take(text: string, found: FoundFile): boolean {
    const { report, name } = this.#options
    const { ydoc } = this.document
    this.#noticeReading(found)
    const known = this.#synced.record
    // Recorded, and never put in its place: the process was killed between.
    const placed = known?.versions.findIndex(({ identity }) => identity === found.identity) ?? -1
    const record = known !== null && placed > 0 ? { ...known, versions: known.versions.slice(placed) } : known
    const chosen = record === null ? null : chooseBase(record, text)
    if (record !== null && chosen !== null && chosen.base.text === text && !chosen.isStale) {
      const [newest, ...older] = record.versions
      if (newest !== undefined && newest.identity !== found.identity) {
        this.#synced.write({ ...record, versions: [{ ...newest, identity: found.identity, isKnown: true }, ...older] })
      } else this.#synced.remember(record)
      return true
    }
    const base = chosen !== null && comesFrom(ydoc, chosen.base.state) ? chosen.base : null
    const before = markdownOf(ydoc)
    const isSame = saysSame(before, text)
    const change = isSame
      ? { update: null, state: Y.encodeStateAsUpdate(ydoc), rescuedCount: 0, stuckCount: 0 }
      : changeFrom(ydoc, base, text, this.#clientID)
    if (change.update !== null && this.document.access === 'read-only') {
      this.#problem('what was saved in the file is not in the document: it can only be read here (WEFT_TOKEN)')
      return false
    }
    const version = { text, state: change.state, identity: found.identity, isKnown: true }
    const isStale = chosen?.isStale === true && base !== null && !isSame
    this.#synced.apply(
      { versions: [version], staleText: isStale ? text : null },
      'written' in change ? unsavedChange(change) : null,
    )
    if (base === null && !isSame && before !== '' && text !== '') {
      const why = known === null ? 'nothing is known of an earlier run' : 'the document was begun anew'
      this.#note(`${why}: the lines of both sides are kept`)
    }
    if (isStale) {
      this.#note(
        'saved without what came from the document meanwhile: both are kept (save the same again to delete that)',
      )
    }
    if (change.rescuedCount > 0) {
      this.#note(`one side deleted what the other one wrote in: ${counted(change.rescuedCount, 'block')} kept`)
    }
    if (change.stuckCount > 0) {
      this.#note(
        `${counted(change.stuckCount, 'block')} left as in the document: of another application, not to be changed here`,
      )
    }
    if (change.update !== null) report.tell({ event: 'taken', document: this.document.documentId, file: name })
    this.activeAt = performance.now()
    // What the file lacks of the document is written next.
    this.#changed ??= { first: Number.NEGATIVE_INFINITY, last: Number.NEGATIVE_INFINITY }
    return true
  }

  /** Makes the file say what the document says. @returns false: the file has changed meanwhile */
  #write(found: Found): boolean {
    const { report, name } = this.#options
    const markdown = markdownOf(this.document.ydoc)
    const { record } = this.#synced
    const [base] = record?.versions ?? []
    // A file that is not there is written, unless it would be empty.
    if (found.state === 'other' || saysSame(markdown, found.state === 'missing' ? '' : (base?.text ?? ''))) return true
    const own = base === undefined ? null : { text: base.text, canonical: markdownOfState(base.state) }
    const isKept = own !== null && saysSame(own.canonical, own.text)
    const text = isKept ? keepFormatting(own.canonical, own.text, markdown) : markdown
    const bytes = encodeFile({ text, format: this.#format })
    if (bytes.length > MAX_FILE_BYTES) {
      throw new CommandError(
        `the document has ${bytes.length} bytes of Markdown, over ${MAX_FILE_BYTES}; the file stays`,
      )
    }
    this.#noticeReading(found)
    const prepared = this.#file.prepare(bytes, found)
    try {
      const version: SyncVersion = {
        text,
        state: Y.encodeStateAsUpdate(this.document.ydoc),
        identity: prepared.identity,
        isKnown: false,
      }
      const versions = addVersion(this.#synced.record?.versions ?? [], version, prepared.isReadingTold)
      this.#synced.write({ unsaved: null, staleText: null, ...this.#synced.record, versions })
    } catch (error) {
      prepared.discard()
      throw error
    }
    const placed = prepared.commit()
    if (placed === null) {
      this.#synced.remember(record)
      return false
    }
    this.#closeWritten()
    this.#written = placed.written
    this.activeAt = performance.now()
    if (placed.replaced !== null && found.state === 'file') {
      this.#replaced.watch(placed.replaced, found.identity, base)
    }
    this.#found = { what: placed.found, since: performance.now() }
    // What somebody has written into it already is taken in next: no file has this other stamp, and neither has none.
    this.#takenStamp = placed.found.identity === prepared.identity ? placed.found.stamp : 'written into'
    report.tell({ event: 'written', document: this.document.documentId, file: name })
    return true
  }

  /** Notes whether the newest version was read, before it is replaced or compared with. */
  #noticeReading(found: Found): void {
    const { record } = this.#synced
    const [newest, ...older] = record?.versions ?? []
    if (record === null || newest === undefined || newest.isKnown) return
    // After a start nothing is open; the file itself tells, if it is still the one that was written.
    if (this.#written === null && found.state === 'file' && found.identity === newest.identity) {
      this.#written = this.#file.open()
    }
    if (this.#written === null || !wasRead(this.#written, newest.identity)) return
    this.#synced.remember({ ...record, versions: [{ ...newest, isKnown: true }, ...older] })
  }

  #closeWritten(): void {
    if (this.#written !== null) closeSync(this.#written)
    this.#written = null
  }

  /** What an editor wrote into the file that was just replaced. [F1] */
  #takeLate(bytes: Uint8Array, base: SyncVersion | undefined): void {
    const { record } = this.#synced
    if (record === null || base === undefined || !comesFrom(this.document.ydoc, base.state)) return
    try {
      const { text } = decodeFile(bytes)
      if (text === base.text || isCut(base.text, text) || this.document.access === 'read-only') return
      const change = changeFrom(this.document.ydoc, base, text, this.#clientID)
      if (change.update === null) return
      // The file is another one; but this is what the editor goes on with.
      const late = { text, state: change.state, identity: '', isKnown: true }
      const versions = [...record.versions.slice(0, 1), late]
      this.#synced.apply({ ...record, versions }, unsavedChange(change))
      this.#options.report.tell({ event: 'taken', document: this.document.documentId, file: this.#options.name })
    } catch (error) {
      this.#problem(messageOf(error))
    }
  }

  #problem(message: string): void {
    this.#options.report.problem(this.document.documentId, this.#options.name, message)
  }

  #note(message: string): void {
    const { report, name } = this.#options
    report.tell({ event: 'note', document: this.document.documentId, file: name, message })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? ' is' : 's are'}`
}
