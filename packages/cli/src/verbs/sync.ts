import { mkdirSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { RefusedError } from '@weft/client'
import { parseDocumentId } from '@weft/protocol'
import { CommandError, UsageError } from '../errors.ts'
import { unquoteName } from '../quoteName.ts'
import { readDocumentId } from '../readDocumentId.ts'
import { ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import { DiskFile } from '../sync/DiskFile.ts'
import { FileSync } from '../sync/FileSync.ts'
import { FolderSync } from '../sync/FolderSync.ts'
import { FolderWatch } from '../sync/FolderWatch.ts'
import { openSynced } from '../sync/openSynced.ts'
import { SyncReport } from '../sync/SyncReport.ts'
import { SyncState, stateFolder } from '../sync/SyncState.ts'
import { defineVerb, type Surroundings, serverOptions } from '../Verb.ts'

/** How often a file is looked at, whatever is heard of it, in ms. */
const LOOK_PAUSE_MS = 1_000
/** How long `--once` waits for a server, in ms. */
const SERVER_TIMEOUT_MS = 15_000

interface Values {
  readonly url: string | undefined
  readonly once: boolean
  readonly delete: boolean
  readonly json: boolean
}

export const syncVerb = defineVerb({
  name: 'sync',
  summary: 'keep Markdown files and documents in step',
  usage: ['sync FILE DOCUMENT', 'sync FOLDER/ [PREFIX]'],
  details: `Keeps a Markdown file and a document in step until it is interrupted: what is saved in the file goes into the
document, and what others write there comes into the file. Or all .md files below a folder and the documents that
begin with PREFIX ('' or with a slash at its end): FOLDER/notes.md is PREFIXnotes; new files make documents, and new
documents files.

Only the difference is taken over, and both sides' edits stay, also those of an editor that saves without having
loaded what came. What Markdown can't say stays in the document. Without a server it waits, and brings both
together later. What both had in common is kept in XDG_STATE_HOME (~/.local/state/weft/sync), so that it can be
stopped at any time; without that, the lines of both sides are kept.

A deletion stays on its side, unless --delete is given: then it is done on the other one, too, if nothing has
changed there since. Links are followed for FILE alone.

Exit code: 0 all in step (--once), 1 not all, 2 called in a wrong way.`,
  options: {
    ...serverOptions,
    once: { type: 'boolean', help: 'bring both into step, and end' },
    delete: { type: 'boolean', help: 'of a folder: what is deleted on one side is deleted on the other, too' },
    json: { type: 'boolean', help: 'a JSON object per event: event, document, file, message' },
  },
  examples: ['weft sync notes.md team/notes', 'weft sync ./wiki/ wiki/', 'weft sync --once ./wiki/ wiki/'],
  async run(positionals, values, surroundings) {
    const [path, name, ...rest] = positionals
    if (path === undefined || path === '' || rest.length > 0)
      throw new UsageError('expected a file and a document, or a folder (weft sync --help)')
    const report = new SyncReport(values.json, surroundings)
    if (path.endsWith('/') || isFolder(path))
      await syncFolder(path, unquoteName(name ?? '', 'PREFIX'), values, report, surroundings)
    else {
      if (name === undefined) throw new UsageError('expected a document: weft sync FILE DOCUMENT (weft sync --help)')
      if (values.delete) throw new UsageError('--delete is for folders (weft sync --help)')
      await syncFile(path, name, values, report, surroundings)
    }
    return report.problemCount > 0 ? 1 : 0
  },
})

async function syncFile(
  path: string,
  name: string,
  values: Values,
  report: SyncReport,
  { env, signal, note }: Surroundings,
) {
  const documentId = readDocumentId(name)
  const server = serverAddress(values.url, env)
  const file = new DiskFile(path)
  const state = new SyncState(stateFolder(env), server.url, documentId, file.realPath)
  state.lock()
  const waiting = new AbortController()
  const stop = () => waiting.abort(signal.reason)
  signal.addEventListener('abort', stop)
  const slow = setTimeout(
    () => {
      if (values.once) waiting.abort(new CommandError(`no Weft server at ${server.url}`))
      else note(`weft: no answer from ${server.url} yet; what is saved meanwhile goes there later`)
    },
    values.once ? SERVER_TIMEOUT_MS : 3_000,
  )
  let sync: FileSync
  try {
    if (signal.aborted) stop()
    const document = await openSynced(server, documentId, basename(path), waiting.signal)
    sync = new FileSync({
      file,
      name: path,
      document,
      state,
      report,
      restoresMissing: true,
      onGone: () => {
        const message = 'the file was deleted; the document stays, and a new file of that name is taken in'
        report.tell({ event: 'note', document: documentId, file: path, message })
      },
    })
  } catch (error) {
    state.unlock()
    if (signal.aborted) return
    throw error instanceof RefusedError ? refusal(error) : error
  } finally {
    clearTimeout(slow)
    signal.removeEventListener('abort', stop)
  }
  const watch = new FolderWatch(() => sync.look())
  // Of a link, the folder in which it is, and the one to which it leads.
  const watched = () => watch.watch(new Set([dirname(resolve(path)), dirname(file.realPath)]))
  const timer = setInterval(() => {
    watched()
    sync.look()
  }, LOOK_PAUSE_MS)
  watched()
  try {
    const refused = new Promise<never>((_, reject) => {
      sync.document.on('refused', error => reject(refusal(error)))
    })
    await Promise.race([values.once ? sync.settled() : interrupted(signal), interrupted(signal), refused])
  } finally {
    clearInterval(timer)
    watch.close()
    await sync.stop()
  }
}

async function syncFolder(
  path: string,
  prefix: string,
  values: Values,
  report: SyncReport,
  { env, signal }: Surroundings,
) {
  if (prefix !== '') {
    try {
      parseDocumentId(`${prefix}a`)
    } catch (error) {
      throw new UsageError(`PREFIX ${JSON.stringify(prefix)}: ${error instanceof Error ? error.message : error}`)
    }
    if (!prefix.endsWith('/')) throw new UsageError(`PREFIX ${JSON.stringify(prefix)} ends without a slash`)
  }
  const server = serverAddress(values.url, env)
  try {
    mkdirSync(path, { recursive: true })
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error))
  }
  const sync = new FolderSync({
    folder: path,
    prefix,
    server,
    api: new ServerApi(server, signal),
    stateFolder: stateFolder(env),
    report,
    deletes: values.delete,
    signal,
  })
  try {
    if (values.once) await Promise.race([sync.once(), interrupted(signal)])
    else {
      sync.start()
      await Promise.race([interrupted(signal), sync.failed])
    }
  } finally {
    await sync.stop()
  }
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function refusal({ code, word, reason }: RefusedError): CommandError {
  return new CommandError(`refused: ${reason === '' ? word : reason} (${code})`)
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
