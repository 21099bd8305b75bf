import { randomBytes, webcrypto } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { documentKey } from '../log/levelRecord.ts'
import { syncFolder } from '../log/storeFolder.ts'
import { holdsContent, type UpdateLog } from '../log/UpdateLog.ts'
import { Turnstile } from '../room/Turnstile.ts'
import { sniffType, typeOfName } from './sniffType.ts'

/** Uploads that are written at the same time: one, so that what a document has in all is counted right; and that wait. */
const MAX_WAITING = 64
/** A folder of a document that nobody has written yet: an image may be its first content. Kept so long, in ms. */
const UNWRITTEN_MS = 24 * 60 * 60 * 1000
/** In a document's folder: its name. */
const NAME_FILE = 'document'
const PART = '.part'

/** One upload. */
export interface Upload {
  /** The SHA-256 of its bytes, and what it is: `<64 hex digits>.png`. */
  readonly file: string
  readonly bytes: number
}

/** More than a document may have. */
export class UploadsFullError extends Error {}

/** Whether a text has the form of an upload's name. */
export function isUploadName(file: string): boolean {
  return /^[0-9a-f]{64}\.[a-z]{3,4}$/u.test(file) && typeOfName(file) !== null
}

/**
 * Files that were uploaded into documents: beside the log, in the folder `uploads` of the data folder, a folder for each document.
 *
 * [F1] A file's name is the SHA-256 of its bytes: it never changes, is stored once, and is checked when it is read.
 * [F2] A file that has its name is whole, and on disk with its name: written beside it, synced, renamed, the folder synced.
 * [F3] What a stranger calls it is no part of any path.
 * [F4] A document's files go with it; what a crash left behind goes at the next start.
 */
export class UploadStore {
  readonly #folder: string
  readonly #maxDocumentBytes: number
  readonly #turn = new Turnstile(1, MAX_WAITING)

  /** @param folder of the data @param maxDocumentBytes of all files of one document together */
  constructor(folder: string, maxDocumentBytes: number) {
    this.#folder = join(folder, 'uploads')
    this.#maxDocumentBytes = maxDocumentBytes
  }

  /**
   * Stores an upload; resolves when it is on disk. The same bytes again are the same upload.
   * @throws {UploadsFullError} @throws {WeftError} `STORAGE_WRITE_FAILED`, `WORKER_BUSY`
   */
  async put(documentId: DocumentId, bytes: Uint8Array): Promise<Upload & { isNew: boolean }> {
    const file = `${await digest(bytes)}.${sniffType(bytes).extension}`
    return this.#turn.pass(async () => {
      try {
        const known = await this.find(documentId, file)
        if (known !== null) return { ...known, isNew: false }
        const held = (await this.list(documentId)).reduce((sum, upload) => sum + upload.bytes, 0)
        if (held + bytes.length > this.#maxDocumentBytes) {
          throw new UploadsFullError(`with this one its uploads would have ${held + bytes.length} bytes`)
        }
        await this.#write(await this.#makeFolder(documentId), file, bytes)
        return { file, bytes: bytes.length, isNew: true }
      } catch (error) {
        if (error instanceof UploadsFullError) throw error
        throw new WeftError('STORAGE_WRITE_FAILED', 'the upload could not be stored', { documentId, cause: error })
      }
    })
  }

  /** @returns null: the document has none of this name */
  async find(documentId: DocumentId, file: string): Promise<Upload | null> {
    if (!isUploadName(file)) return null
    try {
      return { file, bytes: (await stat(join(this.#folderOf(documentId), file))).size }
    } catch (error) {
      if (isMissing(error)) return null
      throw new WeftError('STORAGE_READ_FAILED', 'an upload could not be read', { documentId, cause: error })
    }
  }

  /**
   * The bytes of an upload; null: it has gone meanwhile.
   * @throws {WeftError} `DOCUMENT_DAMAGED`: they are others than were stored; `STORAGE_READ_FAILED`
   */
  async read(documentId: DocumentId, { file }: Upload): Promise<Buffer | null> {
    let bytes: Buffer
    try {
      bytes = await readFile(join(this.#folderOf(documentId), file))
    } catch (error) {
      if (isMissing(error)) return null
      throw new WeftError('STORAGE_READ_FAILED', 'an upload could not be read', { documentId, cause: error })
    }
    if ((await digest(bytes)) === file.slice(0, 64)) return bytes
    throw new WeftError('DOCUMENT_DAMAGED', `the upload ${file} is damaged`, { documentId })
  }

  /** A document's uploads. */
  async list(documentId: DocumentId): Promise<Upload[]> {
    const uploads: Upload[] = []
    for (const file of await namesIn(this.#folderOf(documentId))) {
      const found = await this.find(documentId, file)
      if (found !== null) uploads.push(found)
    }
    return uploads
  }

  /** Takes away all uploads of a document. */
  async delete(documentId: DocumentId): Promise<void> {
    await this.#turn.pass(() => this.#remove(this.#folderOf(documentId)))
  }

  /** Takes away what a crash left: parts of files, and files of documents that are gone. Once, before anybody is served. */
  async sweep(log: Pick<UpdateLog, 'open'>, now: number): Promise<void> {
    for (const name of await namesIn(this.#folder)) {
      const folder = join(this.#folder, name)
      for (const file of await namesIn(folder)) if (file.endsWith(PART)) await rm(join(folder, file), { force: true })
      if (!(await this.#isWanted(folder, log, now))) await this.#remove(folder)
    }
  }

  async #isWanted(folder: string, log: Pick<UpdateLog, 'open'>, now: number): Promise<boolean> {
    const isYoung = async () => now - (await stat(folder)).mtimeMs < UNWRITTEN_MS
    const name = await readFile(join(folder, NAME_FILE), 'utf8').catch(() => null)
    if (name === null) return isYoung()
    try {
      const stored = await log.open(name as DocumentId)
      // In the bin: they come back with it.
      if (stored.deletedAt !== null) return holdsContent(stored)
      return stored.head > 0 || (await isYoung())
    } catch (error) {
      // Damaged, maybe: not for us to take anything away.
      if (error instanceof WeftError) return true
      throw error
    }
  }

  #folderOf(documentId: DocumentId): string {
    return join(this.#folder, documentKey(documentId).hash.toString('hex'))
  }

  async #makeFolder(documentId: DocumentId): Promise<string> {
    const folder = this.#folderOf(documentId)
    const names = await namesIn(folder)
    if (names.includes(NAME_FILE)) return folder
    const made = await mkdir(folder, { recursive: true })
    if (made !== undefined) {
      await syncFolder(join(this.#folder, '..'))
      await syncFolder(this.#folder)
    }
    await this.#write(folder, NAME_FILE, Buffer.from(documentId, 'utf8'))
    return folder
  }

  /** [F2] */
  async #write(folder: string, file: string, bytes: Uint8Array): Promise<void> {
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

  async #remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true })
  }
}

async function digest(bytes: Uint8Array): Promise<string> {
  // Not on the event loop: a large one takes long.
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
