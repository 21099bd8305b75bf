import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { isUploadName, isWhole } from '@weft/server/uploadFiles'
import { counted } from '../backup/amounts.ts'
import { formOfFile, readForm } from '../contentForm.ts'
import { DocumentClient } from '../DocumentClient.ts'
import { CommandError, UsageError } from '../errors.ts'
import { jsonLine } from '../jsonLine.ts'
import { quoteName } from '../quoteName.ts'
import { ServerApi } from '../ServerApi.ts'
import { serverAddress } from '../serverAddress.ts'
import type { Surroundings } from '../Verb.ts'
import { buildDocument } from './buildDocument.ts'

/**
 * Brings a file's content into a document.
 * @param file `-`: standard input
 * @returns the exit code
 * @throws {UsageError} {CommandError}
 */
export async function importFile(
  file: string,
  documentId: DocumentId,
  values: {
    readonly url: string | undefined
    readonly format: string | undefined
    /** A folder of files to put into the document, too. */
    readonly files: string | undefined
    readonly anew: boolean
    readonly json: boolean
  },
  { env, signal, readInput, print }: Surroundings,
): Promise<number> {
  const told = file === '-' ? 'markdown' : formOfFile(file)
  const form = values.format === undefined ? told : readForm(values.format)
  if (form === null)
    throw new UsageError(`${file} is no store (y-leveldb, hocuspocus), and tells no form: --format does`)
  const server = serverAddress(values.url, env)
  const uploads = values.files === undefined ? [] : await uploadsIn(values.files)
  const bytes = await (file === '-' ? readInput() : readFile(file)).catch(error => {
    throw new CommandError(error instanceof Error ? error.message : String(error))
  })
  let state: string
  if (form === 'yjs') {
    const { ydoc, problems } = buildDocument([bytes])
    if (problems.length > 0) throw new CommandError(`${file}: ${problems.join('; ')}`)
    // Empty, which writes nothing: what is merged then is all there is.
    if (values.anew) await new ServerApi(server, signal).replace(documentId, 'markdown', new Uint8Array(), true)
    await new DocumentClient(server, signal).upload(documentId, ydoc)
    state = 'merged'
  } else state = await new ServerApi(server, signal).replace(documentId, form, new Uint8Array(bytes), values.anew)
  // Behind it: what begins anew has no files.
  const api = new ServerApi(server, signal)
  for (const path of uploads) await api.upload(documentId, await readUpload(path))
  const count = values.files === undefined ? null : uploads.length
  if (values.json) print(jsonLine({ document: documentId, state, ...(count !== null && { files: count }) }))
  else print(`${state}  ${quoteName(documentId)}${count === null ? '' : `, ${counted(count, 'file')}`}`)
  return 0
}

/** What `weft restore --files` has written into a folder. All of it is looked at before anything is sent. @throws {CommandError} */
async function uploadsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(error => {
    throw new CommandError(`${folder} can't be read: ${error.message}`)
  })
  const paths = names.sort().map(name => join(folder, name))
  for (const path of paths) await readUpload(path)
  return paths
}

/** @throws {CommandError} */
async function readUpload(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path).catch(error => {
    throw new CommandError(`${path} can't be read: ${error.message}`)
  })
  const name = basename(path)
  // A document names them by that: under another name they would be of no use.
  if (isUploadName(name) && (await isWhole(name, bytes))) return new Uint8Array(bytes)
  throw new CommandError(`${path} is no file that weft restore --files has taken out of a backup, or has changed since`)
}
