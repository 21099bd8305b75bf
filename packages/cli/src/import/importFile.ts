import { readFile } from 'node:fs/promises'
import type { DocumentId } from '@weft/protocol'
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
  values: { readonly url: string | undefined; readonly format: string | undefined; anew: boolean; json: boolean },
  { env, signal, readInput, print }: Surroundings,
): Promise<number> {
  const told = file === '-' ? 'markdown' : formOfFile(file)
  const form = values.format === undefined ? told : readForm(values.format)
  if (form === null)
    throw new UsageError(`${file} is no store (y-leveldb, hocuspocus), and tells no form: --format does`)
  const server = serverAddress(values.url, env)
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
  print(values.json ? jsonLine({ document: documentId, state }) : `${state}  ${quoteName(documentId)}`)
  return 0
}
