import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { encodeAddress, encodeSyncStep1 } from '@weft/protocol'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { Access } from '../../server/src/access/Access.ts'
import { HostCheck } from '../../server/src/access/HostCheck.ts'
import { openKeys } from '../../server/src/access/openKeys.ts'
import { TrustedProxies } from '../../server/src/access/TrustedProxies.ts'
import { noAudit } from '../../server/src/audit/AuditEntry.ts'
import { noMeters } from '../../server/src/Meters.ts'
import { readConfig } from '../../server/src/readConfig.ts'
import { WebSocketEndpoint } from '../../server/src/socket/WebSocketEndpoint.ts'
import { Random } from '../crdt/Random.ts'
import { eventually } from '../support/eventually.ts'
import { NOTHING } from '../support/RawClient.ts'
import { encodeToken } from '../support/RawProvider.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { WireSocket } from '../support/WireSocket.ts'
import { clientFrame, opcode } from '../support/webSocketFrame.ts'
import { SimulatedClock } from './SimulatedClock.ts'
import { SimulatedServer } from './SimulatedServer.ts'
import { SimulatedStore } from './SimulatedStore.ts'

const KiB = 1024
const MiB = 1024 * KiB
const SWEEP_MS = 5000

/** Real sockets to the server's real parts, whose time passes only here. */
async function newEndpoint(env: Record<string, string> = {}) {
  const random = new Random(1)
  const clock = new SimulatedClock()
  const store = new SimulatedStore(clock, random)
  store.slownessMs = 0
  const server = new SimulatedServer(clock, random, store, 60_000)
  const serverClock = clock.forLife(server.life)
  const config = readConfig(env, [])
  const logger = pino({ level: 'silent' })
  let isBacklogged = false
  const endpoint = new WebSocketEndpoint(
    {
      audit: noAudit,
      access: new Access(openKeys(config, serverClock, logger).sources, serverClock),
      rooms: server.rooms,
      clock: serverClock,
      meters: noMeters,
      logger,
      settings: config,
      isBacklogged: () => isBacklogged,
    },
    config,
    new HostCheck([], '127.0.0.1', logger),
    new TrustedProxies([], logger),
  )
  const http = createServer()
  /** The server's ends, as they came. */
  const sockets: Socket[] = []
  http.on('connection', socket => sockets.push(socket))
  http.on('upgrade', (request, socket, head) => endpoint.upgrade(request, socket, head))
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    http.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = http.address() as AddressInfo
  /** Goes on, by so many ms at a time, until something has happened. */
  const until = async (happened: Promise<unknown>, stepMs: number) => {
    let isOver = false
    const over = happened.finally(() => {
      isOver = true
    })
    while (!isOver) await clock.runUntil(clock.now() + stepMs).then(() => new Promise(setImmediate))
    await over
  }
  return {
    port,
    url: `ws://127.0.0.1:${port}`,
    setBacklogged: (is: boolean) => {
      isBacklogged = is
    },
    /** Sends bytes, and waits until they are read. */
    deliver: async (wire: WireSocket, bytes: Uint8Array) => {
      const socket = sockets.find(({ remotePort }) => remotePort === wire.socket.localPort)
      const before = socket?.bytesRead ?? 0
      wire.write(bytes)
      await eventually('the bytes', () => (socket?.bytesRead ?? 0) >= before + bytes.length)
    },
    until,
    /** Time passes, from sweep to sweep; clients that are open answer what they are asked. */
    pass: async (seconds: number, ...clients: Client[]) => {
      for (let ms = 0; ms < seconds * 1000; ms += SWEEP_MS) {
        await clock.runUntil(clock.now() + SWEEP_MS)
        // What is due meanwhile happens, and no time passes.
        await until(Promise.all(clients.map(client => client.settled())), 0)
      }
    },
  }
}

async function expectMalformed(wire: WireSocket): Promise<void> {
  expect((await wire.nextClose())[0]).toBe(1007)
}

/** A client that answers pings, and does nothing else by itself. */
class Client {
  readonly socket: WebSocket
  /** How it ended, once it has. */
  close: string | null = null

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('close', (code, reason) => {
      this.close = `${code} ${reason}`
    })
  }

  static async connect(url: string): Promise<Client> {
    const socket = new WebSocket(url)
    onTestFinished(() => socket.terminate())
    await once(socket, 'open')
    return new Client(socket)
  }

  send(message: Uint8Array): void {
    this.socket.send(message)
  }

  /** Resolves when it has answered all that was said to it, or is closed. */
  async settled(): Promise<void> {
    if (this.close !== null) return
    const done = new AbortController()
    if (this.socket.readyState === WebSocket.OPEN) this.socket.ping()
    await Promise.race(['pong', 'close'].map(event => once(this.socket, event, done)))
    done.abort()
  }
}

