import { encodeSyncStep1 } from '@weft/protocol'
import { describe, expect, it } from 'vitest'
import { NOTHING } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { sharedServer } from './support/testServer.ts'
import { ACCEPT, type Answer, KEY, upgradeRequest, WireSocket } from './support/WireSocket.ts'
import { clientFrame, opcode } from './support/webSocketFrame.ts'

const running = sharedServer()

type Headers = Parameters<typeof upgradeRequest>[1]

/** What the server answers to a request; where it refuses, it must end the stream as well, and go on serving others. */
async function answerTo(server: ServerProcess, request: string): Promise<Answer> {
  const wire = await WireSocket.open(server)
  wire.write(request)
  const answer = await wire.nextAnswer()
  if (answer.status === 101) await wire.expectOpen()
  else await wire.ended()
  wire.socket.destroy()
  return answer
}

/** Statuses of upgrade requests with these headers, one after the other. */
async function statusesOf(server: ServerProcess, ...variants: Headers[]): Promise<number[]> {
  const statuses: number[] = []
  for (const headers of variants) statuses.push((await answerTo(server, upgradeRequest('/a', headers))).status)
  return statuses
}

describe('the opening handshake (RFC 6455, section 4)', () => {
  it('is answered by 101 with the key and the fixed GUID, hashed (4.2.2, 1.3)', async () => {
    const server = running()
    const { status, headers } = await answerTo(server, upgradeRequest('/a'))
    expect(status).toBe(101)
    expect(Object.fromEntries(headers)).toEqual({
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-accept': ACCEPT,
    })
    expect(ACCEPT).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })

  it('hashes each key anew: no answer is one to another key (4.2.2)', async () => {
    const server = running()
    const keys = [KEY, 'AAAAAAAAAAAAAAAAAAAAAA==', 'AQIDBAUGBwgJCgsMDQ4PEA==']
    const accepts = new Set<string | undefined>()
    for (const key of keys) {
      const { headers } = await answerTo(server, upgradeRequest('/a', { 'Sec-WebSocket-Key': key }))
      accepts.add(headers.get('sec-websocket-accept'))
    }
    expect(accepts.size).toBe(3)
  })

  it('takes names and tokens in any case, and Connection and Upgrade as lists (4.2.1)', async () => {
    const server = running()
    expect(
      await statusesOf(
        server,
        { Upgrade: 'WebSocket' },
        { Connection: 'upgrade' },
        { Connection: 'keep-alive, Upgrade' },
        { Connection: ['keep-alive', 'Upgrade'] },
        { Connection: 'UPGRADE ,x' },
      ),
    ).toEqual([101, 101, 101, 101, 101])
    expect(
      (
        await answerTo(
          server,
          upgradeRequest('/a').toLowerCase().replace('get /a http', 'GET /a HTTP').replace(KEY.toLowerCase(), KEY),
        )
      ).status,
    ).toBe(101)
  })

  it('must be a GET (4.2.1)', async () => {
    const server = running()
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
      const { status } = await answerTo(server, upgradeRequest('/a', {}, `${method} /a HTTP/1.1`))
      expect([method, status]).toEqual([method, 405])
    }
  })

  it('must be of HTTP/1.1 (4.2.1)', async () => {
    const server = running()
    expect((await answerTo(server, upgradeRequest('/a', {}, 'GET /a HTTP/1.0'))).status).toBe(400)
  })

  it('must say Upgrade: websocket, and nothing else (4.2.1)', async () => {
    const server = running()
    expect(await statusesOf(server, { Upgrade: 'h2c' }, { Upgrade: 'websocket2' })).toEqual([400, 400])
  })

  it('is a plain request, which is not upgraded, without Upgrade or without Connection: Upgrade (4.2.1)', async () => {
    const server = running()
    const { status } = await answerTo(server, upgradeRequest('/a', { Upgrade: null, Connection: 'close' }))
    expect(status).toBe(404)
    expect((await answerTo(server, upgradeRequest('/a', { Connection: 'close' }))).status).toBe(404)
  })

  it('must have a key of 16 bytes in Base64 (4.2.1)', async () => {
    const server = running()
    const keys = [null, '', 'short', KEY.slice(0, -1), `${KEY}=`, 'dGhlIHNhbXBsZSBub25j ZQ==', [KEY, KEY]]
    expect(await statusesOf(server, ...keys.map(key => ({ 'Sec-WebSocket-Key': key })))).toEqual(keys.map(() => 400))
  })

  it('must be of version 13: others are told so by 426 (4.2.2, 4.4)', async () => {
    const server = running()
    for (const version of [null, '', '0', '8', '12', '14', '013', '13, 8', 'thirteen']) {
      const answer = await answerTo(server, upgradeRequest('/a', { 'Sec-WebSocket-Version': version }))
      expect([version, answer.status, answer.headers.get('sec-websocket-version')]).toEqual([version, 426, '13'])
    }
  })

  it('[threat C1] must have one Host (4.2.1; RFC 9112, section 3.2)', async () => {
    const server = running()
    expect(await statusesOf(server, { Host: null }, { Host: ['127.0.0.1', '127.0.0.1'] }, { Host: '' })).toEqual([
      400, 400, 421,
    ])
    expect(
      (
        await answerTo(
          server,
          'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n',
        )
      ).status,
    ).toBe(400)
  })

  it('[threat C1] must ask for a path: an absolute URL, an authority or an asterisk is refused (4.2.1 allows, this server does not)', async () => {
    const server = running()
    for (const target of ['http://127.0.0.1/a', 'ws://127.0.0.1/a', '*', '127.0.0.1:80']) {
      expect([target, (await answerTo(server, upgradeRequest(target))).status]).toEqual([target, 400])
    }
  })

  it('takes any path: a bad percent-escape is no matter of the handshake, but of the first message', async () => {
    const server = running()
    for (const target of ['/%', '/%zz', '/%ff', '/', '//', '/a?b=%', '/a#b']) {
      expect([target, (await answerTo(server, upgradeRequest(target))).status]).toEqual([target, 101])
    }
    const wire = await WireSocket.upgrade(server, '/%zz')
    wire.send(opcode.binary, encodeSyncStep1(NOTHING))
    expect(await wire.nextClose()).toEqual([4404, expect.stringMatching(/^bad-name: /)])
  })

  it('[threat C1] of more than 16 KiB of headers, 100 headers or 4 KiB of URL is refused: 431, 414', async () => {
    const server = running()
    const many = (count: number) => Array.from({ length: count }, (_, i) => `${i}`)
    expect(
      await statusesOf(
        server,
        { Cookie: 'x'.repeat(17_000) },
        { 'X-Many': many(95) },
        { 'X-Many': many(96) },
        { 'X-Many': many(300) },
      ),
    ).toEqual([431, 101, 431, 431])
    const page = `GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${'x: y\r\n'.repeat(99)}\r\n`
    expect((await answerTo(server, page)).status).toBe(431)
    expect((await answerTo(server, upgradeRequest(`/${'a'.repeat(4096)}`))).status).toBe(414)
  })

  it('is refused where a header breaks the syntax of HTTP', async () => {
    const server = running()
    for (const line of ['no colon', ': no name', 'na me: x', 'x: \u0000', ' folded: x']) {
      const broken = upgradeRequest('/a').replace('\r\n\r\n', `\r\n${line}\r\n\r\n`)
      expect([line, (await answerTo(server, broken)).status]).toEqual([line, 400])
    }
  })

  it('may be followed by frames at once, in the same segment (4.1: a client should wait; it costs nothing not to)', async () => {
    const server = running()
    const wire = await WireSocket.open(server)
    const ping = clientFrame(opcode.ping, Buffer.from('early'))
    wire.write(upgradeRequest('/a'), ping.subarray(0, 3))
    wire.write(ping.subarray(3))
    expect((await wire.nextAnswer()).status).toBe(101)
    expect((await wire.next(opcode.pong)).payload.toString()).toBe('early')
  })

  it('is followed by frames only: another request is none (5.1)', async () => {
    const server = running()
    const wire = await WireSocket.upgrade(server)
    wire.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    // 0x47: no reserved bit is set in "G" but RSV1, which nobody has agreed to.
    expect(await wire.nextClose()).toEqual([1002, ''])
  })

  it('may carry cookies and authorization, in any number and of any content', async () => {
    const server = running()
    expect(
      await statusesOf(
        server,
        { Cookie: 'a=b; c=d', Authorization: 'Bearer x.y.z' },
        { Cookie: ['a=b', 'c=d'], Authorization: 'Basic YTpi' },
        { Cookie: '=;;=%zz"', Authorization: '' },
        { Cookie: 'x'.repeat(8000) },
      ),
    ).toEqual([101, 101, 101, 101])
  })

  it('is refused to a page of another origin by 403 (4.2.2, 10.2)', async () => {
    const server = running()
    expect(await statusesOf(server, { Origin: 'http://127.0.0.1' }, { Origin: 'https://elsewhere.example' })).toEqual([
      101, 403,
    ])
  })
})

