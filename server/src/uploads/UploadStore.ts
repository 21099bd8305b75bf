import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DocumentId } from '@weft/protocol'
import { WeftError } from '../errors.ts'
import { holdsContent, type UpdateLog } from '../log/UpdateLog.ts'
import { RecentMap } from '../RecentMap.ts'
import { type Holder, Turnstile } from '../Turnstile.ts'
import { sniffType } from './sniffType.ts'
import {
  CHANGED,
  type DamagedUpload,
  digest,
  GONE,
  isMissing,
  isUploadName,
  isWhole,
  makeUploadFolder,
  NAME_FILE,
  namesIn,
  PART,
  type UploadedFile,
  uploadFolderName,
  uploadsFolder,
  writeUploadFile,
} from './uploadFiles.ts'

/** Uploads that are written at the same time: one, so that what a document has in all is counted right; and that wait. */
const MAX_WAITING = 64
/** Of one user. */
const MAX_SHARE = 16
/** Files whose bytes were found right are remembered, so many: 200 bytes each. */
const MAX_CHECKED = 10_000
/** A folder of a document that nobody has written yet: an image may be its first content. Kept so long, in ms. */
const UNWRITTEN_MS = 24 * 60 * 60 * 1000

/** One upload. */
export interface Upload {
  /** The SHA-256 of its bytes, and what it is: `<64 hex digits>.png`. */
  readonly file: string
  readonly bytes: number
}

/** More than a document may have. */
export class UploadsFullError extends Error {}

/** All uploads that are there while it is open, though they be deleted meanwhile. */
export interface UploadsView {
  /** Those of a document, one at a time in memory. */
  files(documentId: DocumentId): AsyncIterable<UploadedFile | DamagedUpload>
  close(): Promise<void>
}

/**
 * Files that were uploaded into documents: beside the log, in the folder `uploads` of the data folder, a folder for each document.
 *
 * [F1] A file's name is the SHA-256 of its bytes: it never changes, is stored once, and is checked when it is read.
 * [F2] A file that has its name is whole, and on disk with its name: written beside it, synced, renamed, the folder synced.
 * [F3] What a stranger calls it is no part of any path.
 * [F4] A document's files go with it; what a crash left behind goes at the next start.
 * [F5] While somebody reads everything, what is deleted is only moved aside, whole, and goes when the last one has read.
 */
export class UploadStore {
  readonly #dataFolder: string
  readonly #folder: string
  readonly #maxDocumentBytes: number
  readonly #turn = new Turnstile(1, MAX_WAITING, MAX_SHARE)
  /** [F1] By path: size and time of change of files that were read and found right. */
  readonly #checked = new RecentMap<string, string>(MAX_CHECKED)
  #viewCount = 0
  /** [F5] Folders that were moved aside, by the name that each had. */
  #gone = new Map<string, string[]>()

  /** @param folder of the data @param maxDocumentBytes of all files of one document together */
  constructor(folder: string, maxDocumentBytes: number) {
    this.#dataFolder = folder
    this.#folder = uploadsFolder(folder)
    this.#maxDocumentBytes = maxDocumentBytes
  }

