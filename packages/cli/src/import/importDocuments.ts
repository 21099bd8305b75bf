import type { DocumentId } from '@weft/protocol'
import { type DocumentClient, RefusedDocumentError } from '../DocumentClient.ts'
import { CommandError } from '../errors.ts'
import { buildDocument, isEmptyDocument } from './buildDocument.ts'
import type { DocumentSource, SourceDocument } from './DocumentSource.ts'
import type { NamedDocument, Names } from './Names.ts'

/**
 * What became of one document:
 * - `imported`: all of it is on the server's disk (`found`: in a dry run, all of it can be read);
 * - `empty`: there is nothing in it;
 * - `incomplete`: imported (or found), but the source itself lacks something;
 * - `failed`: nothing of it was imported.
 */
export interface ImportedDocument {
  /** Its name in the source. */
  readonly source: string
  /** Its name in Weft, or null. */
  readonly document: DocumentId | null
  readonly state: 'imported' | 'found' | 'empty' | 'incomplete' | 'failed'
  /** Of its stored updates together. */
  readonly bytes: number
  readonly updates: number
  /** What is wrong, in words. */
  readonly problems: readonly string[]
}

/**
 * Imports one document after the other; only one is in memory.
 * @param client null: nothing is sent
 * @throws {CommandError} it can't go on
 */
export async function* importDocuments(
  source: DocumentSource,
  names: Names,
  client: DocumentClient | null,
): AsyncGenerator<ImportedDocument> {
  for await (const document of source.documents()) {
    const named = names.take(document)
    if (named.state !== 'skipped') yield importDocument(document, named, client)
  }
}

async function importDocument(
  source: SourceDocument,
  named: Exclude<NamedDocument, { state: 'skipped' }>,
  client: DocumentClient | null,
): Promise<ImportedDocument> {
  const documentId = named.state === 'named' ? named.documentId : null
  const said = { source: source.name, document: documentId }
  let updates: Uint8Array[]
  try {
    updates = await source.read()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { ...said, state: 'failed', bytes: 0, updates: 0, problems: [error.message] }
  }
  const size = { bytes: updates.reduce((sum, update) => sum + update.length, 0), updates: updates.length }
  if (named.state === 'bad') return { ...said, ...size, state: 'failed', problems: [named.problem] }
  const { ydoc, problems } = buildDocument(updates)
  try {
    if (isEmptyDocument(ydoc)) {
      return { ...said, ...size, state: problems.length === 0 ? 'empty' : 'failed', problems }
    }
    await client?.upload(named.documentId, ydoc)
    const whole = client === null ? 'found' : 'imported'
    return { ...said, ...size, state: problems.length === 0 ? whole : 'incomplete', problems }
  } catch (error) {
    if (!(error instanceof RefusedDocumentError)) throw error
    return { ...said, ...size, state: 'failed', problems: [...problems, error.message] }
  } finally {
    ydoc.destroy()
  }
}
