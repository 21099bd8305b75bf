import { readdir, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { ProcessUsage } from './bench/servers/ProcessUsage.ts'
import { isLong } from './rounds.ts'
import { makeCertificate, storeCertificate, type TestCertificate, tlsSettings } from './support/certificate.ts'
import { eventually, within } from './support/eventually.ts'
import { hocuspocusSocket, providerVersions } from './support/hocuspocusClient.ts'
import { RawClient } from './support/RawClient.ts'
import { ServerProcess } from './support/ServerProcess.ts'
import { stockClient, stockVersions } from './support/stockClient.ts'
import { makeTemporaryFolder, removeFolder } from './support/temporaryFolder.ts'
import { sharedServer, testFolder, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'
import { upgradeRequest, WireSocket } from './support/WireSocket.ts'

interface SecureServer {
  readonly server: ServerProcess
  readonly certificate: TestCertificate
  /** Where the certificate is. */
  readonly folder: string
}

async function secureServer(env: Record<string, string> = {}): Promise<SecureServer> {
  const folder = await testFolder()
  const certificate = await makeCertificate()
  await storeCertificate(folder, certificate)
  return { server: await testServer({ ...tlsSettings(folder), ...env }), certificate, folder }
}

/** @throws where the handshake fails, or the certificate isn't the one that is trusted */
async function encrypted(
  server: ServerProcess,
  { cert }: TestCertificate,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({ port: server.port, host: '127.0.0.1', ca: cert, ...options })
  onTestFinished(() => void socket.destroy())
  await within(
    'a TLS handshake',
    new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject)),
  )
  return socket
}

/** All that comes until the server ends a connection without encryption. */
function exchangePlain(server: ServerProcess, bytes: string | Uint8Array): Promise<string> {
  const socket = connectPlain(server.port, '127.0.0.1', () => socket.write(bytes))
  let answer = ''
  socket.setEncoding('latin1')
  socket.on('data', text => {
    answer += text
  })
  return within('the end', new Promise(resolve => socket.on('error', () => {}).on('close', () => resolve(answer))))
}

interface Got {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

function get(server: ServerProcess, { cert }: TestCertificate, path: string, headers: Record<string, string> = {}) {
  return within<Got>(
    path,
    new Promise((resolve, reject) => {
      const options = { ca: cert, headers, agent: false }
      const asked = request(`${server.url}${path}`, options, response => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', text => {
          body += text
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      })
      asked.on('error', reject)
      asked.end()
    }),
  )
}

