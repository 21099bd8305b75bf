import { mkdir, rm, writeFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { readCertificate } from '../server/src/http/readCertificate.ts'
import { ConfigError } from '../server/src/Setting.ts'
import { makeCertificate, storeCertificate, tlsSettings } from './support/certificate.ts'
import { testFolder } from './support/testServer.ts'

async function readFrom(folder: string) {
  const { WEFT_TLS_CERT: tlsCert, WEFT_TLS_KEY: tlsKey } = tlsSettings(folder)
  return readCertificate({ tlsCert, tlsKey })
}

const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

it('reads a certificate and its key', async () => {
  const folder = await testFolder()
  const { cert, key } = await makeCertificate()
  await storeCertificate(folder, { cert, key })
  expect(await readFrom(folder)).toEqual({
    cert: Buffer.from(cert),
    key: Buffer.from(key),
    minVersion: 'TLSv1.2',
    warning: null,
  })
  expect(readCertificate({ tlsCert: '', tlsKey: '' })).toBeNull()
})

it('warns where the certificate has expired', async () => {
  const folder = await testFolder()
  await storeCertificate(folder, await makeCertificate(-1))
  expect((await readFrom(folder))?.warning).toMatch(/cert\.pem has expired: it was valid until /)
})

it.each<[what: string, error: RegExp, spoil: (folder: string, files: { cert: string; key: string }) => Promise<void>]>([
  ['the certificate is missing', /^WEFT_TLS_CERT: .*cert\.pem can't be read/, (_, { cert }) => rm(cert)],
  ['the key is missing', /^WEFT_TLS_KEY: .*key\.pem can't be read/, (_, { key }) => rm(key)],
  [
    'the key is a folder',
    /^WEFT_TLS_KEY: .*key\.pem can't be read/,
    async (_, { key }) => {
      await rm(key)
      await mkdir(key)
    },
  ],
  ['the certificate is empty', /^WEFT_TLS_CERT: .* is no certificate/, (_, { cert }) => writeFile(cert, '')],
  ['the certificate is broken', /^WEFT_TLS_CERT: .* is no certificate/, (_, { cert }) => writeFile(cert, BROKEN)],
  ['the key is broken', /^WEFT_TLS_KEY: .* is no private key/, (_, { key }) => writeFile(key, 'nonsense')],
  [
    'the chain is broken',
    /^WEFT_TLS_CERT: .* can't be served/,
    async folder => {
      const { cert, key } = await makeCertificate()
      await storeCertificate(folder, { cert: `${cert}\n${BROKEN}`, key })
    },
  ],
  [
    'the key has a passphrase',
    /^WEFT_TLS_KEY: .* without a passphrase/,
    async folder => storeCertificate(folder, await makeCertificate(1, 'secret')),
  ],
  [
    'the key is of another certificate',
    /^WEFT_TLS_KEY: .*key\.pem is not the key of the certificate in .*cert\.pem/,
    async (_, { key }) => writeFile(key, (await makeCertificate()).key),
  ],
])('refuses to serve where %s', async (_what, error, spoil) => {
  const folder = await testFolder()
  await storeCertificate(folder, await makeCertificate())
  const { WEFT_TLS_CERT: cert, WEFT_TLS_KEY: key } = tlsSettings(folder)
  await spoil(folder, { cert, key })
  await expect(readFrom(folder)).rejects.toThrow(ConfigError)
  await expect(readFrom(folder)).rejects.toThrow(error)
})