/** A token of the simulated clock's time. */
const token = () => tokenFor('editor', { exp: 1_700_000_000 + 3600 })

/** The beginning of a message of 8 MiB, all zeros: so much of it, with its head. No mask changes it. */
const beginning = (bytes: number) =>
  clientFrame(opcode.binary, new Uint8Array(bytes), { length: 8 * MiB, lengthBits: 64, mask: new Uint8Array(4) })

describe('a connection', () => {
  it('on which nothing is said is ended after 60 s, by a code after which clients come back', async () => {
    const { url, pass } = await newEndpoint()
    const silent = await Client.connect(`${url}/a`)
    const lone = await Client.connect(`${url}/a`)
    lone.send(encodeSyncStep1(NOTHING))
    await pass(60, silent, lone)
    expect(silent.close).toBeNull()
    await pass(5, silent, lone)
    expect(silent.close).toBe('1008 policy: no message came within 60 s')
    await pass(300, lone)
    expect(lone.close).toBeNull()
  })

  it('without a token that is taken is ended after 60 s, whatever it says; with one it may be quiet', async () => {
    const { url, pass } = await newEndpoint(asksForTokens)
    const strangers = [
      await Client.connect(url),
      await Client.connect(`${url}/?token=hello`),
      await Client.connect(url),
    ]
    const known = await Client.connect(url)
    const knownByUpgrade = await Client.connect(`${url}/?token=${await token()}`)
    const addressed = (message: Uint8Array) => Buffer.concat([encodeAddress('a'), message])
    const talk = () => {
      for (const client of [...strangers, knownByUpgrade]) client.send(Uint8Array.of(9))
      strangers[2]?.send(addressed(encodeToken('hello')))
    }
    known.send(addressed(encodeToken(await token())))
    for (let at = 0; at < 60; at += 5) {
      talk()
      await pass(5, ...strangers, known, knownByUpgrade)
    }
    expect(strangers.map(({ close }) => close)).toEqual([null, null, null])
    await pass(5, ...strangers, known, knownByUpgrade)
    expect(strangers.map(({ close }) => close)).toEqual(
      strangers.map(() => '1008 policy: no token was taken within 60 s'),
    )
    await pass(300, known, knownByUpgrade)
    expect([known.close, knownByUpgrade.close]).toEqual([null, null])
  })
})

describe('a message that comes a byte at a time', () => {
  it('is not waited for', async () => {
    const { port, pass, deliver } = await newEndpoint()
    const wire = await WireSocket.upgrade({ port })
    await deliver(wire, beginning(100))
    for (let sweep = 0; sweep < 3; sweep++) {
      await deliver(wire, Uint8Array.of(0))
      await pass(5)
    }
    expect(await wire.nextClose()).toEqual([1008, 'policy: a message comes more slowly than 16 KiB in 10 s'])
  })

  it('nor in fragments, with pings in between', async () => {
    const { port, pass, deliver } = await newEndpoint()
    const wire = await WireSocket.upgrade({ port })
    await deliver(wire, clientFrame(opcode.binary, Uint8Array.of(0), { fin: false }))
    for (let sweep = 0; sweep < 3; sweep++) {
      await deliver(wire, clientFrame(opcode.ping, new Uint8Array(100)))
      await deliver(wire, clientFrame(opcode.continuation, Uint8Array.of(0), { fin: false }))
      await pass(5)
    }
    expect(await wire.nextClose()).toEqual([1008, 'policy: a message comes more slowly than 16 KiB in 10 s'])
  })

  it('is waited for at 16 KiB in 10 s, and through a minute without any if it came fast before', async () => {
    const { port, pass, deliver, until } = await newEndpoint()
    const wire = await WireSocket.upgrade({ port })
    await deliver(wire, beginning(0))
    for (let sweep = 0; sweep < 20; sweep++) {
      await deliver(wire, new Uint8Array(8 * KiB))
      await pass(5)
    }
    await deliver(wire, new Uint8Array(96 * KiB))
    // A byte now and then, as its sign of life.
    for (let stall = 0; stall < 2; stall++) {
      await deliver(wire, Uint8Array.of(0))
      await pass(30)
    }
    const left = 8 * MiB - 256 * KiB - 2
    wire.write(Buffer.alloc(left))
    // Complete, and malformed.
    await until(expectMalformed(wire), 10)
  })

  it('is waited for as long as the server does not read', async () => {
    const { port, pass, deliver, until, setBacklogged } = await newEndpoint()
    const wire = await WireSocket.upgrade({ port })
    setBacklogged(true)
    await deliver(wire, clientFrame(opcode.binary, encodeSyncStep1(NOTHING)))
    await deliver(wire, beginning(100))
    await pass(50)
    setBacklogged(false)
    // The first sweep in which it is read is not held against it either.
    await pass(15)
    wire.write(Buffer.alloc(8 * MiB - 100))
    await until(expectMalformed(wire), 10)
  })

  it('waits for the disk for a minute, and then comes back later: 1013', async () => {
    const { port, pass, deliver, setBacklogged } = await newEndpoint()
    const wire = await WireSocket.upgrade({ port })
    setBacklogged(true)
    await deliver(wire, clientFrame(opcode.binary, encodeSyncStep1(NOTHING)))
    await pass(65)
    expect(await wire.nextClose()).toEqual([1013, 'overload: edits wait for the disk: retry after 10 s'])
  })

  it('is not what pongs are', async () => {
    const { url, pass } = await newEndpoint()
    const client = await Client.connect(`${url}/a`)
    client.send(encodeSyncStep1(NOTHING))
    await pass(1200, client)
    expect(client.close).toBeNull()
  })
})

