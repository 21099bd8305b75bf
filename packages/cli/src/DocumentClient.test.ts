import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  type CloseName,
  closeCode,
  closeReason,
  type DocumentId,
  encodePermissionDenied,
  encodeSyncStep1,
  encodeSyncStep2,
} from '@weft/protocol'
import { expect, it, onTestFinished } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import * as Y from 'yjs'
import { DocumentClient, RefusedDocumentError } from './DocumentClient.ts'
import { CommandError } from './errors.ts'

const documentId = 'notes' as DocumentId

/** A server that says on every connection what a test wants. @returns a client to it */
async function clientOf(answer: (socket: WebSocket) => void): Promise<DocumentClient> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', socket => socket.once('message', () => answer(socket)))
  onTestFinished(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return new DocumentClient({ url: `http://127.0.0.1:${port}`, token: undefined }, new AbortController().signal)
}

function sync(socket: WebSocket): void {
  socket.send(encodeSyncStep1(Uint8Array.of(0)))
  socket.send(encodeSyncStep2(Uint8Array.of(0, 0)))
}

const close = (name: CloseName, text: string) => (socket: WebSocket) =>
  socket.close(closeCode[name].code, closeReason(name, text))

function textDocument(): Y.Doc {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'text')
  return doc
}

it.each(['malformed', 'policy', 'tooBig', 'internal', 'forbidden', 'deleted', 'badName'] as const)(
  'a close with %s is the end of that document, with the server’s reason',
  async name => {
    const client = await clientOf(close(name, 'this is why'))
    const upload = client.upload(documentId, textDocument())
    await expect(upload).rejects.toThrow(RefusedDocumentError)
    await expect(upload).rejects.toThrow(`refused: this is why (${closeCode[name].code})`)
  },
)

it('a close with unauthorized is the end of the whole import: the token serves no document', async () => {
  const client = await clientOf(socket => {
    // As servers do before a final close, for clients that know no codes.
    socket.send(encodePermissionDenied('no token'))
    close('unauthorized', 'no token')(socket)
  })
  const upload = client.upload(documentId, textDocument())
  await expect(upload).rejects.toThrow(CommandError)
  await expect(upload).rejects.toThrow('the server asks for another token (WEFT_TOKEN): no token')
})

it('a role that may only read is told by document', async () => {
  const client = await clientOf(socket => {
    sync(socket)
    socket.send(encodePermissionDenied('viewer'))
  })
  const upload = client.upload(documentId, textDocument())
  await expect(upload).rejects.toThrow(RefusedDocumentError)
  await expect(upload).rejects.toThrow('no right to write it')
})

it('a connection that breaks over a document again and again is the end of that document', async () => {
  let count = 0
  const client = await clientOf(socket => {
    count++
    socket.terminate()
  })
  const upload = client.upload(documentId, textDocument())
  await expect(upload).rejects.toThrow(RefusedDocumentError)
  await expect(upload).rejects.toThrow('the connection broke 3 times')
  expect(count).toBe(3)
})

it('what is synced but not acknowledged does not count as imported', async () => {
  const interruption = new AbortController()
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const questions: number[] = []
  server.on('connection', socket => {
    socket.once('message', () => sync(socket))
    socket.on('message', (data: Buffer) => {
      // "Is it committed?", and no answer.
      if (data[0] !== 102) return
      questions.push(102)
      interruption.abort(new CommandError('stop'))
    })
  })
  const client = new DocumentClient({ url: `http://127.0.0.1:${port}`, token: undefined }, interruption.signal)
  await expect(client.upload(documentId, textDocument())).rejects.toThrow('stop')
  expect(questions.length).toBeGreaterThan(0)
})
