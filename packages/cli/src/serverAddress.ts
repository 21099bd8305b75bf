import { isToken } from '@weft/protocol'
import { UsageError } from './errors.ts'

const DEFAULT_URL = 'http://127.0.0.1:9091'

/** The server that a verb speaks to, and how it says who it is. */
export interface ServerAddress {
  /** Without a slash at its end. */
  readonly url: string
  readonly token: string | undefined
}

/**
 * `--url`, else `WEFT_URL`, else this machine; the token from `WEFT_TOKEN` alone, for others see what is on a command line.
 * @throws {UsageError} no address of a server, or no token
 */
export function serverAddress(
  option: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): ServerAddress {
  const text = option ?? (env.WEFT_URL || DEFAULT_URL)
  const isAddress = /^(wss?|https?):\/\/[^/?#\\@]+(\/[^?#]*)?$/i.test(text) && URL.canParse(text)
  if (!isAddress) {
    const source = option === undefined ? 'WEFT_URL' : '--url'
    throw new UsageError(`${source} is '${text}': not the address of a server, like ${DEFAULT_URL}`)
  }
  const token = env.WEFT_TOKEN || undefined
  if (token !== undefined && !isToken(token))
    throw new UsageError('WEFT_TOKEN is no token: it has letters, digits and - . _ ~ + only')
  return { url: text.replace(/\/+$/, ''), token }
}
