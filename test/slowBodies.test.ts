import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { api, apiPath, putMarkdown } from './support/apiClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { testServer } from './support/testServer.ts'
import { asksForTokens, tokenFor } from './support/tokens.ts'

// What people hold of the server by requests that they don't finish.

const STRANGER = '127.0.0.2'

/** A request of which the server hears the head and `body`, from an address of its own. */
async function begin(server: ServerProcess, head: readonly string[], body: Uint8Array, localAddress = STRANGER) {
  const socket = connect({ host: '127.0.0.1', port: server.port, localAddress })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(`${[...head, `Host: 127.0.0.1:${server.port}`].join('\r\n')}\r\n\r\n`)
  await new Promise(resolve => socket.write(body, resolve))
  return socket
}

/** The first line that a socket is answered with. */
async function answerOf(socket: Socket): Promise<string> {
  const [data] = await once(socket, 'data')
  return String(data).split('\r\n', 1)[0] ?? ''
}

const JSON_HEAD = ['POST /api/v1/links/exchange HTTP/1.1', 'Content-Type: application/json', 'X-Requested-With: test']

it('[threat C1] bodies of JSON that don’t come keep nobody else’s from being read, and end after 15 s', async () => {
  const server = await testServer({ ...asksForTokens, WEFT_REQUEST_SECONDS: '2' })
  const head = [...JSON_HEAD, 'Content-Length: 16384']
  const sockets = await Promise.all(Array.from({ length: 400 }, () => begin(server, head, Buffer.alloc(16383, ' '))))
  const more = [...sockets].map(socket => once(socket, 'data'))
  const headers = { 'Content-Type': 'application/json' }
  const body = JSON.stringify({ document: 'a' })
  for (let i = 0; i < 5; i++) {
    const made = await api(server, 'POST', '/api/v1/links', { headers, body, token: await tokenFor('owner') })
    expect(made.status).toBe(201)
  }
  const answers = (await Promise.all(more)).map(([data]) => String(data).split(' ', 2)[1])
  expect(answers).toContain('400')
})

it('[threat C1] who sends much and slowly leaves room for others', async () => {
  const server = await testServer(asksForTokens)
  const owner = await tokenFor('owner')
  await putMarkdown(server, 'a', 'hello', owner)
  const head = [
    `PATCH ${apiPath('a')} HTTP/1.1`,
    'Content-Type: application/octet-stream',
    `Authorization: Bearer ${await tokenFor('editor', { sub: 'eve' })}`,
    `Content-Length: ${64 << 20}`,
  ]
  const body = Buffer.alloc((64 << 20) - 1)
  await begin(server, head, body)
  const second = await begin(server, head, body)
  expect((await putMarkdown(server, 'b', 'by somebody else', owner)).status).toBe(201)
  expect((await api(server, 'GET', apiPath('a'), { token: owner })).status).toBe(200)
  second.write(Buffer.alloc(1))
  expect(await answerOf(second)).toBe('HTTP/1.1 503 Service Unavailable')
})
