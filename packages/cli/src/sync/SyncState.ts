import { createHash } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { ClockRange } from '@weft/schema'
import { CommandError } from '../errors.ts'

/** A state in which file and document said the same: a base to compare with. */
export interface SyncVersion {
  /** The file's, as `FileText.text`. */
  readonly text: string
  /** The document's, as a Yjs update. */
  readonly state: Uint8Array
  /** Which file it was (`FoundFile.identity`). */
  readonly identity: string
  /** Somebody has read it, or wrote it: an editor may have it loaded. */
  readonly isKnown: boolean
}

/** A change of the file, for the document. */
export interface UnsavedChange {
  /** A Yjs update. */
  readonly update: Uint8Array
  /** The operations of the change, but for what was rescued with it. */
  readonly written: readonly ClockRange[]
}

export interface SyncRecord {
  /** The newest first. Older ones are what an editor may still have loaded. */
  readonly versions: readonly SyncVersion[]
  /** What of the file the server is not known to have. */
  readonly unsaved: UnsavedChange | null
  /** The text that was last taken for one of an editor that had not loaded the newest version. */
  readonly staleText: string | null
}

interface StoredRecord {
  readonly format: 1
  readonly server: string
  readonly document: string
  readonly file: string
  readonly versions: readonly { text: string; state: string; identity: string; isKnown: boolean }[]
  readonly unsaved: { update: string; written: readonly ClockRange[] } | null
  readonly staleText: string | null
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

/** `$XDG_STATE_HOME/weft/sync`, by default in `~/.local/state`. */
export function stateFolder(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_STATE_HOME: home } = env
  // The specification: a path that isn't absolute is to be ignored.
  return join(home?.startsWith('/') ? home : join(env.HOME || homedir(), '.local', 'state'), 'weft', 'sync')
}

/**
 * What one file and one document had in common when they were last in step: kept between runs, by server, document and file.
 * Written beside, flushed and renamed: a killed process or a power cut leaves the record before or the record after.
 */
export class SyncState {
  readonly #path: string
  readonly #place: { readonly server: string; readonly document: string; readonly file: string }
  readonly #lock: string

  /** @param file absolute, without links */
  constructor(folder: string, server: string, document: string, file: string) {
    this.#place = { server, document, file }
    this.#path = join(folder, `${hash(`${server}\n${document}\n${file}`)}.json`)
    this.#lock = join(folder, `${hash(file)}.lock`)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /**
   * One process at a time syncs a file: two would each take in the same line.
   * @throws {CommandError} another one does
   */
  lock(): void {
    const beside = `${this.#lock}.${process.pid}`
    writeFileSync(beside, `${process.pid} ${startOf(process.pid)}`, { mode: 0o600 })
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        try {
          // Nobody ever finds an empty one.
          linkSync(beside, this.#lock)
          return
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        }
        const [pid = '', start = ''] = readIfThere(this.#lock)?.toString().split(' ') ?? []
        if (start !== '' && startOf(Number(pid)) === start) {
          throw new CommandError(`${this.#place.file} is synced by another process (${pid})`)
        }
        // Its process was killed.
        rmSync(this.#lock, { force: true })
      }
      throw new CommandError(`${this.#place.file} is synced by another process`)
    } finally {
      rmSync(beside, { force: true })
    }
  }

  unlock(): void {
    rmSync(this.#lock, { force: true })
  }

  /** Null: there is none, or none that can be used. */
  read(): SyncRecord | null {
    const bytes = readIfThere(this.#path)
    if (bytes === null) return null
    try {
      const stored = JSON.parse(bytes.toString()) as StoredRecord
      if (stored.format !== 1) return null
      return {
        versions: stored.versions.map(version => ({ ...version, state: fromBase64(version.state) })),
        unsaved: stored.unsaved && { ...stored.unsaved, update: fromBase64(stored.unsaved.update) },
        staleText: stored.staleText,
      }
    } catch {
      // Not ours, or damaged: as if it were missing, which loses nothing.
      return null
    }
  }

  /** Both are deleted: what comes under these names is new. */
  remove(): void {
    rmSync(this.#path, { force: true })
  }

  /** Synchronous, so that nothing happens between what is recorded and what is done then. On the disk when it returns. */
  write({ versions, unsaved, staleText }: SyncRecord): void {
    const stored: StoredRecord = {
      format: 1,
      ...this.#place,
      versions: versions.map(version => ({ ...version, state: toBase64(version.state) })),
      unsaved: unsaved && { ...unsaved, update: toBase64(unsaved.update) },
      staleText,
    }
    const beside = `${this.#path}.new`
    const descriptor = openSync(beside, 'w', 0o600)
    try {
      writeFileSync(descriptor, JSON.stringify(stored))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(beside, this.#path)
    flushFolder(dirname(this.#path))
  }
}

/** A rename is on the disk when its folder is. */
export function flushFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** When a process began, as far as the system says; '' if there is none. Numbers of processes come again. */
function startOf(pid: number): string {
  if (!Number.isInteger(pid) || pid <= 0) return ''
  try {
    // Behind the name, which may hold anything, the twentieth field: proc(5).
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/s, '').trim().split(' ')
    return fields[0] === 'Z' ? '' : (fields[19] ?? '')
  } catch {
    // No such process, or a system without /proc.
  }
  try {
    process.kill(pid, 0)
    return 'running'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'running' : ''
  }
}