describe('with a certificate the server', () => {
  let certificate: TestCertificate = { cert: '', key: '' }
  let folder = ''
  const running = sharedServer(async () => {
    folder = await makeTemporaryFolder()
    certificate = await makeCertificate()
    await storeCertificate(folder, certificate)
    return tlsSettings(folder)
  })
  afterAll(() => removeFolder(folder))

  it('speaks https, says so at its start, and sends what pages need to be safe', async () => {
    const server = running()
    expect(server.output).toContain(`Weft is at https://127.0.0.1:${server.port}\n`)
    expect(await get(server, certificate, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
    const { headers } = await get(server, certificate, '/healthz')
    expect(headers['content-security-policy']).toContain(`wss://127.0.0.1:${server.port}`)
  })

  it('tells browsers to come encrypted only (HSTS), but not for a port of its own: it would bind all ports of the host', async () => {
    const server = running()
    expect((await get(server, certificate, '/', { Host: 'localhost' })).headers['strict-transport-security']).toBe(
      'max-age=31536000',
    )
    expect((await get(server, certificate, '/')).headers).not.toHaveProperty('strict-transport-security')
    const plain = await testServer()
    const { headers } = await fetch(plain.url)
    expect(headers.has('strict-transport-security')).toBe(false)
  })

  it('serves y-websocket and Hocuspocus clients of every version in one document', async () => {
    const server = running()
    const trust = { ca: certificate.cert }
    const stock = stockVersions.map(version =>
      stockClient(version, server.socketUrl, 'team/tls', { socketOptions: trust }),
    )
    const sockets = providerVersions.map(version => hocuspocusSocket(version, server.socketUrl, trust))
    const clients = [...stock, ...sockets.map(socket => socket.open('team/tls'))]
    await Promise.all(clients.map(client => client.synced()))
    for (const [i, { doc }] of clients.entries()) doc.getText('text').insert(0, `${i}`)
    const texts = () => clients.map(({ doc }) => doc.getText('text').toString())
    await eventually('all to have all', () => new Set(texts()).size === 1 && texts()[0]?.length === clients.length)
    for (const client of stock) client.destroy()
    for (const socket of sockets) socket.destroy()
  })

  it('takes TLS 1.2 and 1.3, nothing older', async () => {
    const server = running()
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await encrypted(server, certificate, { minVersion: version, maxVersion: version })
      expect(socket.getProtocol()).toBe(version)
    }
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    await expect(encrypted(server, certificate, old)).rejects.toThrow(/alert|version|protocol/)
  })

  it('takes a page of its own host for its own only where that came encrypted', async () => {
    const { server, certificate } = await secureServer({ WEFT_HOST: '0.0.0.0', WEFT_OPEN: '1' })
    const statusOf = async (origin: string) => {
      const wire = WireSocket.over(await encrypted(server, certificate))
      wire.write(upgradeRequest('/a', { Host: 'notes.example', Origin: origin }))
      return (await wire.nextAnswer()).status
    }
    expect(await statusOf('https://notes.example')).toBe(101)
    expect(await statusOf('http://notes.example')).toBe(403)
    expect(await statusOf('https://elsewhere.example')).toBe(403)
  })

  it('answers who speaks plain HTTP to it in plain HTTP: 400', async () => {
    const server = running()
    for (const bytes of ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', upgradeRequest('/a')]) {
      const answer = await exchangePlain(server, bytes)
      expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
      expect(answer).toContain('this port speaks https')
    }
    expect((await get(server, certificate, '/healthz')).status).toBe(200)
  })

  it('survives handshakes that are nonsense, cut off, or never go on', async () => {
    const server = running()
    const never = connectPlain(server.port, '127.0.0.1')
    onTestFinished(() => void never.destroy())
    expect(await exchangePlain(server, 'nonsense\r\n\r\n')).not.toContain('HTTP/1.1 200')
    await exchangePlain(server, Uint8Array.of(0x16, 3, 1, 0, 4, 1, 0, 0, 0))
    const cut = connectPlain(server.port, '127.0.0.1')
    await new Promise<void>(resolve => {
      cut.on('connect', () => cut.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1), () => cut.resetAndDestroy()))
      cut.on('close', () => resolve())
    })
    expect((await get(server, certificate, '/healthz')).status).toBe(200)
  })

  it('does not keep a large document once more for each reader who is slow', async () => {
    const server = running()
    const writer = await RawClient.connect(`${server.socketUrl}/large`, { ca: certificate.cert })
    writer.ask()
    writer.answer()
    await writer.commit(typist(1).type('x'.repeat(8 << 20)))
    const usage = new ProcessUsage(server.pid)
    const read = async () => {
      const reader = await RawClient.connect(`${server.socketUrl}/large`, { ca: certificate.cert })
      reader.stopReading()
      reader.ask()
      return reader
    }
    const first = await read()
    await eventually('the document to be open', async () => {
      await writer.commit(typist(2).type('y'), 2)
      return true
    })
    const before = usage.anonymousBytes
    const readers = await Promise.all(Array.from({ length: 12 }, read))
    await writer.commit(typist(3).type('z'), 3)
    // 12 × 8 MiB, if it did.
    await eventually('less than half of it', () => usage.anonymousBytes - before < 48 << 20)
    for (const reader of [first, ...readers]) {
      reader.goOnReading()
      const { update } = await reader.next('update', message => message.update.length > 8 << 20)
      expect(update.length).toBeGreaterThan(8 << 20)
      reader.cut()
    }
  })
})

