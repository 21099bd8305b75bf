import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { decodeBackup } from '../../server/dist/backup/decodeBackup.js'
import type { WholeDocument } from '../../server/dist/log/UpdateLog.js'
import type { UploadedFile } from '../../server/dist/uploads/uploadFiles.js'
import type { CommandResult } from './weftCommand.ts'

export const BACKUP = '/api/v1/backup'

/** Lines that are not empty. */
export const lines = (text: string) => text.split('\n').filter(line => line !== '')
/** How a command ended, and what it said beside its result. */
export const told = ({ code, stderr }: CommandResult) => [code, lines(stderr)]

/** The documents in a backup, by name. @throws where any of it is damaged */
export async function documentsOf(bytes: Buffer): Promise<Map<string, WholeDocument>> {
  return (await contentOf(bytes)).documents
}

/** What is in a backup: documents by name, and files. @throws where any of it is damaged */
export async function contentOf(
  bytes: Buffer,
): Promise<{ documents: Map<string, WholeDocument>; files: UploadedFile[] }> {
  const documents = new Map<string, WholeDocument>()
  const files: UploadedFile[] = []
  const source = (async function* () {
    yield bytes
  })()
  for await (const item of decodeBackup(source)) {
    if (item.type === 'file') files.push(item.upload)
    else if (item.type === 'document') documents.set(item.document.documentId, item.document)
    else throw new Error(JSON.stringify(item))
  }
  return { documents, files }
}

/** What is in a folder's files, and in those of its folders. */
export async function fingerprint(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  return Promise.all(
    paths.sort().map(async path => {
      const digest = createHash('sha256').update(await readFile(path))
      return `${relative(folder, path)} ${digest.digest('hex')}`
    }),
  )
}
