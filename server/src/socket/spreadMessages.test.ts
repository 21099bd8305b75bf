import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { upgradeRequest } from '../../../test/support/WireSocket.ts'
import { spreadMessages } from './spreadMessages.ts'

const COUNT = 50
/** Binary frames without a payload, with masks of zeros. */
const FRAMES = Buffer.concat(Array.from({ length: COUNT }, () => Buffer.of(0x82, 0x80, 0, 0, 0, 0)))

/** Of messages that come in one read, how many are told in one turn of the event loop at most. */
async function mostInATurn(isSpread: boolean): Promise<number> {
  const http = createServer()
  const server = new WebSocketServer({ server: http })
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  const client = connect((http.address() as AddressInfo).port, '127.0.0.1')
  try {
    return await new Promise<number>((resolve, reject) => {
      server.on('connection', webSocket => {
        if (isSpread) spreadMessages(webSocket)
        let inTurn = 0
        let most = 0
        let count = 0
        webSocket.on('error', reject)
        webSocket.on('message', () => {
          if (inTurn === 0)
            setImmediate(() => {
              inTurn = 0
            })
          most = Math.max(most, ++inTurn)
          if (++count === COUNT) resolve(most)
        })
      })
      client.on('error', reject)
      client.write(upgradeRequest('/'))
      client.once('data', () => client.write(FRAMES))
    })
  } finally {
    client.destroy()
    server.close()
    await new Promise(resolve => http.close(resolve))
  }
}

it('lets the messages of one read come one in each turn of the event loop', async () => {
  expect(await mostInATurn(false)).toBeGreaterThan(1)
  expect(await mostInATurn(true)).toBe(1)
})
