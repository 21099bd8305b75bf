import { realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { RefusedError, type WeftDocument } from '@weft/client'
import { closeCode, type DocumentId, parseDocumentId } from '@weft/protocol'
import { CommandError } from '../errors.ts'
import type { ServerApi } from '../ServerApi.ts'
import type { ServerAddress } from '../serverAddress.ts'
import { DiskFile } from './DiskFile.ts'
import { FileSync } from './FileSync.ts'
import { decodeFile } from './FileText.ts'
import { BadNameError, documentOf, fileOf, foldName, listFolder } from './FolderNames.ts'
import { FolderWatch } from './FolderWatch.ts'
import { openSynced } from './openSynced.ts'
import type { SyncReport } from './SyncReport.ts'
import { SyncState } from './SyncState.ts'

/** Documents that are open at once: each is a connection. */
const MAX_OPEN = 50
/** Where there are more, one that was quiet for so long makes room for the next, in ms. */
const QUIET_MS = 5_000
/** How often the folder is looked through, whatever is heard of it, in ms. */
const SCAN_PAUSE_MS = 2_000
/** How often the server is asked for documents, in ms. */
const LIST_PAUSE_MS = 5_000
/** What is heard of the folder within so long is one look, in ms. */
const GATHER_MS = 50

export interface FolderSyncOptions {
  readonly folder: string
  /** '' or with a slash at its end. */
  readonly prefix: string
  readonly server: ServerAddress
  readonly api: ServerApi
  readonly stateFolder: string
  readonly report: SyncReport
  /** A deletion on one side is done on the other. */
  readonly deletes: boolean
  readonly signal: AbortSignal
}

/** A file below the folder and its document. */
interface Pair {
  readonly documentId: DocumentId
  readonly path: string
  readonly file: DiskFile
  readonly state: SyncState
  sync: FileSync | null
  /** It is being opened or closed. */
  busy: Promise<void> | null
  /** The stamp of the file when it was last looked at; null: never. */
  stamp: string | null
  /** It is to be opened before those that only take their turn. */
  isUrgent: boolean
  /** It was refused or deleted: nothing more is done, until its file changes. */
  isOver: boolean
  /** Monotonic ms. */
  openedAt: number
}

/**
 * Keeps the Markdown files below a folder and the documents whose names begin alike in step. Up to `MAX_OPEN` documents are
 * open all the time; where there are more, they take turns, those whose file has changed first.
 */
export class FolderSync {
  readonly #options: FolderSyncOptions
  readonly #root: string
  readonly #pairs = new Map<string, Pair>()
  readonly #folded = new Map<string, string>()
  readonly #watch = new FolderWatch(() => this.#heard())
  #timers: NodeJS.Timeout[] = []
  #gather: NodeJS.Timeout | undefined
  #isStopped = false
  readonly #deleting = new Set<Promise<void>>()
  /** Ends the waiting for a server. */
  readonly #ending = new AbortController()
  #fail: (error: unknown) => void = () => {}
  /** Rejects when nothing can be done any more. */
  readonly failed: Promise<never>

  constructor(options: FolderSyncOptions) {
    this.#options = options
    this.#root = realpathSync(options.folder)
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => {})
  }

  /** Syncs until `stop`. */
  start(): void {
    const every = (pause: number, work: () => unknown) => {
      work()
      this.#timers.push(setInterval(work, pause))
    }
    every(SCAN_PAUSE_MS, () => this.#scan())
    every(LIST_PAUSE_MS, () => {
      this.list().catch(error => this.#options.report.problem(null, null, messageOf(error)))
    })
  }

  /** Brings all into step, one document after the other in each of `MAX_OPEN` places. @throws {CommandError} */
  async once(): Promise<void> {
    // Files first: of names that some systems take for one, the one that is there counts.
    this.#scan()
    await this.list()
    const waiting = [...this.#pairs.values()]
    const work = async () => {
      for (let pair = waiting.pop(); pair !== undefined && !this.#options.signal.aborted; pair = waiting.pop()) {
        await this.#open(pair)
        await pair.sync?.settled()
        await this.#close(pair)
      }
    }
    await Promise.race([Promise.all(Array.from({ length: MAX_OPEN }, work)), this.failed])
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#ending.abort()
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#gather)
    this.#watch.close()
    await Promise.all(this.#deleting)
    await Promise.all(
      [...this.#pairs.values()].map(async pair => {
        await pair.busy
        await this.#close(pair)
      }),
    )
  }

  /** Asks the server for documents that are new. */
  async list(): Promise<void> {
    const { api, prefix, report } = this.#options
    for await (const { name } of api.list(prefix)) {
      if (this.#isStopped) return
      if (this.#pairs.has(name)) continue
      try {
        this.#add(parseDocumentId(name), fileOf(name, prefix))
      } catch (error) {
        if (!(error instanceof BadNameError)) throw error
        report.problem(name, null, `left out: ${error.message}`)
      }
    }
    report.cured(null, null)
    this.#fill()
  }

  #heard(): void {
    if (this.#isStopped || this.#gather !== undefined) return
    this.#gather = setTimeout(() => {
      this.#gather = undefined
      this.#scan()
    }, GATHER_MS)
  }

  /** Looks through the folder. */
  #scan(): void {
    const { report, prefix } = this.#options
    if (this.#isStopped) return
    try {
      const { files, folders, links } = listFolder(this.#root)
      if (this.#timers.length > 0) this.#watch.watch(folders)
      for (const path of links) report.problem(null, path, 'left out: it is a link, and links are not followed here')
      for (const path of files) {
        try {
          const documentId = documentOf(path, prefix)
          if (!this.#pairs.has(documentId)) this.#add(documentId, path)
        } catch (error) {
          if (!(error instanceof BadNameError)) throw error
          report.problem(null, path, `left out: ${error.message}`)
        }
      }
      for (const pair of this.#pairs.values()) this.#lookAt(pair)
    } catch (error) {
      report.problem(null, this.#options.folder, messageOf(error))
    }
    this.#fill()
  }

  #lookAt(pair: Pair): void {
    const { stamp } = pair.file.look()
    if (stamp !== pair.stamp) {
      pair.isUrgent = true
      pair.isOver = false
    }
    pair.stamp = stamp
    if (pair.sync !== null) pair.sync.look()
  }

  /** @throws {BadNameError} another file has that name already, for some systems */
  #add(documentId: DocumentId, path: string): void {
    const { stateFolder, server } = this.#options
    const folded = foldName(path)
    const other = this.#folded.get(folded)
    if (other !== undefined && other !== path)
      throw new BadNameError(`some systems take it for the same file as ${other}`)
    this.#folded.set(folded, path)
    const absolute = join(this.#root, path)
    this.#pairs.set(documentId, {
      documentId,
      path,
      file: new DiskFile(absolute, this.#root),
      state: new SyncState(stateFolder, server.url, documentId, absolute),
      sync: null,
      busy: null,
      stamp: null,
      isUrgent: false,
      isOver: false,
      openedAt: Number.NEGATIVE_INFINITY,
    })
  }

  /** Opens as many as may be; where there are more, quiet ones make room. */
  #fill(): void {
    if (this.#isStopped || this.#timers.length === 0) return
    const pairs = [...this.#pairs.values()]
    const open = pairs.filter(({ sync, busy }) => sync !== null || busy !== null)
    const waiting = pairs
      .filter(({ sync, busy, isOver }) => sync === null && busy === null && !isOver)
      .sort((a, b) => Number(b.isUrgent) - Number(a.isUrgent) || a.openedAt - b.openedAt)
    for (const pair of waiting.splice(0, Math.max(0, MAX_OPEN - open.length))) void this.#open(pair)
    if (waiting.length === 0) return
    const now = performance.now()
    const quiet = open
      .filter(({ sync, busy, openedAt }) => {
        if (sync === null || busy !== null || sync.document.unsaved > 0) return false
        return now - sync.activeAt > QUIET_MS && now - openedAt > QUIET_MS
      })
      .sort((a, b) => a.openedAt - b.openedAt)
    for (const pair of quiet.slice(0, waiting.length)) void this.#close(pair).then(() => this.#fill())
  }

  #open(pair: Pair): Promise<void> {
    pair.openedAt = performance.now()
    pair.busy = this.#begin(pair)
      .catch(error => this.#refused(pair, error))
      .finally(() => {
        pair.busy = null
      })
    return pair.busy
  }

  async #begin(pair: Pair): Promise<void> {
    const { server, report } = this.#options
    pair.state.lock()
    let document: WeftDocument
    try {
      document = await openSynced(server, pair.documentId, basename(pair.path), this.#ending.signal)
    } catch (error) {
      pair.state.unlock()
      throw error
    }
    pair.isUrgent = false
    document.on('refused', error => {
      if (!this.#isStopped) void this.#close(pair).then(() => this.#refused(pair, error))
    })
    pair.sync = new FileSync({
      file: pair.file,
      name: pair.path,
      document,
      state: pair.state,
      report,
      restoresMissing: false,
      onGone: () => {
        const work = this.#fileGone(pair).finally(() => this.#deleting.delete(work))
        this.#deleting.add(work)
      },
    })
    pair.sync.look()
  }

  async #close(pair: Pair): Promise<void> {
    const { sync } = pair
    if (sync === null) return
    pair.sync = null
    pair.busy = sync.stop().finally(() => {
      pair.busy = null
    })
    await pair.busy
  }

  #refused(pair: Pair, error: unknown): void {
    const { report, deletes } = this.#options
    if (this.#isStopped) return
    pair.isOver = true
    if (!(error instanceof RefusedError)) {
      // A lock, or the disk: it may be otherwise at the next look.
      report.problem(pair.documentId, pair.path, messageOf(error))
      return
    }
    if (error.code === closeCode.unauthorized.code) {
      this.#fail(new CommandError(`the server asks for another token (WEFT_TOKEN): ${error.reason}`))
      return
    }
    if (error.word !== closeCode.deleted.word) {
      report.problem(pair.documentId, pair.path, `refused: ${error.reason === '' ? error.word : error.reason}`)
      return
    }
    const stays = 'the document was deleted; the file stays'
    if (pair.file.look().state !== 'file') return
    if (!deletes) this.#note(pair, `${stays} (--delete deletes it, too)`)
    else if (!isFileUnchanged(pair)) this.#note(pair, `${stays}: it has changed since`)
    else {
      pair.file.remove()
      pair.state.remove()
      report.tell({ event: 'deleted', document: pair.documentId, file: pair.path })
    }
  }

  async #fileGone(pair: Pair): Promise<void> {
    const { report, deletes, api } = this.#options
    const stays = 'the file was deleted; the document stays'
    if (!deletes) this.#note(pair, `${stays} (--delete deletes it, too)`)
    else if (pair.sync?.isUnchanged() !== true) this.#note(pair, `${stays}: it has changed since`)
    else {
      try {
        pair.isOver = true
        await api.delete(pair.documentId)
        pair.state.remove()
        report.tell({ event: 'deleted', document: pair.documentId, file: pair.path })
      } catch (error) {
        report.problem(pair.documentId, pair.path, messageOf(error))
      }
    }
  }

  #note(pair: Pair, message: string): void {
    this.#options.report.tell({ event: 'note', document: pair.documentId, file: pair.path, message })
  }
}

/** Whether a file is what it was when it and its document were last in step. */
function isFileUnchanged({ file, state }: Pair): boolean {
  const found = file.look()
  const [base] = state.read()?.versions ?? []
  if (found.state !== 'file' || base === undefined) return false
  const bytes = file.read(found)
  return bytes !== null && decodeFile(bytes).text === base.text
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
