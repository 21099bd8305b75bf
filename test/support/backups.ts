import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeBackup } from '../../server/dist/backup/decodeBackup.js'
import type { WholeDocument } from '../../server/dist/log/UpdateLog.js'
import type { CommandResult } from './weftCommand.ts'

export const BACKUP = '/api/v1/backup'

/** Lines that are not empty. */
export const lines = (text: string) => text.split('\n').filter(line => line !== '')
/** How a command ended, and what it said beside its result. */
export const told = ({ code, stderr }: CommandResult) => [code, lines(stderr)]

/** What is in a backup, by name. @throws where any of it is damaged */
export async function documentsOf(bytes: Buffer): Promise<Map<string, WholeDocument>> {
  const documents = new Map<string, WholeDocument>()
  const source = (async function* () {
    yield bytes
  })()
  for await (const item of decodeBackup(source)) {
    if (item.type !== 'document') throw new Error(JSON.stringify(item))
    documents.set(item.document.documentId, item.document)
  }
  return documents
}

/** What is in a folder's files. */
export async function fingerprint(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort()
  return Promise.all(
    names.map(
      async name =>
        `${name} ${createHash('sha256')
          .update(await readFile(join(folder, name)))
          .digest('hex')}`,
    ),
  )
}
