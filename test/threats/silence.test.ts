import { connect as openSocket } from 'node:net'
import { decodeAwareness, encodeSyncStep1, isNullState } from '@weft/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NOTHING, RawClient } from '../support/RawClient.ts'
import { encodeToken, RawProvider } from '../support/RawProvider.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { sharedServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { typist } from '../support/typist.ts'
import { upgradeRequest } from '../support/WireSocket.ts'
import { clientFrame, opcode } from '../support/webSocketFrame.ts'

// Who says nothing, or next to nothing. What the server waits for, for up to a minute, begins for all at once, before the tests.

const PATIENCE_MS = 100_000
const MiB = 1024 * 1024

const open = sharedServer()
const asking = sharedServer(asksForTokens)
const suspended = sharedServer({ WEFT_SLOW_READER_SECONDS: '5' })

/** Longer than states, pings and slow readers are waited for. */
const SUSPENDED_MS = 50_000

/** All that comes over a connection until it ends, while bytes go out one by one, a second apart. */
function trickle(server: ServerProcess, begin: string | Uint8Array, rest: string | Uint8Array): Promise<string> {
  return new Promise(resolve => {
    let answer = ''
    const socket = openSocket(server.port, '127.0.0.1', () => socket.write(begin))
    socket.setEncoding('latin1')
    socket.on('data', text => {
      answer += text
    })
    let at = 0
    const timer = setInterval(() => {
      if (at < rest.length) socket.write(Buffer.from(rest.slice(at, ++at)))
    }, 1000)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(timer)
      resolve(answer)
    })
  })
}

const statusIn = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])

/** The code and text of the close frame that an answer ends with. */
function closeIn(answer: string): string {
  const bytes = Buffer.from(answer, 'latin1')
  const at = bytes.lastIndexOf(0x88)
  return `${bytes.readUInt16BE(at + 2)} ${bytes.toString('utf8', at + 4)}`
}

type Close = Awaited<RawProvider['closed']>

/** How a connection ends, however long that takes. */
const closeOf = ({ socket }: RawClient): Promise<Close> =>
  new Promise(resolve => socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })))

/** A server that stands still, with its sockets open, while its clients go on. */
async function suspend() {
  const join = () => RawClient.join(`${suspended().socketUrl}/a`)
  const [ann, witness, slow, writer] = [await join(), await join(), await join(), await join()]
  let clock = 0
  const renew = () => ann.awareness(11, ++clock, { here: true })
  renew()
  await witness.next('awareness')
  slow.stopReading()
  const large = typist(1).type('x'.repeat(4 * MiB))
  await writer.commit(large)
  suspended().freeze()
  const renewal = setInterval(renew, 5_000)
  slow.goOnReading()
  await new Promise(resolve => setTimeout(resolve, SUSPENDED_MS))
  suspended().thaw()
  const renewals = clock
  // All are looked at twice, and what Ann says after that has come.
  const states = () =>
    witness.received.flatMap(message => (message.type === 'awareness' ? decodeAwareness(message.payload) : []))
  await witness.next('awareness', () => states().some(state => state.clock > renewals + 3))
  clearInterval(renewal)
  await slow.next('update', ({ update }) => update.length >= large.length)
  const clients = [ann, witness, slow, writer]
  const outcome = { open: clients.map(({ isOpen }) => isOpen), gone: states().filter(({ json }) => isNullState(json)) }
  for (const client of clients) client.cut()
  return outcome
}

