import { once } from 'node:events'
import { connect as openSocket, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect } from '@weft/client'
import { append, toMarkdown } from '@weft/client/text'
import type { DocumentId } from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isLong } from './rounds.ts'
import { type ApiAnswer, api, apiPath, putMarkdown } from './support/apiClient.ts'
import { eventually } from './support/eventually.ts'
import { freePort } from './support/freePort.ts'
import { RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { canMount, SmallDisk } from './support/smallDisk.ts'
import { withStore } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { asksForTokens, sign } from './support/tokens.ts'
import { typist } from './support/typist.ts'

// Documents over HTTP, asked by those who mean no good, or don't know what they do. What is asked for is in `api.test.ts`.

const get = (server: ServerProcess, name: string, query = '') => api(server, 'GET', apiPath(name, query))

const put = (server: ServerProcess, path: string, body: string, headers: Record<string, string> = {}) =>
  api(server, 'PUT', path, { headers: { 'Content-Type': 'text/markdown', ...headers }, body })

const remove = (server: ServerProcess, name: string, headers: Record<string, string> = {}) =>
  api(server, 'DELETE', apiPath(name), { headers: { 'X-Requested-With': 'test', ...headers } })

const outcome = ({ status, code }: ApiAnswer) => [status, code]

/** A request, written as it is on a connection of its own. */
function write(
  server: ServerProcess,
  head: readonly string[],
  body = Buffer.alloc(0),
  localAddress = '127.0.0.1',
): Socket {
  const socket = openSocket({ port: server.port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  socket.write(body)
  return socket
}

describe('a document that begins anew', () => {
  const server = sharedServer()

  it('is the same for a replica from before, whose own content comes back beside it', async () => {
    const path = apiPath('reborn', '?anew=true')
    for (const word of ['First', 'Second', 'Third']) {
      expect(
        (await put(server(), path, `${word}, and long enough to have more operations than the next.`)).status,
      ).toBe(201)
      if (word === 'Third') break
      const away = await connect(`${server().socketUrl}/reborn`)
      onTestFinished(() => away.close({ saved: false }))
      away.disconnect()
      expect((await remove(server(), 'reborn')).status).toBe(200)
      expect((await put(server(), path, `After ${word}.`)).status).toBe(201)
      // The same hand once more, beside what it wrote anew.
      expect((await put(server(), apiPath('reborn'), `After ${word}.\n\nMore.`)).status).toBe(200)
      away.reconnect()
      await eventually('the replica to have what is new', () => toMarkdown(away).includes('More.'))
      append(away, 'Last.')
      await away.saved()
      const { text } = await get(server(), 'reborn')
      expect(text).toBe(toMarkdown(away))
      for (const part of [`${word}, and`, `After ${word}.`, 'More.', 'Last.']) expect(text).toContain(part)
      expect((await remove(server(), 'reborn')).status).toBe(200)
    }
  })

  it('is made of no earlier version: it stays deleted', async () => {
    await putMarkdown(server(), 'stale', 'Old.')
    await remove(server(), 'stale')
    expect(outcome(await put(server(), apiPath('stale', '?anew=true&base=1'), 'New.'))).toEqual([412, 'stale'])
    expect(outcome(await get(server(), 'stale'))).toEqual([410, 'deleted'])
  })
})

it('a list tells nothing of names that its reader may not read, however many there are', async () => {
  const server = await testServer(asksForTokens)
  const owner = await sign({ docs: [{ prefix: '', role: 'owner' }] })
  await putMarkdown(server, 'z/mine', 'x', owner)
  await server.stop()
  const update = typist(1).type('x')
  const names = Array.from({ length: 10_100 }, (_, i) => `secret-${i}` as DocumentId)
  await withStore(server.folder, log =>
    log.append(names.map(documentId => ({ documentId, after: 0, updates: [update], time: 1 }))),
  )
  await server.start()
  const ask = async (docs: object[], query = '') => {
    const { text } = await api(server, 'GET', `/api/v1/documents${query}`, { token: await sign({ docs }) })
    const { documents, next } = JSON.parse(text)
    return [documents.map(({ name }: { name: string }) => name), next]
  }
  const role = 'viewer'
  expect(await ask([{ prefix: 'z/', role }])).toEqual([['z/mine'], null])
  expect(await ask([{ document: 'z/mine', role }])).toEqual([['z/mine'], null])
  expect(await ask([{ document: 'z/min', role }])).toEqual([[], null])
  const mixed = [
    { document: 'secret-7', role },
    { document: 'secret-0', role },
    { prefix: 'z/', role },
    { document: 'z/mine', role },
  ]
  expect(await ask(mixed)).toEqual([['secret-0', 'secret-7', 'z/mine'], null])
  expect(await ask(mixed, '?limit=2')).toEqual([['secret-0', 'secret-7'], 'secret-7'])
  expect(await ask(mixed, '?after=secret-0')).toEqual([['secret-7', 'z/mine'], null])
  expect(await ask(mixed, '?after=secret-7&limit=1')).toEqual([['z/mine'], null])
  expect(await ask(mixed, '?prefix=z')).toEqual([['z/mine'], null])
  expect(await ask(mixed, '?prefix=z/mi')).toEqual([['z/mine'], null])
  expect(await ask(mixed, '?prefix=secret-70')).toEqual([[], null])
})

describe('a change with a condition', () => {
  it('that is not looked at is refused, and nothing is changed', async () => {
    const server = await testServer()
    await putMarkdown(server, 'a', 'kept')
    const { headers } = await get(server, 'a')
    const conditions = [
      { 'If-None-Match': headers.get('etag') ?? '' },
      { 'If-Match': headers.get('etag') ?? '' },
      { 'Content-Range': 'bytes 0-1/9' },
    ]
    for (const condition of conditions as Record<string, string>[]) {
      expect(outcome(await put(server, apiPath('a'), 'new', condition))).toEqual([400, 'bad-request'])
      expect(outcome(await remove(server, 'a', condition))).toEqual([400, 'bad-request'])
    }
    // What is looked at when something is written isn't when it is deleted.
    expect(outcome(await remove(server, 'a', { 'If-None-Match': '*' }))).toEqual([400, 'bad-request'])
    expect((await get(server, 'a')).text).toBe('kept\n')
  })
})

describe('what is held', () => {
  it('of bodies that come slowly has a bound: others are told to come back', async () => {
    const server = await testServer()
    const bytes = 4 << 20
    const markdown = { 'Content-Type': 'text/markdown' }
    const sockets: Socket[] = []
    const begin = () =>
      sockets.push(
        write(
          server,
          [
            `PUT ${apiPath(`slow-${sockets.length}`)} HTTP/1.1`,
            `Host: 127.0.0.1:${server.port}`,
            'Content-Type: text/markdown',
            `Content-Length: ${bytes}`,
          ],
          Buffer.alloc(bytes - 1, 'x'),
        ),
      )
    for (let i = 0; i < 32; i++) begin()
    // No text: where it is taken in, that is said, and at once.
    const whole = () => api(server, 'PUT', apiPath('whole'), { headers: markdown, body: Buffer.alloc(bytes, 0xff) })
    const refused = await eventually('a refusal', async () => {
      const answer = await whole()
      if (answer.status === 503) return answer
      // Which of them came first, and was refused with what it held already, nobody can say: there was room left.
      begin()
      return null
    })
    expect([refused.code, refused.headers.get('retry-after')]).toEqual(['busy', '5'])
    for (const socket of sockets) socket.destroy()
    await eventually('room again', async () => (await whole()).code === 'bad-content')
    expect((await api(server, 'GET', '/api/v1/documents?prefix=slow')).text).toBe('{"documents":[],"next":null}')
  })

  /**
   * A server with a document of 24 MiB, and readers at two addresses who have begun to read it and don't go on: no answer more fits,
   * and nobody of them has a second one.
   */
  async function crowdedServer(): Promise<{ server: ServerProcess; readers: Socket[] }> {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/large`)
    const writer = typist(1)
    for (let i = 1; i <= 2; i++) await client.commit(writer.type('x'.repeat(12 << 20)), i)
    const readers: Socket[] = []
    const head = [`GET ${apiPath('large', '?format=yjs')} HTTP/1.1`, `Host: 127.0.0.1:${server.port}`]
    for (const localAddress of ['127.0.0.2', '127.0.0.3']) {
      for (const status of [200, 503]) {
        const reader = write(server, head, Buffer.alloc(0), localAddress)
        const [chunk] = await once(reader, 'data')
        reader.pause()
        expect(String(chunk)).toContain(`HTTP/1.1 ${status} `)
        readers.push(reader)
      }
    }
    return { server, readers }
  }

  it('of answers that nobody reads has a bound: others are told to come back', async () => {
    const { server, readers } = await crowdedServer()
    expect(outcome(await get(server, 'large', '?format=yjs'))).toEqual([503, 'busy'])
    for (const reader of readers) reader.destroy()
    await eventually('room again', async () => (await get(server, 'large', '?format=yjs')).status === 200)
  })

  it.runIf(isLong)('of an answer that nobody reads is given up after a minute', { timeout: 300_000 }, async () => {
    const { server } = await crowdedServer()
    const hasRoom = async () => (await get(server, 'large', '?format=yjs')).status === 200
    await eventually('room again', hasRoom, 200_000)
  })
})

it('what content says of itself in an error is as short as an error', async () => {
  const server = await testServer()
  const json = JSON.stringify({ type: 'doc', content: [{ type: 'x'.repeat(1 << 20) }] })
  const answer = await put(server, apiPath('a'), json, { 'Content-Type': 'application/json' })
  expect(outcome(answer)).toEqual([422, 'bad-content'])
  expect(answer.text.length).toBeLessThan(1000)
})

it('without a secret, a proxy that says nothing of itself is known by its protocol', async () => {
  const server = await testServer()
  const ask = async (version: string) => {
    const head = [`GET /api/v1/documents HTTP/${version}`, `Host: 127.0.0.1:${server.port}`, 'Connection: close']
    const [chunk] = await once(write(server, head), 'data')
    return String(chunk).split(' ')[1]
  }
  expect([await ask('1.1'), await ask('1.0')]).toEqual(['200', '403'])
})

it.runIf(canMount)('no error names a folder of the server, where its disk is full', async () => {
  const disk = await SmallDisk.mount(24)
  const server = await testServer({}, join(disk.folder, 'data'))
  await putMarkdown(server, 'a', 'x')
  const client = await RawClient.join(`${server.socketUrl}/b`)
  await disk.fill()
  const writer = typist(1)
  for (let i = 0; i < 5; i++) client.update(writer.type('x'.repeat(50_000)))
  await eventually('a failed commit', () => server.output.includes('a commit failed'))
  for (const answer of [
    await remove(server, 'a'),
    await putMarkdown(server, 'a', 'y'),
    await putMarkdown(server, 'c', 'z'),
  ]) {
    expect(outcome(answer)).toEqual([503, 'unavailable'])
    expect(answer.text).not.toContain(disk.folder)
  }
  // Reading goes on.
  expect((await get(server, 'a')).text).toBe('x\n')
})

it('content that takes long keeps nobody’s edits waiting, nor the server from stopping well', async () => {
  const metricsPort = await freePort()
  const server = await testServer({ WEFT_WORKERS: '1', WEFT_METRICS_PORT: `${metricsPort}` })
  const client = await RawClient.join(`${server.socketUrl}/other`)
  let isAnswered = false
  // Ten seconds, until it takes more memory than there is for a document.
  const slow = put(server, apiPath('slow'), '- a\n'.repeat(400_000), { 'Content-Type': 'text/markdown' }).catch(
    () => null,
  )
  void slow.then(() => {
    isAnswered = true
  })
  await eventually('the worker at work', async () =>
    /^weft_worker_tasks 1$/m.test(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()),
  )
  // Too large for the event loop: a worker looks at it.
  await client.commit(typist(1).type('x'.repeat(200_000)))
  expect(isAnswered).toBe(false)
  expect((await server.stop()).code).toBe(0)
  await slow
})
