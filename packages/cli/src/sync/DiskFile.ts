import { randomBytes } from 'node:crypto'
import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { CommandError } from '../errors.ts'
import { MAX_FILE_BYTES } from './FileText.ts'
import { flushFolder } from './SyncState.ts'

/** A file that is there. */
export interface FoundFile {
  readonly state: 'file'
  /** The same as long as nothing about the file changes. */
  readonly stamp: string
  /** The same as long as its content isn't written, wherever it is moved. */
  readonly identity: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** What stands at a path. */
export type Found =
  | FoundFile
  | { readonly state: 'missing'; readonly stamp: '' }
  | { readonly state: 'other'; readonly stamp: string; readonly why: string }

/** A file that is written and not yet in its place. */
export interface PreparedFile {
  readonly identity: string
  /** Whether its file system notes that somebody reads it. */
  readonly isReadingTold: boolean
  /** Puts it in its place, unless that is not any more as it was found: then nothing is done, and it is null. */
  commit(): PlacedFile | null
  discard(): void
}

/** Descriptors are the caller's to close. */
export interface PlacedFile {
  /** As it was put in its place, unless it was written into already: then its identity is another one. */
  readonly found: FoundFile
  /** The file that was written. */
  readonly written: number
  /** The one that it has replaced, if any. */
  readonly replaced: number | null
}

/** Names of files that are on their way to their place; left by a killed process, they mean nothing. */
export const TEMPORARY_PREFIX = '.weft-sync-'
/** Set on each file that is written here: how much older its last reading is than its last writing. Whoever reads it changes that. */
const UNREAD_NS = 1_000_000_000n
/** What setting times may round, in ns. */
const ROUNDING_NS = 1_000_000n
// Reading to compare is not reading. Linux, and the owner alone.
const { O_RDONLY, O_NOATIME = 0 } = constants

/** One path on the disk. Synchronous: between a look and what follows from it, nothing else of this process happens. */
export class DiskFile {
  /** Absolute. */
  readonly path: string
  readonly #root: string | null

  /**
   * @param path may be a link to a file, if there is no `root`
   * @param root folder, without links, that nothing is written out of, and in which no link is followed
   */
  constructor(path: string, root: string | null = null) {
    this.path = resolve(path)
    this.#root = root
  }

  /** @throws {Error} of the file system */
  look(): Found {
    const target = this.#target()
    let stat: BigIntStats
    try {
      stat = lstatSync(target, { bigint: true })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'missing', stamp: '' }
      throw error
    }
    const stamp = stampOf(stat)
    if (stat.isSymbolicLink()) return { state: 'other', stamp, why: 'it is a link, and links are not followed here' }
    if (!stat.isFile()) return { state: 'other', stamp, why: stat.isDirectory() ? 'it is a folder' : 'it is no file' }
    if (this.#root !== null && !this.#isInside(dirname(target))) {
      return { state: 'other', stamp, why: 'a link leads there, and links are not followed here' }
    }
    return foundFile(stat)
  }

