import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generate } from 'selfsigned'

/** A certificate for this machine, which is its own authority, and its key: PEM. */
export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

/** @param days for which it is valid, from now on; below 0: it has expired so long ago */
export async function makeCertificate(days = 1, passphrase?: string): Promise<TestCertificate> {
  const dayMs = 24 * 60 * 60 * 1000
  const now = Date.now()
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - 10 * dayMs),
    notAfterDate: new Date(now + days * dayMs),
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
    ...(passphrase === undefined ? {} : { passphrase }),
  })
  return { cert: made.cert, key: made.private }
}

/** Settings of a server that finds a certificate in a folder. */
export function tlsSettings(folder: string): { WEFT_TLS_CERT: string; WEFT_TLS_KEY: string } {
  return { WEFT_TLS_CERT: join(folder, 'cert.pem'), WEFT_TLS_KEY: join(folder, 'key.pem') }
}

/** Puts a certificate where `tlsSettings` names it. */
export async function storeCertificate(folder: string, { cert, key }: TestCertificate): Promise<void> {
  const { WEFT_TLS_CERT, WEFT_TLS_KEY } = tlsSettings(folder)
  await Promise.all([writeFile(WEFT_TLS_CERT, cert), writeFile(WEFT_TLS_KEY, key)])
}
