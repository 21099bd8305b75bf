import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'
import { type KeySource, SecretKey } from './KeySource.ts'
import { KeysFile } from './KeysFile.ts'
import { KeysUrl } from './KeysUrl.ts'

/** The keys that the settings name. */
export interface OpenedKeys {
  /** None: nobody is asked for a token. */
  readonly sources: readonly KeySource[]
  /** Reads the file of keys anew; null: there is none. */
  readonly reload: (() => void) | null
  stop(): void
}

/** Whether the settings name keys, so that a token is asked for. */
export function asksForTokens(config: Pick<Config, 'authSecret' | 'authKeysFile' | 'authJwksUrl'>): boolean {
  return config.authSecret !== null || config.authKeysFile !== '' || config.authJwksUrl !== ''
}

/** @throws {ConfigError} the file of keys can't be used */
export function openKeys(
  config: Pick<Config, 'authSecret' | 'authKeysFile' | 'authJwksUrl'>,
  clock: Clock,
  logger: Logger,
): OpenedKeys {
  const { authSecret, authKeysFile, authJwksUrl } = config
  const file = authKeysFile === '' ? null : new KeysFile(authKeysFile, logger)
  const sources: KeySource[] = []
  if (authSecret !== null) sources.push(new SecretKey(authSecret))
  if (file !== null) sources.push(file)
  if (authJwksUrl !== '') sources.push(new KeysUrl(authJwksUrl, clock, logger))
  return { sources, reload: file && (() => file.reload()), stop: () => file?.stop() }
}