  /** @returns its bytes, at most some more than may be; null: it is not any more as it was found */
  read(found: FoundFile): Uint8Array | null {
    const descriptor = openQuietly(this.#target())
    try {
      if (stampOf(fstatSync(descriptor, { bigint: true })) !== found.stamp) return null
      const bytes = readAll(descriptor)
      return stampOf(fstatSync(descriptor, { bigint: true })) === found.stamp ? bytes : null
    } finally {
      closeSync(descriptor)
    }
  }

  /**
   * Writes a file beside, with the mode and, as far as that may be, the owner of the one that it is to replace.
   * @param found what it is to replace
   * @throws {CommandError} it may not be written. {Error} of the file system: nothing was changed
   */
  prepare(bytes: Uint8Array, found: FoundFile | (Found & { state: 'missing' })): PreparedFile {
    const target = this.#target()
    const folder = dirname(target)
    if (found.state === 'file' && (found.mode & 0o222) === 0) throw new CommandError('it is write-protected')
    if (this.#root !== null) {
      makeFolders(this.#root, folder)
      if (!this.#isInside(folder)) throw new CommandError('a link leads there, and links are not followed here')
    }
    const beside = join(folder, `${TEMPORARY_PREFIX}${randomBytes(6).toString('hex')}`)
    const descriptor = openSync(beside, 'wx+', found.state === 'file' ? 0o600 : 0o666)
    const discard = () => {
      closeSync(descriptor)
      rmSync(beside, { force: true })
    }
    try {
      writeFileSync(descriptor, bytes)
      if (found.state === 'file') likeBefore(descriptor, found)
      fsyncSync(descriptor)
      const isReadingTold = markUnread(descriptor)
      const identity = identityOfOpen(descriptor)
      return { identity, isReadingTold, commit: () => this.#commit(beside, target, found, descriptor), discard }
    } catch (error) {
      discard()
      throw error
    }
  }

  #commit(beside: string, target: string, { state, stamp }: Found, written: number): PlacedFile | null {
    let replaced = null as number | null
    const isPlaced = () => {
      if (state === 'file') replaced = openQuietly(target)
      if (this.look().stamp !== stamp) return false
      // Where there was none, none that has come meanwhile is replaced.
      if (state === 'missing') linkSync(beside, target)
      else renameSync(beside, target)
      return true
    }
    let isDone = false
    try {
      isDone = isPlaced()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST' && code !== 'ENOENT') throw error
    } finally {
      if (!isDone || state === 'missing') rmSync(beside, { force: true })
      if (!isDone) {
        closeSync(written)
        if (replaced !== null) closeSync(replaced)
      }
    }
    if (!isDone) return null
    flushFolder(dirname(target))
    // Of the file that was written, whatever stands at the path by now: what has happened to it meanwhile is seen at the next look.
    return { found: foundFile(fstatSync(written, { bigint: true })), written, replaced }
  }

  /** Opens it without counting as a reader. */
  open(): number {
    return openQuietly(this.#target())
  }

  remove(): void {
    rmSync(this.#target())
    flushFolder(dirname(this.#target()))
  }

  /** Where the file is or is to be, behind links. */
  #target(): string {
    if (this.#root !== null) return this.path
    let path = this.path
    for (let links = 0; links < 40; links++) {
      try {
        path = resolve(dirname(path), readlinkSync(path))
      } catch {
        // No link, or nothing: this is it.
        break
      }
    }
    return join(realFolder(dirname(path)), basename(path))
  }

  #isInside(folder: string): boolean {
    const root = this.#root
    return root === null || realFolder(folder) === join(root, relative(root, folder))
  }

  /** Where it is, without links, as a name for it. */
  get realPath(): string {
    return this.#target()
  }
}

/**
 * Whether what was written here is known to have been read.
 * @param identity of the file as it was written
 */
export function wasRead(descriptor: number, identity: string): boolean {
  const { atimeNs, mtimeNs } = fstatSync(descriptor, { bigint: true })
  const writtenNs = BigInt(identity.slice(identity.lastIndexOf(':') + 1))
  const distance = writtenNs - UNREAD_NS - atimeNs
  if (-ROUNDING_NS < distance && distance < ROUNDING_NS) return false
  // Somebody has written into it since: who read it after that has read something else.
  return mtimeNs === writtenNs || atimeNs < mtimeNs
}

/** What is in an open file, from its beginning; at most some more bytes than may be. */
export function readAll(descriptor: number): Uint8Array {
  const bytes = Buffer.alloc(Math.min(Number(fstatSync(descriptor).size), MAX_FILE_BYTES) + 1)
  let length = 0
  for (let count = -1; count !== 0 && length < bytes.length; length += count) {
    count = readSync(descriptor, bytes, length, bytes.length - length, length)
  }
  return bytes.subarray(0, length)
}

export function identityOfOpen(descriptor: number): string {
  return identityOf(fstatSync(descriptor, { bigint: true }))
}

/** By device: whether reading a file is noted there (it is not with the mount option `noatime`). */
const tellsReading = new Map<bigint, boolean>()

/** @returns whether reading it will be noted */
function markUnread(descriptor: number): boolean {
  const { dev, size } = fstatSync(descriptor, { bigint: true })
  const now = Date.now() / 1000
  futimesSync(descriptor, now - 1, now)
  if (!tellsReading.has(dev) && size > 0n) {
    const before = fstatSync(descriptor, { bigint: true }).atimeNs
    readSync(descriptor, Buffer.alloc(1), 0, 1, 0)
    tellsReading.set(dev, fstatSync(descriptor, { bigint: true }).atimeNs !== before)
    futimesSync(descriptor, now - 1, now)
  }
  return tellsReading.get(dev) === true
}

function likeBefore(descriptor: number, { mode, uid, gid }: FoundFile): void {
  const own = fstatSync(descriptor)
  try {
    if (own.uid !== uid || own.gid !== gid) fchownSync(descriptor, uid, gid)
  } catch {
    // Somebody else's file in one's own folder: it becomes one's own, as with other editors.
  }
  fchmodSync(descriptor, mode)
}

/** As `mkdir -p`, but through no link. */
function makeFolders(root: string, folder: string): void {
  let path = root
  for (const part of relative(root, folder).split(sep)) {
    path = join(path, part)
    try {
      mkdirSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (!lstatSync(path).isDirectory()) throw new CommandError(`${path} is no folder`)
    }
  }
}

function openQuietly(path: string): number {
  // A pipe, say, that has taken the file's place must not be waited for.
  const flags = O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
  try {
    return openSync(path, flags | O_NOATIME)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    return openSync(path, flags)
  }
}

function foundFile(stat: BigIntStats): FoundFile {
  return {
    state: 'file',
    stamp: stampOf(stat),
    identity: identityOf(stat),
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  }
}

function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`
}

function stampOf(stat: BigIntStats): string {
  return `${identityOf(stat)}:${stat.ctimeNs}`
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder.endsWith(sep) ? folder.slice(0, -1) : folder
  }
}
