import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ScriptedServer, type ServerConnection } from '../test/ScriptedServer.ts'
import { connect } from './connect.ts'
import type { WeftDocument } from './WeftDocument.ts'

let server: ScriptedServer
let document: WeftDocument
let connection: ServerConnection

beforeEach(async () => {
  server = await ScriptedServer.start()
  server.manners.receipts = false
  document = await connect(server.url(), { random: () => 0 })
  connection = await server.connection(0)
})

afterEach(async () => {
  await document.close({ saved: false })
  await server.stop()
})

const messages = (): string[] =>
  connection.frames.flatMap(frame => (frame.type === 'message' ? [`${frame.clientIDs}: ${frame.payload}`] : []))

/** What becomes of a message: `sent`, or the code or name of its error. */
const outcome = (sending: Promise<void>): Promise<string> =>
  sending.then(
    () => 'sent',
    (error: Error & { code?: string }) => error.code ?? error.name,
  )

/** An edit and its acknowledgement have passed: what was sent before has come. */
async function roundTrip(): Promise<void> {
  document.ydoc.getText('t').insert(0, '.')
  await document.saved()
}

describe('send()', () => {
  it('resolves when the server has passed the message on, in order', async () => {
    const settled: string[] = []
    const sending = [document.send('a'), document.send('b', { to: [5, 6] })]
    for (const [i, one] of sending.entries()) void one.then(() => settled.push(`${i}`))
    await server.when(() => messages().length === 2)
    expect(messages()).toEqual([': a', '5,6: b'])
    expect(settled).toEqual([])
    connection.receipt(0)
    await sending[0]
    expect(settled).toEqual(['0'])
    connection.receipt(0)
    await sending[1]
  })

  it('rejects where the server has dropped the message, and says why', async () => {
    const sending = ['a', 'b', 'c', 'd'].map(text => outcome(document.send(text)))
    for (const code of [1, 0, 2, 99]) connection.receipt(code)
    expect(await Promise.all(sending)).toEqual(['TOO_FAST', 'sent', 'FORBIDDEN', 'FORBIDDEN'])
  })

  it('has at most 20 messages under way, lets 100 wait, and refuses more', async () => {
    const sending = Array.from({ length: 121 }, (_, i) => outcome(document.send(`${i}`)))
    expect(await sending[120]).toBe('TOO_FAST')
    await roundTrip()
    expect(messages()).toHaveLength(20)
    connection.receipt(0)
    await server.when(() => messages().length === 21)
    // One has left: one more may wait.
    const next = outcome(document.send('next'))
    document.disconnect()
    expect(await Promise.all(sending.slice(0, 120))).toEqual(['sent', ...Array.from({ length: 119 }, () => 'OFFLINE')])
    expect(await next).toBe('OFFLINE')
  })

  it('rejects what has no receipt when the connection ends, and never sends it again [O1]', async () => {
    const sending = outcome(document.send('lost'))
    await server.when(() => messages().length === 1)
    connection.cut()
    expect(await sending).toBe('OFFLINE')
    expect(await outcome(document.send('offline'))).toBe('OFFLINE')
    connection = await server.connection(1)
    await roundTrip()
    expect(messages()).toEqual([])
    server.manners.receipts = true
    expect(await outcome(document.send('back'))).toBe('sent')
  })

  it('rejects in a document that is refused or closed', async () => {
    const refused = outcome(document.send('a'))
    await server.when(() => messages().length === 1)
    connection.close(4403, 'forbidden: no')
    expect(await refused).toBe('OFFLINE')
    document.reconnect()
    connection = await server.connection(1)
    await server.when(() => connection.types.includes('announcement'))
    const closed = outcome(document.send('b'))
    await document.close({ saved: false })
    expect(await closed).toBe('OFFLINE')
    expect(await outcome(document.send('c'))).toBe('OFFLINE')
  })

  it('rejects what is no message: too long, to too many, no string', async () => {
    expect(await outcome(document.send('ü'.repeat(8193)))).toBe('RangeError')
    expect(await outcome(document.send('', { to: Array.from({ length: 101 }, (_, id) => id) }))).toBe('RangeError')
    expect(await outcome(document.send(5 as unknown as string))).toBe('TypeError')
    expect(await outcome(document.send('to nobody', { to: [] }))).toBe('sent')
    await roundTrip()
    expect(messages()).toEqual([])
  })
})

it('tells of messages that come, and of who sent them', async () => {
  const heard: unknown[] = []
  const two = new Promise<void>(resolve => {
    document.on('message', message => heard.push(message) === 2 && resolve())
  })
  connection.send(Uint8Array.of(110, 4, 1, 5, 1, 0x61))
  connection.send(Uint8Array.of(110, 2, 0, 0))
  await two
  expect(heard).toEqual([
    { from: 5, payload: 'a' },
    { from: null, payload: '' },
  ])
})
