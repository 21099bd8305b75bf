import { encodeAddress, encodeAwareness, encodeAwarenessEntries, encodeSyncStep1 } from '@weft/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/eventually.ts'
import { NOTHING, RawClient } from '../support/RawClient.ts'
import { encodeToken, RawProvider } from '../support/RawProvider.ts'
import type { ServerProcess } from '../support/ServerProcess.ts'
import { sharedServer, testServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { typist } from '../support/typist.ts'
import { WireSocket } from '../support/WireSocket.ts'
import { clientFrame, opcode } from '../support/webSocketFrame.ts'

/** Says of a request that it came from an address, as a proxy does that the server trusts. */
const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } })
const behindProxy = { WEFT_TRUSTED_PROXIES: '127.0.0.1' }

/** How an upgrade was answered: `101`, or status and `Retry-After`. */
function upgradeStatus(server: ServerProcess, path: string, address: string): Promise<string> {
  const socket = new WebSocket(`${server.socketUrl}${path}`, from(address))
  onTestFinished(() => socket.terminate())
  return new Promise(resolve => {
    socket.on('error', () => {})
    socket.once('open', () => resolve('101'))
    socket.once('unexpected-response', (_, response) => {
      resolve(`${response.statusCode} after ${response.headers['retry-after']}`)
      response.resume()
    })
  })
}

describe('connections', () => {
  it('[threat C4] of one address are more with a token than without; another address has its own', async () => {
    const server = await testServer({
      ...asksForTokens,
      ...behindProxy,
      WEFT_MAX_CONNECTIONS_PER_ADDRESS: '2',
      WEFT_MAX_KNOWN_CONNECTIONS_PER_ADDRESS: '4',
    })
    const office = '192.0.2.1'
    const token = await tokenFor('editor')
    const upgrade = (path: string, address = office) => upgradeStatus(server, path, address)
    // Their tokens come later, if at all.
    expect([await upgrade('/a'), await upgrade('/a')]).toEqual(['101', '101'])
    expect(await upgrade('/a')).toBe('429 after 30')
    expect(await upgrade('/a?token=none')).toBe('429 after 30')
    expect(await upgrade('/a', '192.0.2.2')).toBe('101')
    expect([await upgrade(`/a?token=${token}`), await upgrade(`/a?token=${token}`)]).toEqual(['101', '101'])
    expect(await upgrade(`/a?token=${token}`)).toBe('429 after 30')
  })

  it('[threat C4] a provider whose token comes over the socket makes room for the next stranger', async () => {
    const server = await testServer({ ...asksForTokens, ...behindProxy, WEFT_MAX_CONNECTIONS_PER_ADDRESS: '1' })
    const token = await tokenFor('editor')
    // One after the other, each is known before the next one comes: so many people behind one address are no matter.
    for (let i = 0; i < 5; i++) {
      const provider = await RawProvider.connect(server, 'a', '', from('192.0.2.1'))
      provider.send(encodeToken(token))
      await provider.hears('authenticated')
    }
  })

  it('[threat C4] of one user are counted, wherever they come from: 429, or 1013 where the token came later', async () => {
    const server = await testServer({ ...asksForTokens, WEFT_MAX_CONNECTIONS_PER_USER: '2' })
    const [ann, bo] = [await tokenFor('editor'), await tokenFor('editor', { sub: 'bo' })]
    const first = await RawClient.join(`${server.socketUrl}/a?token=${ann}`)
    const provider = await RawProvider.connect(server, 'a')
    provider.send(encodeToken(ann))
    await provider.hears('authenticated')
    expect(await upgradeStatus(server, `/a?token=${ann}`, '127.0.0.1')).toBe('429 after 30')
    const late = await RawProvider.connect(server, 'a')
    late.send(encodeToken(ann))
    expect(await late.closed).toEqual({
      code: 1013,
      reason: 'overload: 2 connections of this user: retry after 30 s',
    })
    await RawClient.join(`${server.socketUrl}/a?token=${bo}`)
    await first.leave()
    await eventually('room for one', () => RawClient.join(`${server.socketUrl}/a?token=${ann}`).catch(() => null))
  })

  it('[threat K10] whose user has sent what is malformed three times get 4400, and no other user of that address', async () => {
    const server = await testServer(asksForTokens)
    const codeOf = async (sub: string) => {
      const client = await RawClient.connect(`${server.socketUrl}/a?token=${await tokenFor('editor', { sub })}`)
      client.send(Uint8Array.of(0, 3, 1, 0))
      return (await client.closed).code
    }
    expect([await codeOf('ann'), await codeOf('ann'), await codeOf('ann')]).toEqual([1007, 1007, 4400])
    expect(await codeOf('bo')).toBe(1007)
  })
})

