import { expect, it } from 'vitest'
import { browserWindows } from '../support/browserWindows.ts'
import { makeCertificate, storeCertificate, tlsSettings } from '../support/certificate.ts'
import { eventually } from '../support/eventually.ts'
import { testFolder, testServer } from '../support/testServer.ts'

const windows = browserWindows()

it('two people write a long document over TLS, with compression', async () => {
  const folder = await testFolder()
  await storeCertificate(folder, await makeCertificate())
  const server = await testServer({ ...tlsSettings(folder), WEFT_COMPRESSION: 'on' })
  const ann = await windows.open(server.url, { ignoreHTTPSErrors: true })
  await ann.goTo('a')
  const extensions = await ann.page.evaluate(
    address =>
      new Promise<string>(resolve => {
        const socket = new WebSocket(address)
        socket.onopen = () => {
          resolve(socket.extensions)
          socket.close()
        }
      }),
    `${server.socketUrl}/a`,
  )
  expect(extensions).toBe('permessage-deflate; server_no_context_takeover; client_no_context_takeover')
  await ann.type('Long\n')
  const paragraph = 'The same words again and again. '.repeat(100)
  // More than what is compressed on the event loop, in more than one message.
  for (let i = 0; i < 20; i++) {
    await ann.keyboard.insertText(paragraph)
    await ann.keyboard.press('Enter')
  }
  await ann.shows('saved')
  const bo = await windows.open(server.url, { ignoreHTTPSErrors: true })
  await bo.goTo('a')
  const lines = async () => (await bo.lines()).map(line => line.length)
  await eventually('all of it', async () => (await lines()).filter(length => length > 3000).length === 20)
  await bo.type('and Bo')
  await eventually('what Bo wrote', async () => (await ann.lines()).some(line => line.includes('and Bo')))
})
