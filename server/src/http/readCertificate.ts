import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config } from '../config.ts'
import { ConfigError } from '../Setting.ts'

/** What TLS is served with: PEM. */
export interface Certificate {
  readonly cert: Buffer
  readonly key: Buffer
  readonly minVersion: 'TLSv1.2'
  /** What is wrong with it, though it can be served: it has expired, say. */
  readonly warning: string | null
}

/**
 * Reads the certificate and its key, and checks that they belong together.
 * @returns null where none is set
 * @throws {ConfigError} a file is missing, unreadable or broken, or they don't match
 */
export function readCertificate({ tlsCert, tlsKey }: Pick<Config, 'tlsCert' | 'tlsKey'>): Certificate | null {
  if (tlsCert === '') return null
  const cert = read('WEFT_TLS_CERT', tlsCert)
  const key = read('WEFT_TLS_KEY', tlsKey)
  const x509 = attempt(`WEFT_TLS_CERT: ${tlsCert} is no certificate in PEM`, () => new X509Certificate(cert))
  const privateKey = attempt(`WEFT_TLS_KEY: ${tlsKey} is no private key in PEM without a passphrase`, () =>
    createPrivateKey(key),
  )
  if (!x509.checkPrivateKey(privateKey)) {
    throw new ConfigError(`WEFT_TLS_KEY: ${tlsKey} is not the key of the certificate in ${tlsCert}`)
  }
  const certificate = { cert, key, minVersion: 'TLSv1.2' } as const
  // What only OpenSSL finds: a broken chain, a key that is too short.
  attempt(`WEFT_TLS_CERT: ${tlsCert} can't be served`, () => createSecureContext(certificate))
  return { ...certificate, warning: warningOf(x509, tlsCert) }
}

function read(setting: string, path: string): Buffer {
  return attempt(`${setting}: ${path} can't be read`, () => readFileSync(path))
}

function attempt<T>(what: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw new ConfigError(`${what} (${error instanceof Error ? error.message : String(error)})`)
  }
}

function warningOf({ validFrom, validTo }: X509Certificate, path: string): string | null {
  const now = Date.now()
  if (now > Date.parse(validTo)) return `the certificate in ${path} has expired: it was valid until ${validTo}`
  if (now < Date.parse(validFrom)) return `the certificate in ${path} is not valid before ${validFrom}`
  return null
}
