import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { PassThrough, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { CommandError } from '../errors.ts'
import { clearLeftovers, temporaryName } from '../TemporaryName.ts'

/** What file systems answer that have no hard links. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV']

/**
 * A file that is there as a whole or not at all: written beside its place, put to disk, then given its name. One whose name ends
 * with `.gz` is compressed. What everybody wrote is in it: only its owner may read it.
 */
export class NewFile {
  readonly #path: string
  readonly #beside: string
  readonly #mayReplace: boolean
  readonly #file: WriteStream
  readonly #input: Transform
  readonly #written: Promise<void>

  private constructor(path: string, beside: string, file: WriteStream, mayReplace: boolean) {
    this.#path = path
    this.#beside = beside
    this.#file = file
    this.#mayReplace = mayReplace
    this.#input = path.endsWith('.gz') ? createGzip() : new PassThrough()
    this.#written = pipeline(this.#input, file)
    // Whoever writes or finishes is told.
    this.#written.catch(() => {})
  }

  /** @param mayReplace whether a file of that name may be there @throws {CommandError} it is, or it can't be made */
  static async begin(path: string, mayReplace: boolean): Promise<NewFile> {
    const present = await lstat(path).catch(() => null)
    if (present?.isDirectory() === true) throw new CommandError(`${path} is a folder`)
    if (present !== null && !mayReplace) throw isThere(path)
    await clearLeftovers(dirname(path), `.${basename(path)}`)
    const beside = join(dirname(path), temporaryName(`.${basename(path)}`))
    try {
      const file = createWriteStream(beside, { flags: 'wx', mode: 0o600, flush: true })
      await once(file, 'open')
      return new NewFile(path, beside, file, mayReplace)
    } catch (error) {
      throw refused(path, error)
    }
  }

  /** What was written of it, compressed or not. */
  get bytes(): number {
    return this.#file.bytesWritten
  }

  /** Resolves when more may come. @throws {CommandError} */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#input.destroyed) await this.#settled()
    if (this.#input.write(chunk)) return
    let goOn = () => {}
    const drained = new Promise<void>(resolve => {
      goOn = resolve
    })
    this.#input.once('drain', goOn)
    await Promise.race([drained, this.#settled()])
    this.#input.off('drain', goOn)
  }

  /** Gives it its name. Resolves when it is on disk. @throws {CommandError} */
  async finish(): Promise<void> {
    this.#input.end()
    await this.#settled()
    try {
      if (this.#mayReplace) await rename(this.#beside, this.#path)
      else await this.#linkOrRename()
      await syncFolder(dirname(this.#path))
    } catch (error) {
      throw refused(this.#path, error)
    }
  }

  /** Takes away what was written. Does nothing to a finished file. */
  async discard(): Promise<void> {
    this.#input.destroy()
    await this.#written.catch(() => {})
    await rm(this.#beside, { force: true })
  }

  /** A link fails where the name has been taken meanwhile; a renaming would replace it. */
  async #linkOrRename(): Promise<void> {
    try {
      await link(this.#beside, this.#path)
      await rm(this.#beside)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (code === 'EEXIST' || !NO_LINKS.includes(code)) throw error
      if ((await lstat(this.#path).catch(() => null)) !== null) throw isThere(this.#path)
      await rename(this.#beside, this.#path)
    }
  }

  async #settled(): Promise<void> {
    try {
      await this.#written
    } catch (error) {
      throw refused(this.#path, error)
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isThere(path: string): CommandError {
  return new CommandError(`${path} is there already: --force replaces it`)
}

function refused(path: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error
  if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return isThere(path)
  return new CommandError(`${path} can't be written: ${error instanceof Error ? error.message : String(error)}`)
}