async function begin() {
  const host = `Host: 127.0.0.1:${open().port}`
  const request = `GET /healthz HTTP/1.1\r\n${host}\r\n`
  const upgrade = Buffer.from(upgradeRequest('/slow'))
  const message = clientFrame(opcode.binary, new Uint8Array(1), { length: 8 * MiB, lengthBits: 64 })
  const fragment = clientFrame(opcode.binary, new Uint8Array(1), { fin: false })
  const fragments = Array.from({ length: 30 }, () => clientFrame(opcode.continuation, undefined, { fin: false }))

  // It takes longer than a page may take to be asked for.
  const upload = `PUT /api/v1/documents/uploaded HTTP/1.1\r\n${host}\r\nContent-Type: text/markdown\r\nConnection: close\r\n`
  const slowUpload = trickle(open(), `${upload}Content-Length: 30\r\n\r\n`, 'x'.repeat(30))

  const silent = await RawClient.connect(`${open().socketUrl}/silent`)
  const stranger = await RawProvider.open(asking(), 'a')
  stranger.send(encodeToken('no token'))
  const known = await RawProvider.open(asking(), 'a', `/?token=${await tokenFor('editor')}`)
  known.send(encodeSyncStep1(NOTHING))

  const [ann, bo, witness] = await Promise.all([1, 2, 3].map(() => RawClient.join(`${open().socketUrl}/people`)))
  if (ann === undefined || bo === undefined || witness === undefined) throw new Error('nobody is there')
  for (const [person, clientID] of [
    [ann, 11],
    [bo, 12],
  ] as const) {
    person.awareness(clientID, 1, { here: true })
    await witness.next('awareness')
  }
  // Bo says every now and then that he is here, as clients do; Ann's program hangs, but for its pongs.
  let clock = 1
  const renewal = setInterval(() => bo.awareness(12, ++clock, { here: true }), 10_000)
  const isGone = (payload: Uint8Array, clientID: number) =>
    decodeAwareness(payload).some(entry => entry.clientID === clientID && isNullState(entry.json))
  return {
    noRequest: trickle(open(), '', ''),
    slowRequest: trickle(open(), request, `X-Slow: ${'x'.repeat(100)}`),
    slowBody: trickle(open(), `${request}Content-Length: 100\r\n\r\n`, 'x'.repeat(100)),
    slowUpload,
    suspended: suspend(),
    silent: closeOf(silent),
    stranger: stranger.closed,
    known,
    slowMessage: trickle(open(), Buffer.concat([upgrade, message]), 'x'.repeat(100)),
    slowFragments: trickle(open(), Buffer.concat([upgrade, fragment]), Buffer.concat(fragments)),
    ann,
    annGone: witness.next('awareness', ({ payload }) => isGone(payload, 11), PATIENCE_MS),
    isBoGone: () => witness.received.some(message => message.type === 'awareness' && isGone(message.payload, 12)),
    end() {
      clearInterval(renewal)
      for (const client of [silent, stranger, known, ann, bo, witness]) client.cut()
    },
  }
}

let begun: Awaited<ReturnType<typeof begin>> | null = null
beforeAll(async () => {
  begun = await begin()
})
afterAll(() => begun?.end())

function waiting(): Awaited<ReturnType<typeof begin>> {
  if (begun === null) throw new Error('nobody waits')
  return begun
}

describe('who connects', { timeout: PATIENCE_MS }, () => {
  it('[threat C1] and sends no request, or one a byte a second, is hung up on: 408', async () => {
    expect(statusIn(await waiting().noRequest)).toBe(408)
    expect(statusIn(await waiting().slowRequest)).toBe(408)
    // It has its answer, and need not say the rest.
    expect(statusIn(await waiting().slowBody)).toBe(200)
  })

  it('[threat C1] and uploads a text over a bad link is waited for', async () => {
    expect(statusIn(await waiting().slowUpload)).toBe(201)
  })

  it('[threat C5] [threat K6] and says no message for 60 s is told to come back another time: 1008', async () => {
    expect(await waiting().silent).toEqual({ code: 1008, reason: 'policy: no message came within 60 s' })
  })

  it('[threat C5] and has no token that is taken for 60 s is, too; who has one may be quiet', async () => {
    expect(await waiting().stranger).toEqual({ code: 1008, reason: expect.stringMatching(/^policy: .*token/) })
    expect(waiting().known.isOpen).toBe(true)
  })

  it('[threat C5] and sends a message a byte a second is not waited for, in one frame or many: 1008', async () => {
    for (const answer of [await waiting().slowMessage, await waiting().slowFragments]) {
      expect(statusIn(answer)).toBe(101)
      expect(closeIn(answer)).toBe('1008 policy: a message comes more slowly than 16 KiB in 10 s')
    }
  })
})

describe('who is in a document', { timeout: PATIENCE_MS }, () => {
  it('[threat A1] and does not renew its state for 45 s is gone for the others, and stays connected', async () => {
    await waiting().annGone
    expect(waiting().ann.isOpen).toBe(true)
    expect(waiting().isBoGone()).toBe(false)
    waiting().ann.awareness(11, 2, { here: true })
    await waiting().ann.next('awareness', ({ payload }) =>
      decodeAwareness(payload).some(({ clientID, json }) => clientID === 11 && !isNullState(json)),
    )
  })
})

it('[threat S9] who stood still first hears what came meanwhile: nobody is gone, and no slow reader is sent away', {
  timeout: PATIENCE_MS,
}, async () => {
  expect(await waiting().suspended).toEqual({ open: [true, true, true, true], gone: [] })
})
