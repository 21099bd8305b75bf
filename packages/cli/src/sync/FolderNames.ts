import { lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BadDocumentIdError, type DocumentId, parseDocumentId } from '@weft/protocol'

const EXTENSION = '.md'
/** What file systems take for one name in a folder, in bytes. */
const MAX_NAME_BYTES = 255

/** Devices, on Windows. */
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** A name that can't be used; `message` says why. */
export class BadNameError extends Error {
  override readonly name = 'BadNameError'
}

/**
 * The document of a file below a folder.
 * @param path relative, with `/` between its parts
 * @throws {BadNameError}
 */
export function documentOf(path: string, prefix: string): DocumentId {
  try {
    // macOS takes names apart (NFD); a document's name is in normal form.
    return parseDocumentId(prefix + path.slice(0, -EXTENSION.length).normalize('NFC'))
  } catch (error) {
    if (!(error instanceof BadDocumentIdError)) throw error
    throw new BadNameError(error.message)
  }
}

/**
 * The file of a document, as a path below the folder: one that every system takes.
 * @throws {BadNameError}
 */
export function fileOf(documentId: string, prefix: string): string {
  const path = `${documentId.slice(prefix.length)}${EXTENSION}`
  for (const part of path.split('/')) {
    if (part === EXTENSION || part.startsWith('.')) throw new BadNameError('a file of that name would be hidden')
    if (RESERVED.test(part) || /[<>:"|?*\p{Cc}]|[. ]$/u.test(part)) {
      throw new BadNameError('not every system takes a file of that name')
    }
    if (Buffer.byteLength(part) > MAX_NAME_BYTES) throw new BadNameError('the name is too long for a file')
  }
  return path
}

/** What two names have in common if a file system may take them for one. */
export function foldName(path: string): string {
  return path.normalize('NFC').toLowerCase()
}

export interface FolderListing {
  /** Markdown files, as paths below the folder with `/` between parts, in order. Hidden ones are none. */
  readonly files: readonly string[]
  /** Every folder that was looked into, absolute. */
  readonly folders: ReadonlySet<string>
  /** Markdown files and folders that are links, as paths below the folder: not followed. */
  readonly links: readonly string[]
}

/** @throws {Error} of the file system, where the folder itself can't be read */
export function listFolder(root: string): FolderListing {
  const files: string[] = []
  const folders = new Set<string>()
  const links: string[] = []
  const waiting = ['']
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    const absolute = join(root, folder)
    try {
      // Not what has become a link since it was listed.
      if (folder !== '' && !lstatSync(absolute).isDirectory()) continue
      for (const entry of readdirSync(absolute, { withFileTypes: true })) {
        if (entry.name.startsWith('.')) continue
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`
        const isMarkdown = entry.name.endsWith(EXTENSION)
        if (entry.isSymbolicLink()) {
          if (isMarkdown || leadsToFolder(join(absolute, entry.name))) links.push(path)
        }
        if (entry.isDirectory()) waiting.push(path)
        else if (isMarkdown && entry.isFile()) files.push(path)
      }
      folders.add(absolute)
    } catch (error) {
      // One that was removed meanwhile, or may not be read, holds nothing to look at.
      if (folder === '') throw error
    }
  }
  return { files: files.sort(), folders, links }
}

function leadsToFolder(link: string): boolean {
  try {
    return statSync(link).isDirectory()
  } catch {
    // It leads nowhere.
    return false
  }
}