describe('before a token is taken', () => {
  it('16 KiB of a message are held, in one frame or many, and no more', async () => {
    const { port, pass, deliver } = await newEndpoint(asksForTokens)
    const refusal = [1009, 'too-big: without a token, a message is at most 16384 bytes']
    for (const target of ['/a', '/a?token=hello']) {
      const wire = await WireSocket.upgrade({ port }, target)
      await deliver(wire, beginning(0))
      const left = 16 * KiB - 14
      for (let part = 0; part < 2; part++) await deliver(wire, Buffer.alloc(left / 2))
      await pass(5)
      await deliver(wire, Uint8Array.of(0))
      expect(await wire.nextClose()).toEqual(refusal)
      // What still comes is thrown away, and does not end the stream before its time.
      await deliver(wire, Buffer.alloc(MiB))
    }
    const wire = await WireSocket.upgrade({ port })
    await deliver(wire, clientFrame(opcode.binary, Buffer.alloc(8 * KiB), { fin: false }))
    for (let part = 0; part < 2; part++) {
      await deliver(wire, clientFrame(opcode.ping, Buffer.alloc(100)))
      await deliver(wire, clientFrame(opcode.continuation, Buffer.alloc(5 * KiB), { fin: false }))
    }
    expect(await wire.nextClose()).toEqual(refusal)
  })

  it('pings and pongs are held against nobody', async () => {
    const { port, deliver } = await newEndpoint(asksForTokens)
    const wire = await WireSocket.upgrade({ port })
    const payload = Buffer.alloc(125)
    for (let i = 0; i < 40; i++) await deliver(wire, clientFrame(opcode.pong, payload))
    await deliver(wire, beginning(12 * KiB))
    await deliver(wire, Uint8Array.of(0))
    expect(wire.socket.readable).toBe(true)
    await deliver(wire, Buffer.alloc(4 * KiB))
    expect((await wire.nextClose())[0]).toBe(1009)
  })

  it('nothing is inflated; with one in the upgrade it is', async () => {
    const { port } = await newEndpoint({ ...asksForTokens, WEFT_COMPRESSION: 'on' })
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const agreed = async (target: string) =>
      (await WireSocket.upgrade({ port }, target, offer)).answer.headers.get('sec-websocket-extensions')
    expect(await agreed('/a')).toBeUndefined()
    expect(await agreed('/a?token=hello')).toBeUndefined()
    expect(await agreed(`/a?token=${await token()}`)).toMatch(/^permessage-deflate/)
  })

  it('a message of the largest size is taken from who has shown one, in the upgrade or in Hocuspocus’ auth', async () => {
    const { port, deliver, until } = await newEndpoint(asksForTokens)
    const large = clientFrame(opcode.binary, Buffer.alloc(MiB, 77))
    const byUpgrade = await WireSocket.upgrade({ port }, `/a?token=${await token()}`)
    byUpgrade.send(opcode.binary, encodeSyncStep1(NOTHING))
    byUpgrade.write(large)
    await until(byUpgrade.expectOpen(), 10)
    const byAuth = await WireSocket.upgrade({ port })
    const auth = clientFrame(opcode.binary, Buffer.concat([encodeAddress('a'), encodeToken(await token())]))
    // Behind it at once, as providers send it: the token is still being verified.
    await deliver(byAuth, Buffer.concat([auth, large.subarray(0, 40_000)]))
    byAuth.write(large.subarray(40_000))
    await until(byAuth.expectOpen(), 10)
  })
})
