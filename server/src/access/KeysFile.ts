import type { KeyObject } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { Logger } from 'pino'
import { ConfigError } from '../Setting.ts'
import type { KeySource } from './KeySource.ts'
import { BadKeysError, PUBLIC_ALGORITHMS, PublicKeys } from './PublicKeys.ts'

/** How often a change of the file is looked for, in ms: by a look at its date, which also sees a link that is put elsewhere. */
const LOOK_MS = 2000

/** Public keys from a file: read when it is made, and again when the file changes. One that can't be used leaves those before. */
export class KeysFile implements KeySource {
  readonly algorithms = PUBLIC_ALGORITHMS
  readonly #path: string
  readonly #logger: Logger
  #keys: PublicKeys

  /** @throws {ConfigError} it can't be read, or holds no keys */
  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#logger = logger
    try {
      this.#keys = this.#read()
    } catch (error) {
      throw new ConfigError(`WEFT_AUTH_KEYS_FILE: ${path} can't be used: ${describe(error)}`)
    }
    watchFile(path, { interval: LOOK_MS, persistent: false }, this.#changed)
  }

  readonly #changed = (): void => this.reload()

  /** Reads it anew: what it says counts for tokens that come from now on. */
  reload(): void {
    try {
      this.#keys = this.#read()
      this.#logger.info({ keys: this.#keys.count }, 'the keys for tokens were read anew')
    } catch (error) {
      this.#logger.error(`WEFT_AUTH_KEYS_FILE: ${this.#path} can't be used, the keys before stay: ${describe(error)}`)
    }
  }

  #read(): PublicKeys {
    return PublicKeys.parse(readFileSync(this.#path, 'utf8'))
  }

  candidates(algorithm: string, kid: string | null): readonly KeyObject[] {
    return this.#keys.candidates(algorithm, kid)
  }

  knows(kid: string): boolean {
    return this.#keys.knows(kid)
  }

  async renew(): Promise<boolean> {
    return false
  }

  /** Looks no more. */
  stop(): void {
    unwatchFile(this.#path, this.#changed)
  }
}

// The system's own text may quote nothing of the file; a parser's may.
function describe(error: unknown): string {
  if (error instanceof BadKeysError) return error.message
  return error instanceof Error && 'code' in error ? String(error.code) : 'it can’t be read'
}
