import { randomBytes, webcrypto } from 'node:crypto'
import { lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { documentKey } from '../log/levelRecord.ts'
import { syncFolder } from '../log/storeFolder.ts'
import { typeOfName } from './sniffType.ts'

/** In a document's folder: its name. */
export const NAME_FILE = 'document'
/** Ends the name of a file that is being written. */
export const PART = '.part'
/** Ends the name of a folder that was deleted while somebody reads everything. */
export const GONE = '.gone'

/** An upload with its bytes, which are what its name says. */
export interface UploadedFile {
  readonly documentId: DocumentId
  /** `<64 hex digits>.png` */
  readonly file: string
  readonly bytes: Uint8Array
}

/** An upload that can't be read, or is not what was stored. */
export interface DamagedUpload {
  /** Null: nobody knows. */
  readonly documentId: DocumentId | null
  readonly file: string
  /** In words. */
  readonly damage: string
}

/** Said of a file whose bytes are not what its name says. */
export const CHANGED = 'its bytes are not those that were stored'

/** Whether a text has the form of an upload's name. */
export function isUploadName(file: string): boolean {
  return /^[0-9a-f]{64}\.[a-z]{3,4}$/u.test(file) && typeOfName(file) !== null
}

/** The folder of all uploads, in that of the data. */
export function uploadsFolder(dataFolder: string): string {
  return join(dataFolder, 'uploads')
}

/** What the folder of a document's uploads is called. */
export function uploadFolderName(documentId: DocumentId): string {
  return documentKey(documentId).hash.toString('hex')
}

/** The folder of a document's uploads, made where it isn't there. */
export async function makeUploadFolder(dataFolder: string, documentId: DocumentId): Promise<string> {
  const uploads = uploadsFolder(dataFolder)
  const folder = join(uploads, uploadFolderName(documentId))
  const names = await namesIn(folder)
  if (names.includes(NAME_FILE)) return folder
  const made = await mkdir(folder, { recursive: true })
  if (made !== undefined) {
    await syncFolder(dataFolder)
    await syncFolder(uploads)
  }
  await writeUploadFile(folder, NAME_FILE, Buffer.from(documentId, 'utf8'))
  return folder
}

/** Resolves when the file is on disk, whole, with its name: written beside it, synced, renamed, the folder synced. */
export async function writeUploadFile(folder: string, file: string, bytes: Uint8Array): Promise<void> {
  const part = join(folder, `${randomBytes(8).toString('hex')}${PART}`)
  try {
    const handle = await open(part, 'wx')
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, join(folder, file))
  } catch (error) {
    await rm(part, { force: true }).catch(() => {})
    throw error
  }
  await syncFolder(folder)
}

/**
 * The files of a data folder that nobody writes to, one at a time in memory.
 * @param documentOf the document that a folder of files belongs to; null: ask its own record of the name
 */
export async function* readUploads(
  dataFolder: string,
  documentOf: (folderName: string) => DocumentId | null,
): AsyncGenerator<UploadedFile | DamagedUpload> {
  const uploads = uploadsFolder(dataFolder)
  for (const name of (await namesIn(uploads)).sort()) {
    if (name.endsWith(GONE)) continue
    const folder = join(uploads, name)
    const documentId = documentOf(name) ?? (await nameIn(folder, name))
    if (!(await isOf(folder, 'folder'))) {
      yield { documentId, file: `uploads/${name}`, damage: 'it is no folder of a document’s files' }
      continue
    }
    for (const file of (await namesIn(folder)).sort()) {
      if (file === NAME_FILE || file.endsWith(PART)) continue
      if (documentId === null) {
        yield { documentId, file: `uploads/${name}/${file}`, damage: 'the name of its document is lost' }
      } else yield await readOne(join(folder, file), documentId, file)
    }
  }
}

async function readOne(path: string, documentId: DocumentId, file: string): Promise<UploadedFile | DamagedUpload> {
  if (!isUploadName(file) || !(await isOf(path, 'file'))) {
    return { documentId, file, damage: 'it is no file that was put into a document' }
  }
  try {
    const bytes = await readFile(path)
    return (await isWhole(file, bytes)) ? { documentId, file, bytes } : { documentId, file, damage: CHANGED }
  } catch (error) {
    return { documentId, file, damage: `it can't be read: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The document's name that a folder has in it; null: it is lost. */
async function nameIn(folder: string, folderName: string): Promise<DocumentId | null> {
  const path = join(folder, NAME_FILE)
  if (!(await isOf(path, 'file'))) return null
  const name = (await readFile(path, 'utf8').catch(() => '')) as DocumentId
  try {
    return uploadFolderName(name) === folderName ? name : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Links are none of ours. */
async function isOf(path: string, kind: 'file' | 'folder'): Promise<boolean> {
  const found = await lstat(path).catch(() => null)
  return found !== null && (kind === 'file' ? found.isFile() : found.isDirectory())
}

/** Whether bytes are what an upload's name says. */
export async function isWhole(file: string, bytes: Uint8Array): Promise<boolean> {
  return (await digest(bytes)) === file.slice(0, 64)
}

/** Their SHA-256, in hexadecimal. */
export async function digest(bytes: Uint8Array): Promise<string> {
  // Not on the event loop: a large one takes long.
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

/** What a folder holds; nothing where it is missing. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
