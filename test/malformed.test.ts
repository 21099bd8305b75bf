import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from './crdt/Random.ts'
import { NO_UPDATE, RawClient } from './support/RawClient.ts'
import type { ServerProcess } from './support/ServerProcess.ts'
import { documentOf, readStored } from './support/storedDocument.ts'
import { sharedServer, testServer } from './support/testServer.ts'
import { typist } from './support/typist.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

/** A message of the sync protocol around these bytes. */
function sync(step: number, body: Uint8Array): Uint8Array {
  return Uint8Array.of(0, step, ...varUint(body.length), ...body)
}

function varUint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varUint(Math.floor(value / 128))]
}

const fine = typist(1).type('fine')

/** Messages that break a rule, each by itself. */
const malformed: Record<string, Uint8Array> = {
  'an empty frame': bytes(),
  'a type that does not end': bytes(0x80),
  'a type beyond 2^53': bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  'a sync message without a step': bytes(0),
  'an unknown sync step': bytes(0, 3, 1, 0),
  'a buffer longer than the message': bytes(0, 2, 5, 0, 0),
  'a byte after the message': bytes(0, 2, 2, 0, 0, 0),
  'a state vector with a byte too many': sync(0, bytes(0, 0)),
  'a state vector that announces 2^32 clients': sync(0, bytes(0x80, 0x80, 0x80, 0x80, 0x10)),
  'an update cut short': sync(2, fine.subarray(0, fine.length - 1)),
  'an update with a byte too many': sync(2, Uint8Array.of(...fine, 0)),
  'an empty update': sync(2, bytes()),
  'an update without a delete set': sync(2, bytes(0)),
  'an update that announces 2^28 structs': sync(2, bytes(1, 0xff, 0xff, 0xff, 0x7f, 1, 0)),
  'an unknown content': sync(2, bytes(1, 1, 5, 0, 0x0f, 1, 1, 0x74, 1, 0)),
  'a string that is not UTF-8': sync(2, bytes(1, 1, 5, 0, 0x04, 1, 1, 0x74, 2, 0xc3, 0x28, 0)),
  'a delete range of length 0': sync(2, bytes(0, 1, 1, 1, 0, 0)),
  'an update of random bytes': sync(2, bytes(...randomBytes(64).fill(0xfe, 0, 1))),
  'a malformed sync step 2': sync(1, bytes(1, 1)),
  'an awareness message cut short': bytes(1, 3, 1, 5, 1),
  'an awareness message with a byte too many': bytes(1, 2, 0, 0),
  'an acknowledgement of 10 000 bytes': Uint8Array.of(102, ...varUint(10_000), ...new Uint8Array(10_000)),
}

async function expectUnharmed(
  server: ServerProcess,
  document: string,
  witness: RawClient,
  text: string,
): Promise<void> {
  const next = typist(999)
  await witness.commit(next.type('!'), 99)
  expect(witness.isOpen).toBe(true)
  await server.stop()
  const stored = documentOf(await readStored(server.folder, document))
  const content = stored.getText('text').toString()
  expect([...content].sort().join('')).toBe([...`${text}!`].sort().join(''))
}

const running = sharedServer()
let documents = 0
/** A document for each test. */
let name = ''
beforeEach(() => {
  name = `test-${++documents}`
})