describe('a connection', () => {
  const server = sharedServer({
    ...asksForTokens,
    WEFT_INTRODUCTION_SECONDS: '5',
    WEFT_PING_SECONDS: '5',
    WEFT_LEAST_BYTES: '16384',
  })

  it('[threat C5] on which nothing comes, no token, no pong, or a byte now and then is ended; a quiet one is not', async () => {
    const token = await tokenFor('editor')
    const target = `/a?token=${token}`
    const silent = await RawClient.connect(`${server().socketUrl}${target}`)
    const stranger = await RawProvider.connect(server(), 'a')
    const quiet = await RawClient.join(`${server().socketUrl}${target}`)
    // Answers no ping: nobody is there any more.
    const dead = await WireSocket.upgrade(server(), target)
    dead.write(clientFrame(opcode.binary, encodeSyncStep1(NOTHING)))
    const trickle = await WireSocket.upgrade(server(), target)
    trickle.write(clientFrame(opcode.binary, encodeSyncStep1(NOTHING)))
    trickle.write(clientFrame(opcode.binary, new Uint8Array(100), { length: 1_000_000, lengthBits: 64 }))
    const timer = setInterval(() => trickle.socket.write(Uint8Array.of(0)), 500)
    onTestFinished(() => clearInterval(timer))
    const talk = setInterval(() => stranger.isOpen && stranger.raw(Uint8Array.of(9)), 500)
    onTestFinished(() => clearInterval(talk))

    expect(await silent.closed).toEqual({ code: 1008, reason: 'policy: no message came within 5 s' })
    expect(await stranger.closed).toEqual({ code: 1008, reason: 'policy: no token was taken within 5 s' })
    await eventually('the dead one to be left', () => dead.socket.destroyed || dead.socket.readableEnded)
    await eventually('the slow one to be left', () => trickle.socket.destroyed || trickle.socket.readableEnded)
    await quiet.commit(typist(1).type('x'))
  })
})

describe('asking again and again', () => {
  it('[threat C7] is answered ten times at once at most, then twice a second, and the last question always is', async () => {
    const server = await testServer({ WEFT_QUESTIONS_PER_SECOND: '2', WEFT_QUESTION_BURST: '10' })
    const url = `${server.socketUrl}/a`
    const writer = await RawClient.join(url)
    await writer.commit(typist(1).type('x'.repeat(1000)))
    const asker = await RawClient.connect(url)
    for (let i = 0; i < 500; i++) asker.ask()
    asker.answer()
    asker.askAck(1)
    await asker.nextAck(1)
    const answers = () => asker.received.filter(({ type }) => type === 'syncStep2').length
    // Those that come while an answer is being made share the next one.
    await eventually('an answer to the last', () => answers() >= 2)
    expect(answers()).toBeLessThanOrEqual(13)
    expect(asker.isOpen).toBe(true)
    // Others' questions are another matter.
    const started = answers()
    await RawClient.join(url)
    expect(answers()).toBeLessThanOrEqual(started + 2)
  })

  it('[threat C7] by many who were away together gets one answer, which they share', async () => {
    const server = await testServer()
    const url = `${server.socketUrl}/shared`
    const ann = typist(1)
    const writer = await RawClient.join(url)
    await writer.commit(ann.type('x'.repeat(50_000)))
    const joined = await Promise.all(Array.from({ length: 30 }, () => RawClient.join(url)))
    for (const client of joined) {
      expect(client.received.filter(({ type }) => type === 'syncStep2')).toHaveLength(1)
      expect(client.receivedBytes).toBeLessThan(60_000)
    }
  })
})