describe('at SIGHUP', () => {
  it('the certificate is read anew: for new connections, while the old ones live on', async () => {
    const { server, certificate, folder } = await secureServer()
    const url = `${server.socketUrl}/a`
    const old = await RawClient.connect(url, { ca: certificate.cert })
    old.ask()
    old.answer()
    const next = await makeCertificate()
    await storeCertificate(folder, next)
    process.kill(server.pid, 'SIGHUP')
    await eventually('the new certificate', () => encrypted(server, next).catch(() => null))
    await expect(encrypted(server, certificate)).rejects.toThrow(/self.signed|certificate/)
    await old.commit(typist(1).type('still here'))
    const fresh = await RawClient.connect(url, { ca: next.cert })
    fresh.ask()
    await fresh.next('update')
  })

  it('one that cannot be used changes nothing, and is reported', async () => {
    const { server, certificate, folder } = await secureServer()
    const old = await RawClient.connect(`${server.socketUrl}/a`, { ca: certificate.cert })
    old.ask()
    old.answer()
    const other = await makeCertificate()
    const { WEFT_TLS_CERT, WEFT_TLS_KEY } = tlsSettings(folder)
    const spoil = [
      () => writeFile(WEFT_TLS_KEY, other.key),
      () => writeFile(WEFT_TLS_CERT, 'nonsense'),
      () => rm(WEFT_TLS_CERT),
    ]
    for (const [i, action] of spoil.entries()) {
      await action()
      process.kill(server.pid, 'SIGHUP')
      await eventually('a report', () => server.output.match(/the one before stays/g)?.length === i + 1)
      await encrypted(server, certificate)
      await old.commit(typist(i + 1).type('x'), i)
    }
    await storeCertificate(folder, other)
    process.kill(server.pid, 'SIGHUP')
    await eventually('the new certificate', () => encrypted(server, other).catch(() => null))
  })
})

it('a start with a certificate that cannot be used ends with one plain line, and touches no store', async () => {
  const folder = await testFolder()
  await storeCertificate(folder, await makeCertificate())
  await writeFile(tlsSettings(folder).WEFT_TLS_KEY, (await makeCertificate()).key)
  const { code, output } = await ServerProcess.run({ folder: join(folder, 'data'), env: tlsSettings(folder) })
  expect(output).toMatch(/^weft: WEFT_TLS_KEY: .*key\.pem is not the key of the certificate in .*cert\.pem\n$/)
  expect(code).toBe(2)
  expect(await readdir(folder)).not.toContain('data')
})

it('a certificate that has expired is served, with a warning', async () => {
  const folder = await testFolder()
  await storeCertificate(folder, await makeCertificate(-1))
  const server = await testServer(tlsSettings(folder))
  expect(server.output).toMatch(/the certificate in .*cert\.pem has expired/)
})

it.runIf(isLong)('a TLS handshake that is not done after 10 s is cut off', async () => {
  const folder = await testFolder()
  await storeCertificate(folder, await makeCertificate())
  const server = await testServer(tlsSettings(folder))
  expect(await exchangePlain(server, Uint8Array.of(0x16, 3, 1))).toBe('')
})

it.runIf(isLong)('a reader who takes nothing for long is hung up on, as without TLS', async () => {
  const folder = await testFolder()
  const certificate = await makeCertificate()
  await storeCertificate(folder, certificate)
  const server = await testServer({ ...tlsSettings(folder), WEFT_SLOW_READER_SECONDS: '5' })
  const url = `${server.socketUrl}/a`
  const writer = await RawClient.connect(url, { ca: certificate.cert })
  writer.ask()
  writer.answer()
  await writer.commit(typist(1).type('x'.repeat(8 << 20)))
  const reader = await RawClient.connect(url, { ca: certificate.cert })
  reader.stopReading()
  reader.ask()
  // What is written to a socket that is gone is answered by a reset.
  const timer = setInterval(() => reader.isOpen && reader.socket.ping(), 500)
  expect((await reader.closed.finally(() => clearInterval(timer))).code).toBe(1006)
  await writer.commit(typist(2).type('y'), 2)
})
