import { readdir } from 'node:fs/promises'
import type { BackupItem } from '@weft/server/decodeBackup'
import { findStrays, readDocuments } from '@weft/server/readDocuments'
import { readSentinel } from '@weft/server/readSentinel'
import { readUploads, uploadFolderName } from '@weft/server/uploadFiles'
import { CommandError } from '../errors.ts'
import { LevelFolderCopy } from '../LevelFolderCopy.ts'
import { FolderOwners } from './FolderOwners.ts'

/** One thing in a store; a warning is about something that need not be damage. */
export type FolderItem =
  | BackupItem
  | { readonly type: 'warning'; readonly problem: string }
  /** A whole file of a document that is not there. */
  | { readonly type: 'orphan'; readonly name: string; readonly file: string }

/**
 * Reads the data folder of a server that is stopped, from a copy.
 * @throws {CommandError} it is none, it is in use, or it can't be copied or opened
 */
export async function* readStoreFolder(folder: string, signal: AbortSignal): AsyncGenerator<FolderItem> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    const what = error.code === 'ENOTDIR' ? `it is a file: weft verify ${folder}` : error.message
    throw new CommandError(`${folder} can't be read: ${what}`)
  })
  if (!names.includes('CURRENT')) throw new CommandError(`${folder} holds no store (it has no file CURRENT)`)
  const copy = await LevelFolderCopy.open(
    folder,
    'stop that server, or verify it while it runs: weft verify --url',
    signal,
  )
  try {
    for (const problem of copy.warnings) yield { type: 'warning', problem }
    if (copy.damage !== null) yield { type: 'damaged', name: null, problem: copy.damage }
    if ((await readSentinel(copy.store, folder)) === null) {
      yield { type: 'damaged', name: null, problem: `${folder} is no store of Weft, or has lost its sentinel record` }
    }
    const view = copy.store.view()
    const owners = await FolderOwners.of(folder)
    for await (const document of readDocuments(view)) {
      owners.add(document.documentId)
      if ('damage' in document) yield { type: 'damaged', name: document.documentId, problem: document.damage }
      else yield { type: 'document', document }
    }
    const strays = await findStrays(view)
    if (strays !== null) yield { type: 'damaged', name: null, problem: strays }
    await view.close()
    for await (const item of readUploads(folder, name => owners.get(name))) {
      if ('damage' in item) {
        yield { type: 'damaged', name: item.documentId, file: item.file, problem: item.damage }
      } else if (owners.get(uploadFolderName(item.documentId)) === null) {
        yield { type: 'orphan', name: item.documentId, file: item.file }
      } else yield { type: 'file', upload: item }
    }
  } catch (error) {
    signal.throwIfAborted()
    throw copy.explained(error)
  } finally {
    await copy.remove()
  }
}