describe('malformed input', () => {
  it('[threat K5] [threat U1] ends the connection that sent it, with 1007 and a reason, and the others do not notice', async () => {
    const server = await testServer()
    const ann = typist(7)
    const witness = await RawClient.join(`${server.socketUrl}/witness`)
    await witness.commit(ann.type('kept'))
    const heard = witness.received.length
    let document = 0
    for (const [name, frame] of Object.entries(malformed)) {
      // Offences are counted by document: each in one of its own, where an honest client works too.
      const url = `${server.socketUrl}/of-its-own/${document++}`
      const honest = await RawClient.join(url)
      const client = await RawClient.join(url)
      client.send(frame)
      const { code, reason } = await client.closed
      expect([name, code, reason]).toEqual([name, 1007, expect.stringMatching(/^malformed: ./)])
      await honest.commit(typist(3).type('honest'))
      expect(honest.received.filter(message => message.type === 'update')).toEqual([])
      honest.cut()
    }
    expect(witness.received.length).toBe(heard)
    await expectUnharmed(server, 'witness', witness, 'kept')
    for (let i = 0; i < document; i++) {
      expect(
        documentOf(await readStored(server.folder, `of-its-own/${i}`))
          .getText('text')
          .toString(),
      ).toBe('honest')
    }
  })

  it('as the first message is refused too', async () => {
    const server = running()
    for (const [index, frame] of Object.values(malformed).entries()) {
      const client = await RawClient.connect(`${server.socketUrl}/first/${index}`)
      client.send(frame)
      expect((await client.closed).code).toBe(1007)
    }
    const client = await RawClient.join(`${server.socketUrl}/first/0`)
    await client.commit(typist(1).type('fine'))
  })

  it('of an awareness state ends the connection: too large, too deep, not JSON', async () => {
    const server = running()
    const states = [
      JSON.stringify({ user: { name: 'x'.repeat(5000) } }),
      `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`,
      '{"a":',
      '"text"',
      '[1]',
    ]
    for (const [index, state] of states.entries()) {
      const url = `${server.socketUrl}/awareness/${index}`
      const witness = await RawClient.join(url)
      const client = await RawClient.join(url)
      client.awareness(5, 1, state)
      expect((await client.closed).code).toBe(1007)
      await witness.commit(typist(1).type('x'))
      expect(witness.untaken('awareness')).toEqual([])
    }
  })

  it('[threat K5] of random bytes never ends the process and never reaches the log', async () => {
    const server = await testServer()
    const seed = Date.now() % 2 ** 31
    const random = new Random(seed)
    const ann = typist(7)
    const witness = await RawClient.join(`${server.socketUrl}/witness`)
    await witness.commit(ann.type('kept'))
    const frames = Array.from({ length: 150 }, () => {
      const frame = Uint8Array.from({ length: 1 + random.below(60) }, () => random.below(256))
      // Most of them look like messages at their beginning.
      if (random.chance(0.7)) frame.set([0, random.below(3), frame.length - 3].slice(0, frame.length))
      return frame
    })
    await Promise.all(
      frames.map(async (frame, index) => {
        const client = await RawClient.join(`${server.socketUrl}/${index % 2 === 0 ? `random/${index}` : 'witness'}`)
        client.send(frame)
        client.askAck(1)
        // It is ended, or it was let through: an unknown type, or an update that happens to be one.
        await Promise.race([client.closed, client.nextAck(1).catch(() => {})])
        client.cut()
      }),
    )
    await expectUnharmed(server, 'witness', witness, 'kept').catch(error => {
      throw new Error(`seed ${seed}`, { cause: error })
    })
  })

  it('[threat K10] for the third time within 60 s is final: 4400, and stock clients are told why', async () => {
    const server = running()
    const url = `${server.socketUrl}/broken`
    const codes: number[] = []
    for (let i = 0; i < 4; i++) {
      const client = await RawClient.connect(url)
      client.send(bytes(0, 3, 1, 0))
      const { code, reason } = await client.closed
      codes.push(code)
      if (code !== 4400) continue
      expect(reason).toMatch(/^repeatedly-malformed: /)
      expect(client.received.at(-1)).toEqual({ type: 'permissionDenied', reason })
    }
    expect(codes).toEqual([1007, 1007, 4400, 4400])
    // Another document, and an honest client of the same one, are no part of that.
    const other = await RawClient.connect(`${server.socketUrl}/other`)
    other.send(bytes(0, 3, 1, 0))
    expect((await other.closed).code).toBe(1007)
    await (await RawClient.join(url)).commit(typist(1).type('fine'))
  })

  it('that was repeated by many clients leaves room for the honest', async () => {
    const server = running()
    const honest = await RawClient.join(`${server.socketUrl}/busy`)
    const ann = typist(1)
    for (let i = 1; i <= 20; i++) {
      const client = await RawClient.connect(`${server.socketUrl}/busy`)
      client.update(NO_UPDATE)
      client.send(bytes(0, 2, 9))
      honest.update(ann.type('x'))
      honest.askAck(i)
      await Promise.all([client.closed, honest.nextAck(i)])
    }
  })
})