  /**
   * Stores an upload; resolves when it is on disk. The same bytes again are the same upload.
   * @param holder whose it is; left out: nobody in particular
   * @throws {UploadsFullError} @throws {WeftError} `STORAGE_WRITE_FAILED`, `WORKER_BUSY`, `SHARE_USED`
   */
  async put(documentId: DocumentId, bytes: Uint8Array, holder?: Holder): Promise<Upload & { isNew: boolean }> {
    const file = `${await digest(bytes)}.${sniffType(bytes).extension}`
    return this.#turn.pass(async () => {
      try {
        const known = await this.find(documentId, file)
        if (known !== null) return { ...known, isNew: false }
        const held = (await this.list(documentId)).reduce((sum, upload) => sum + upload.bytes, 0)
        if (held + bytes.length > this.#maxDocumentBytes) {
          throw new UploadsFullError(`with this one its uploads would have ${held + bytes.length} bytes`)
        }
        await writeUploadFile(await makeUploadFolder(this.#dataFolder, documentId), file, bytes)
        return { file, bytes: bytes.length, isNew: true }
      } catch (error) {
        if (error instanceof UploadsFullError) throw error
        throw new WeftError('STORAGE_WRITE_FAILED', 'the upload could not be stored', { documentId, cause: error })
      }
    }, holder)
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
    const path = join(this.#folderOf(documentId), file)
    let bytes: Buffer
    // From before it is read: what changes meanwhile is looked at again.
    const state = await stateOf(path)
    try {
      bytes = await readFile(path)
    } catch (error) {
      if (isMissing(error)) return null
      throw new WeftError('STORAGE_READ_FAILED', 'an upload could not be read', { documentId, cause: error })
    }
    if (await isWhole(file, bytes)) {
      if (state !== null) this.#checked.set(path, state)
      return bytes
    }
    throw new WeftError('DOCUMENT_DAMAGED', `the upload ${file} is damaged`, { documentId })
  }

  /**
   * Whether an upload was found right when it was read last, and its file hasn't changed since: who asks again and again has nothing
   * read. (What a disk changes by itself shows no time: the next `read` finds it.)
   */
  async isKnown(documentId: DocumentId, { file }: Upload): Promise<boolean> {
    const path = join(this.#folderOf(documentId), file)
    const known = this.#checked.get(path)
    return known !== undefined && known === (await stateOf(path))
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
    await this.#turn.pass(async () => {
      const folder = this.#folderOf(documentId)
      if (this.#viewCount === 0) return this.#remove(folder)
      await this.#setAside(folder, uploadFolderName(documentId))
    })
  }

  /** [F5] What is stored from now on until it is closed. Also what is stored later may be in it. */
  view(): UploadsView {
    this.#viewCount++
    let isOpen = true
    return {
      files: documentId => this.#filesOf(documentId),
      close: async () => {
        if (!isOpen) return
        isOpen = false
        if (--this.#viewCount > 0) return
        const gone = [...this.#gone.values()].flat()
        this.#gone.clear()
        for (const folder of gone) await this.#remove(folder)
      },
    }
  }

  /** Takes away what a crash left: parts of files, and files of documents that are gone. Once, before anybody is served. */
  async sweep(log: Pick<UpdateLog, 'open'>, now: number): Promise<void> {
    for (const name of await namesIn(this.#folder)) {
      const folder = join(this.#folder, name)
      if (name.endsWith(GONE)) {
        await this.#remove(folder)
        continue
      }
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
    return join(this.#folder, uploadFolderName(documentId))
  }

  /** A file only ever moves aside: who looks for it first where it was, then there, doesn't miss it. */
  async *#filesOf(documentId: DocumentId): AsyncGenerator<UploadedFile | DamagedUpload> {
    const name = uploadFolderName(documentId)
    const files = new Set((await namesIn(join(this.#folder, name))).filter(isUploadName))
    for (const folder of this.#gone.get(name) ?? []) {
      for (const file of await namesIn(folder)) if (isUploadName(file)) files.add(file)
    }
    for (const file of [...files].sort()) {
      const found = await this.#fileIn(join(this.#folder, name), documentId, file)
      if (found !== null) yield found
      else {
        for (const folder of this.#gone.get(name) ?? []) {
          const kept = await this.#fileIn(folder, documentId, file)
          if (kept === null) continue
          yield kept
          break
        }
      }
    }
  }

  async #fileIn(folder: string, documentId: DocumentId, file: string): Promise<UploadedFile | DamagedUpload | null> {
    try {
      const bytes = await readFile(join(folder, file))
      return (await isWhole(file, bytes)) ? { documentId, file, bytes } : { documentId, file, damage: CHANGED }
    } catch (error) {
      if (isMissing(error)) return null
      return { documentId, file, damage: `it can't be read: ${error instanceof Error ? error.message : String(error)}` }
    }
  }

  async #setAside(folder: string, name: string): Promise<void> {
    const aside = `${folder}-${randomBytes(8).toString('hex')}${GONE}`
    // Known before it is there: nobody who looks for it comes in between.
    this.#gone.set(name, [...(this.#gone.get(name) ?? []), aside])
    try {
      await rename(folder, aside)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    // The last one has read meanwhile.
    if (this.#gone.get(name)?.includes(aside) !== true) await this.#remove(aside)
  }

  async #remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true })
  }
}

/** By what a file's change shows; null: it can't be looked at. */
async function stateOf(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  return found === null ? null : `${found.size} ${found.mtimeMs} ${found.ctimeMs} ${found.ino}`
}