describe('subprotocols (RFC 6455, sections 4.2.2 and 11.3.4)', () => {
  const chosen = async (server: ServerProcess, offer: string | string[]) => {
    const answer = await answerTo(server, upgradeRequest('/a', { 'Sec-WebSocket-Protocol': offer }))
    return answer.status === 101 ? (answer.headers.get('sec-websocket-protocol') ?? null) : answer.status
  }

  it('that are offered are answered by the first, for browsers fail without an answer', async () => {
    const server = running()
    expect(await chosen(server, 'weft')).toBe('weft')
    expect(await chosen(server, 'one, two')).toBe('one')
    expect(await chosen(server, ['one', 'two'])).toBe('one')
    expect(await chosen(server, '  spaces  ,two')).toBe('spaces')
  })

  it('that are not offered are not answered', async () => {
    const server = running()
    expect((await answerTo(server, upgradeRequest('/a'))).headers.has('sec-websocket-protocol')).toBe(false)
  })

  it('that are repeated, empty or no tokens are refused: 400 (4.1)', async () => {
    const server = running()
    for (const offer of ['a, a', '', 'a,', ',a', 'a,,b', 'a b', 'a;b', 'ä', '"a"']) {
      expect([offer, await chosen(server, offer)]).toEqual([offer, 400])
    }
  })
})

describe('extensions (RFC 6455, section 9), where compression is off', () => {
  it('are declined, whatever is offered: the header is not looked at', async () => {
    const server = running()
    for (const offer of ['permessage-deflate', 'x-webkit-deflate-frame', 'unknown; a=b; c="d"', 'a, a', ';;', '']) {
      const answer = await answerTo(server, upgradeRequest('/a', { 'Sec-WebSocket-Extensions': offer }))
      expect([offer, answer.status, answer.headers.has('sec-websocket-extensions')]).toEqual([offer, 101, false])
    }
  })
})