describe('awareness', () => {
  const server = sharedServer({ WEFT_AWARENESS_PAUSE_MS: '0', WEFT_MAX_AWARENESS_LEVELS: '4' })
  const say = (...entries: [clientID: number, clock: number, state: unknown][]) =>
    encodeAwareness(
      encodeAwarenessEntries(
        entries.map(([clientID, clock, state]) => ({
          clientID,
          clock,
          json: new TextEncoder().encode(JSON.stringify(state)),
        })),
      ),
    )

  it('[threat A2] that changes faster than 20 times a second is passed on at that rate, the latest at last', async () => {
    const url = `${server().socketUrl}/fast`
    const [ann, bo] = [await RawClient.join(url), await RawClient.join(url)]
    const began = performance.now()
    for (let clock = 1; clock <= 400; clock++) {
      ann.awareness(5, clock, { clock })
      // Each in a broadcast of its own, as far as that goes.
      if (clock % 4 === 0) await new Promise(setImmediate)
    }
    await bo.next('awareness', message => Buffer.from(message.payload).includes('{"clock":400}'))
    const seconds = (performance.now() - began) / 1000
    const heard = bo.received.filter(({ type }) => type === 'awareness').length
    expect(heard).toBeLessThanOrEqual(20 + Math.ceil(seconds * 20) + 1)
    expect(ann.isOpen).toBe(true)
  })

  it('[threat A2] of a state that is too deep ends its connection, and no echo of others does, however many', async () => {
    const url = `${server().socketUrl}/deep`
    const [ann, bo, cy] = [await RawClient.join(url), await RawClient.join(url), await RawClient.join(url)]
    ann.awareness(5, 1, { a: { b: { c: 1 } } })
    await bo.next('awareness')
    cy.awareness(6, 1, {})
    // A stock client sends back what it hears; costs no budget, and isn't looked at.
    for (let i = 0; i < 500; i++) cy.send(say([5, 1, { a: { b: { c: 1 } } }], [7, 1, { a: { b: { c: { d: 1 } } } }]))
    cy.askAck(1)
    await cy.nextAck(1)
    bo.awareness(7, 1, { a: { b: { c: { d: { e: 1 } } } } })
    expect((await bo.closed).code).toBe(1007)
    expect([ann.isOpen, cy.isOpen]).toEqual([true, true])
  })

  it('[threat A2] of a crowd leaves in messages of 64 KiB', async () => {
    const url = `${server().socketUrl}/crowd`
    const clients = await Promise.all(Array.from({ length: 40 }, () => RawClient.join(url)))
    for (const [index, client] of clients.entries()) client.awareness(100 + index, 1, { name: 'x'.repeat(3900) })
    const late = await eventually('a look at all of them', async () => {
      const client = await RawClient.join(url)
      const states = client.received.flatMap(message => (message.type === 'awareness' ? [message.payload] : []))
      const bytes = states.reduce((sum, { length }) => sum + length, 0)
      return bytes > 40 * 3900 && states
    })
    expect(late.length).toBeGreaterThanOrEqual(3)
    for (const { length } of late) expect(length).toBeLessThan(64 * 1024 + 40 * 20)
  })
})

it('[threat D1] a Hocuspocus socket’s path names nothing, and bad names in it are refused for their document', async () => {
  const server = await testServer()
  const provider = await RawProvider.connect(server, 'good', '/../%00//x')
  provider.send(encodeSyncStep1(NOTHING))
  await provider.hears('step 2')
  for (const name of ['a//b', 'a/../b', '\u202ea', 'e\u0301', 'a\\b', 'x'.repeat(256), '/', '.']) {
    const bad = await RawProvider.connect(server, name)
    bad.send(encodeSyncStep1(NOTHING))
    await bad.hears('denied')
    expect([name, bad.texts[0]]).toEqual([name, expect.stringMatching(/^bad-name: /)])
    // The socket stays: others may be on it.
    bad.raw(Buffer.concat([encodeAddress('good'), encodeSyncStep1(NOTHING)]))
    await eventually('the other document', () => bad.heard.some(heard => heard.startsWith('elsewhere')))
  }
})