describe('frames of the wrong kind', () => {
  it('text: 1003', async () => {
    const server = running()
    const client = await RawClient.join(`${server.socketUrl}/${name}`)
    client.socket.send('hello')
    expect(await client.closed).toEqual({ code: 1003, reason: expect.stringMatching(/^text: /) })
  })

  it('[threat K7] [threat C2] over the limit of a message: 1009, and nothing of it is stored', async () => {
    const server = await testServer({ WEFT_MAX_MESSAGE_BYTES: '65536' })
    const witness = await RawClient.join(`${server.socketUrl}/a`)
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const ann = typist(1)
    client.update(ann.type('x'.repeat(70_000)))
    expect((await client.closed).code).toBe(1009)
    await expectUnharmed(server, 'a', witness, '')
  })

  it('over that limit in fragments: 1009', async () => {
    const server = await testServer({ WEFT_MAX_MESSAGE_BYTES: '65536' })
    const client = await RawClient.join(`${server.socketUrl}/a`)
    for (let i = 0; i < 10 && client.isOpen; i++) client.socket.send(new Uint8Array(10_000), { fin: false })
    expect((await client.closed).code).toBe(1009)
  })

  it('an update just below the limit, larger than the event loop checks by itself, is committed', async () => {
    const server = await testServer()
    const client = await RawClient.join(`${server.socketUrl}/a`)
    const other = await RawClient.join(`${server.socketUrl}/a`)
    const ann = typist(1)
    const large = ann.type('x'.repeat(300_000))
    client.update(large)
    // What follows waits for it, and keeps its place.
    client.update(ann.type('y'))
    client.askAck(1)
    await client.nextAck(1)
    await other.next('update', ({ update }) => update.length < 1000)
    await server.kill()
    const doc = documentOf(await readStored(server.folder, 'a'))
    expect(doc.getText('text').toString()).toBe(ann.text.toString())
    expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(ann.doc))
  })

  it('of a type that the server does not know are passed over', async () => {
    const server = running()
    const client = await RawClient.join(`${server.socketUrl}/${name}`)
    client.send(bytes(77, 1, 2, 3))
    client.send(bytes(0xf0, 0x07))
    client.send(bytes(110, 0))
    client.send(bytes(3))
    await client.commit(typist(1).type('x'))
  })
})

describe('names of documents', () => {
  const bad: Record<string, string> = {
    nothing: '/',
    'an empty segment': '/a//b',
    'a slash at the end': '/a/',
    'a dot segment, its slashes encoded': '/a%2F..%2Fb',
    'a control character': '/a%00b',
    'the separator of parts': '/a%1Fcomments',
    'a broken percent-escape': '/a%zz',
    'bytes that are no UTF-8': '/a%ff',
    'a lone surrogate': '/a%ed%a0%80',
    'a backslash': '/a%5cb',
    'a character that reorders text': '/a%E2%80%AEb',
    'a form that is not NFC': '/e%CC%81',
    '256 bytes': `/${'x'.repeat(256)}`,
  }

  it('[threat D1] [threat K10] that break a rule are refused with the first message, for good: 4404 bad-name', async () => {
    const server = running()
    for (const [name, path] of Object.entries(bad)) {
      const client = await RawClient.connect(server.socketUrl + path)
      client.ask()
      const { code, reason } = await client.closed
      expect([name, code, reason]).toEqual([name, 4404, expect.stringMatching(/^bad-name: ./)])
      expect(client.received).toEqual([{ type: 'permissionDenied', reason }])
    }
  })

  it('[threat D1] that keep the rules are documents of their own', async () => {
    const server = await testServer()
    const good = ['a', 'a/b', 'A', 'grüße', '漢字/🦊', 'a b', "'", '%25', 'x'.repeat(255), '__proto__', 'constructor']
    for (const [index, name] of good.entries()) {
      const path = name === '%25' ? name : encodeURI(name)
      const client = await RawClient.join(`${server.socketUrl}/${path}?token=x&b=/../c`)
      expect(client.untaken('update')).toEqual([])
      await client.commit(typist(index + 1).type(name))
    }
    await server.stop()
    for (const name of good) {
      const decoded = name === '%25' ? '%' : name
      expect(
        documentOf(await readStored(server.folder, decoded))
          .getText('text')
          .toString(),
      ).toBe(name)
    }
  })
})
