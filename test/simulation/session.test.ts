import {
  type CloseName,
  type DocumentId,
  decodeMessage,
  encodeAck,
  encodeAnnounce,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeEphemeral,
  encodeQueryAwareness,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  type Message,
} from '@weft/protocol'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { type Grant, UNASKED } from '../../server/src/access/Grant.ts'
import type { Outlet } from '../../server/src/room/Outlet.ts'
import type { Session } from '../../server/src/room/Session.ts'
import { renewSession } from '../../server/src/socket/renewSession.ts'
import { Random } from '../crdt/Random.ts'
import { checkLog } from '../support/checkLog.ts'
import { typist } from '../support/typist.ts'
import { SimulatedClock } from './SimulatedClock.ts'
import { SimulatedServer } from './SimulatedServer.ts'
import { SimulatedStore } from './SimulatedStore.ts'

/** Takes all that is written, at once. */
class Listener implements Outlet {
  isOpen = true
  isFlooding = false
  readonly unsentBytes = 0
  readonly address = 'test'
  readonly closes: CloseName[] = []
  readonly received: Message[] = []
  session: Session | null = null

  write(frames: Buffer): void {
    for (let at = 0; at < frames.length; ) {
      const short = (frames[at + 1] ?? 0) & 127
      const [head, length] = short < 126 ? [2, short] : [4, frames.readUInt16BE(at + 2)]
      this.received.push(decodeMessage(frames.subarray(at + head, at + head + length)))
      at += head + length
    }
  }

  count(type: Message['type']): number {
    return this.received.filter(message => message.type === type).length
  }

  together<T>(work: () => T): T {
    return work()
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(true)
  }

  close(name: CloseName): void {
    this.closes.push(name)
    this.isOpen = false
    this.session?.end()
  }
}

async function newServer() {
  const random = new Random(1)
  const clock = new SimulatedClock()
  const store = new SimulatedStore(clock, random)
  const server = new SimulatedServer(clock, random, store, 60_000)
  const join = async (documentId: string, listener = new Listener(), grant = UNASKED) => {
    const begun = server.begin(listener, documentId as DocumentId, { grant })
    await clock.runUntil(clock.now() + 1000)
    const session = await begun
    if (session === null) throw new Error('no session')
    listener.session = session
    const say = (message: Uint8Array) => session.receive(message)
    say(encodeSyncStep1(Uint8Array.of(0)))
    say(encodeSyncStep2(Uint8Array.of(0, 0)))
    await clock.runUntil(clock.now() + 1000)
    return { listener, say, session }
  }
  return { clock, server, store, join }
}

it('who asks again and again is answered ten times at once, then twice a second, and in the end', async () => {
  const { clock, join } = await newServer()
  const { listener, say } = await join('a')
  await clock.runUntil(clock.now() + 10_000)
  listener.received.length = 0
  for (let i = 0; i < 1000; i++) say(encodeSyncStep1(Uint8Array.of(0)))
  expect(listener.count('syncStep2')).toBe(10)
  await clock.runUntil(clock.now() + 600)
  expect(listener.count('syncStep2')).toBe(11)
  await clock.runUntil(clock.now() + 60_000)
  expect(listener.count('syncStep2')).toBe(11)
})

it('awareness is told again and again no faster either', async () => {
  const { clock, join } = await newServer()
  const ann = await join('a')
  ann.say(encodeAwareness(encodeAwarenessEntries([{ clientID: 7, clock: 1, json: new TextEncoder().encode('{}') }])))
  const { listener, say } = await join('a')
  await clock.runUntil(clock.now() + 10_000)
  listener.received.length = 0
  for (let i = 0; i < 1000; i++) say(encodeQueryAwareness())
  expect(listener.count('awareness')).toBe(10)
  await clock.runUntil(clock.now() + 600)
  expect(listener.count('awareness')).toBe(11)
})

it('what goes wrong in one document after a commit ends its sessions, and touches no other document', async () => {
  const { clock, server, join } = await newServer()
  const broken = new Listener()
  const inBroken = await join('broken', broken)
  const author = await join('broken')
  const other = await join('other')
  broken.write = () => {
    throw new Error('this outlet is broken')
  }
  author.say(encodeUpdate(typist(101).type('x')))
  other.say(encodeUpdate(typist(102).type('y')))
  other.say(encodeAck(Uint8Array.of(1)))
  await clock.runUntil(clock.now() + 1000)
  expect(other.listener.count('ack')).toBe(1)
  expect(other.listener.closes).toEqual([])
  expect(inBroken.listener.closes).toEqual(['internal'])
  expect(author.listener.closes).toEqual(['internal'])
  expect(server.errors.join()).toContain('went wrong in its room')

  // Its document is opened anew, with what was committed.
  await clock.runUntil(clock.now() + 10_000)
  const next = await join('broken')
  expect(next.listener.count('update')).toBe(1)
})

it('what a flood writes waits for its commit, unless somebody else writes in its document', async () => {
  const { clock, store, join } = await newServer()
  store.slownessMs = 0
  const flooder = await join('a')
  const other = await join('a')
  flooder.listener.isFlooding = true
  const acks = [flooder, other].map(
    ({ listener }) =>
      () =>
        listener.count('ack'),
  )
  const write = ({ say }: typeof flooder, clientID: number) => {
    say(encodeUpdate(typist(clientID).type('x')))
    say(encodeAck(Uint8Array.of(1)))
  }
  await clock.runUntil(clock.now() + 10_000)
  write(flooder, 101)
  const due = clock.now() + 50
  await clock.runUntil(due - 1)
  expect(acks.map(count => count())).toEqual([0, 0])
  await clock.runUntil(due + 1)
  expect(acks.map(count => count())).toEqual([1, 0])

  await clock.runUntil(clock.now() + 10_000)
  write(flooder, 102)
  write(other, 103)
  await clock.runUntil(clock.now() + 2)
  expect(acks.map(count => count())).toEqual([2, 1])
})

it('an edit of a quiet store is written at once; those of hundreds of documents share their commits', async () => {
  const { clock, store, join } = await newServer()
  store.slownessMs = 0
  const authors = []
  for (let index = 0; index < 50; index++) {
    authors.push({ ...(await join(`document ${index}`)), typist: typist(101 + index) })
  }
  const [lone] = authors
  lone?.say(encodeUpdate(lone.typist.type('x')))
  lone?.say(encodeAck(Uint8Array.of(1)))
  await clock.runUntil(clock.now())
  expect(lone?.listener.count('ack')).toBe(1)

  const before = store.appends
  const start = clock.now()
  for (let round = 0; round < 1000; round++) {
    const author = authors[round % authors.length]
    author?.say(encodeUpdate(author.typist.type('y')))
    await clock.runUntil(clock.now() + 1)
  }
  await clock.runUntil(clock.now() + 1000)
  expect(clock.now() - start).toBe(2000)
  expect(store.appends - before).toBeLessThanOrEqual(20 + 120)
  for (const [index, author] of authors.entries()) {
    const stored = checkLog(store.read(`document ${index}` as DocumentId))
    expect(stored.getText('text').toString()).toBe(author.typist.text.toString())
  }
})

it('a document of which one entry names more roots than one update may is opened again', async () => {
  const { clock, store, join } = await newServer()
  const author = await join('a')
  const doc = new Y.Doc()
  doc.clientID = 101
  const send = (update: Uint8Array) => author.say(encodeUpdate(update))
  doc.on('update', send)
  for (let root = 0; root < 40; root++) doc.getText(`root ${root}`).insert(0, 'x')
  await clock.runUntil(clock.now() + 1000)
  expect(store.read('a' as DocumentId).head).toBeLessThan(40)
  author.listener.close('restart')
  await clock.runUntil(clock.now() + 120_000)
  const next = await join('a')
  expect(next.listener.closes).toEqual([])
  const roots = new Y.Doc()
  for (const message of next.listener.received) if (message.type === 'update') Y.applyUpdate(roots, message.update)
  expect(roots.share.size).toBe(40)
})

const viewer: Grant = {
  userId: 'vi',
  userName: null,
  role: 'viewer',
  mayCreate: false,
  expiresAt: Number.POSITIVE_INFINITY,
}

it('a reader who goes on typing is told so once, and again each 10 s; nothing of it is stored or acknowledged', async () => {
  const { clock, store, join } = await newServer()
  const { listener, say } = await join('a', new Listener(), viewer)
  say(encodeAck(Uint8Array.of(1)))
  await clock.runUntil(clock.now() + 1000)
  const vi = typist(101)
  for (let i = 0; i < 100; i++) say(encodeUpdate(vi.type('x')))
  say(encodeAck(Uint8Array.of(2)))
  await clock.runUntil(clock.now() + 9000)
  expect(listener.count('permissionDenied')).toBe(1)
  await clock.runUntil(clock.now() + 1000)
  for (let i = 0; i < 100; i++) say(encodeUpdate(vi.type('x')))
  expect(listener.count('permissionDenied')).toBe(2)
  await clock.runUntil(clock.now() + 10_000)
  expect(listener.received.filter(message => message.type === 'ack')).toEqual([
    { type: 'ack', payload: Uint8Array.of(1) },
  ])
  expect(listener.closes).toEqual([])
  expect(store.read('a' as DocumentId).head).toBe(0)
})

it('a token that ends closes its session then, and not before', async () => {
  const { clock, server, join } = await newServer()
  const { listener } = await join('a', new Listener(), { ...viewer, expiresAt: clock.now() + 60_000 })
  await clock.runUntil(59_900)
  expect(listener.closes).toEqual([])
  await clock.runUntil(61_000)
  expect(listener.closes).toEqual(['unauthorized'])
  expect(server.errors).toEqual([])
})

it('a renewed token counts in place: its role, and its end', async () => {
  const { clock, store, join } = await newServer()
  const { listener, say, session } = await join('a', new Listener(), { ...viewer, expiresAt: clock.now() + 60_000 })
  say(encodeAnnounce())
  const vi = typist(101)
  say(encodeUpdate(vi.type('before ')))
  session.renew({ ...viewer, role: 'editor', mayCreate: true, expiresAt: clock.now() + 120_000 })
  expect(listener.received.filter(message => message.type === 'access').map(({ access }) => access)).toEqual([
    'read-only',
    'read-write',
  ])
  // What was refused is asked for, and taken now.
  expect(listener.received.at(-1)?.type).toBe('syncStep1')
  say(encodeSyncStep2(Y.encodeStateAsUpdate(vi.doc)))
  say(encodeUpdate(vi.type('after')))
  say(encodeAck(Uint8Array.of(1)))
  await clock.runUntil(clock.now() + 100_000)
  expect(listener.count('ack')).toBe(1)
  expect(
    checkLog(store.read('a' as DocumentId))
      .getText('text')
      .toString(),
  ).toBe('before after')
  session.renew({ ...viewer, expiresAt: clock.now() + 60_000 })
  say(encodeUpdate(vi.type('!')))
  await clock.runUntil(clock.now() + 50_000)
  expect(listener.closes).toEqual([])
  await clock.runUntil(clock.now() + 11_000)
  expect(listener.closes).toEqual(['unauthorized'])
  expect(
    checkLog(store.read('a' as DocumentId))
      .getText('text')
      .toString(),
  ).toBe('before after')
})

it('[threat P2] a right that is taken back counts at once: less of it is told in place, none ends the session', async () => {
  const { clock, server, join } = await newServer()
  let now: Grant | { close: 'unauthorized'; text: string }
  const grant: Grant = { ...viewer, userId: 'ann', role: 'editor', mayCreate: true, review: () => now }
  now = grant
  const plain = await join('a', new Listener(), grant)
  const ours = await join('a', new Listener(), grant)
  ours.say(encodeAnnounce())
  const other = await join('a', new Listener(), { ...viewer, role: 'editor', mayCreate: true })
  const ann = typist(101)
  server.rooms.review()
  plain.say(encodeUpdate(ann.type('x')))
  await clock.runUntil(clock.now() + 1000)
  expect([other.listener.count('update'), plain.listener.count('permissionDenied')]).toEqual([1, 0])

  now = { ...grant, role: 'viewer', mayCreate: false }
  server.rooms.review()
  plain.say(encodeUpdate(ann.type('y')))
  await clock.runUntil(clock.now() + 1000)
  expect(other.listener.count('update')).toBe(1)
  expect(plain.listener.count('permissionDenied')).toBe(2)
  const access = ours.listener.received.flatMap(message => (message.type === 'access' ? [message.access] : []))
  expect(access).toEqual(['read-write', 'read-only'])
  expect([plain.listener.isOpen, ours.listener.isOpen]).toEqual([true, true])

  now = { close: 'unauthorized', text: 'revoked' }
  server.rooms.review()
  expect([plain.listener.closes, ours.listener.closes]).toEqual([['unauthorized'], ['unauthorized']])
  expect(other.listener.isOpen).toBe(true)
})

it('one user with thirty tabs sends all that a document passes on, and silences nobody else', async () => {
  const { clock, join } = await newServer()
  const editor = (userId: string): Grant => ({
    userId,
    userName: null,
    role: 'editor',
    mayCreate: true,
    expiresAt: Number.POSITIVE_INFINITY,
  })
  for (let i = 0; i < 70; i++) await join('a', new Listener(), viewer)
  const tabs = []
  for (let i = 0; i < 30; i++) tabs.push(await join('a', new Listener(), editor('mallory')))
  const ann = await join('a', new Listener(), editor('ann'))
  const outcomes = ({ listener }: typeof ann) =>
    listener.received.flatMap(message => (message.type === 'receipt' ? [message.outcome] : []))
  // 3,000 messages at once, then 600 a second, each of about 100 writes.
  for (let i = 0; i < 100; i++) for (const { say } of tabs) say(encodeEphemeral([], 'x'))
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 20; i++) {
      for (const { say } of tabs) say(encodeEphemeral([], 'x'))
      if (i % 5 === 0) ann.say(encodeEphemeral([], 'hi'))
      await clock.runUntil(clock.now() + 50)
    }
  }
  expect(outcomes(ann)).toEqual(Array.from({ length: 80 }, () => 'passedOn'))
  // The document's limit holds, and what nobody else asks for is hers.
  const passed = tabs.flatMap(outcomes).filter(outcome => outcome === 'passedOn').length
  expect((passed + 80) * 101).toBeLessThanOrEqual(15_000 + 10_000 * 20)
  expect(passed * 101).toBeGreaterThan(10_000 * 19)
})

it('without users, it is addresses that share a document’s messages', async () => {
  const { clock, join } = await newServer()
  const at = (address: string) => Object.assign(new Listener(), { address })
  const tabs = []
  for (let i = 0; i < 100; i++) tabs.push(await join('a', at('192.0.2.1')))
  const ann = await join('a', at('192.0.2.2'))
  for (let i = 0; i < 100; i++) for (const { say } of tabs) say(encodeEphemeral([], 'x'))
  ann.say(encodeEphemeral([], 'hi'))
  await clock.runUntil(clock.now() + 1000)
  const last = ({ listener }: typeof ann) => listener.received.findLast(message => message.type === 'receipt')
  expect(last(ann)).toMatchObject({ outcome: 'passedOn' })
  expect(tabs.map(last)).toEqual(tabs.map(() => ({ type: 'receipt', outcome: 'tooFast' })))
})

/** A text that two made bold at once, by Ann's operations 5 and 6 and Bo's first two, as one update. */
function boldTwice(): Uint8Array {
  const [ann, bo] = [typist(101), typist(102)]
  Y.applyUpdate(bo.doc, ann.type('hello'))
  for (const { text } of [ann, bo]) text.format(0, 5, { bold: true })
  return Y.mergeUpdates([...ann.updates, ...bo.updates])
}

/** Deletes Bo's two marks. */
const TIDYING = Uint8Array.of(0, 1, 102, 1, 0, 2)
/** Deletes a letter of Ann's. */
const ERASING = Uint8Array.of(0, 1, 101, 1, 1, 1)

it('a reader gets no acknowledgement before a worker has looked at what it deleted', async () => {
  const { clock, join } = await newServer()
  const writer = await join('a')
  writer.say(encodeUpdate(boldTwice()))
  const { listener, say } = await join('a', new Listener(), viewer)
  await clock.runUntil(clock.now() + 1000)
  for (const [number, update, acks] of [
    [1, TIDYING, 1],
    [2, ERASING, 1],
  ] as const) {
    say(encodeUpdate(update))
    say(encodeAck(Uint8Array.of(number)))
    expect(listener.count('ack')).toBe(number - 1)
    await clock.runUntil(clock.now() + 10_000)
    expect(listener.count('ack')).toBe(acks)
  }
  expect(listener.count('permissionDenied')).toBe(1)
  expect(listener.closes).toEqual([])
})

it.each([
  ['tidied', TIDYING, 1000],
  ['deletes, while a worker looks at it,', ERASING, 0],
])(
  'a reader who %s and may write then is asked for it, and nothing is acknowledged before',
  async (_, update, wait) => {
    const { clock, store, join } = await newServer()
    const writer = await join('a')
    writer.say(encodeUpdate(boldTwice()))
    const { listener, say, session } = await join('a', new Listener(), viewer)
    await clock.runUntil(clock.now() + 1000)
    say(encodeUpdate(update))
    if (wait > 0) await clock.runUntil(clock.now() + wait)
    say(encodeAck(Uint8Array.of(1)))
    const acks = listener.count('ack')
    const questions = listener.count('syncStep1')
    session.renew({ ...viewer, role: 'editor', mayCreate: true })
    expect(listener.count('syncStep1')).toBe(questions + 1)
    say(encodeAck(Uint8Array.of(2)))
    await clock.runUntil(clock.now() + 10_000)
    expect([listener.count('ack'), listener.count('permissionDenied')]).toEqual([acks, 0])
    say(encodeSyncStep2(update))
    await clock.runUntil(clock.now() + 10_000)
    expect(listener.count('ack')).toBe(2)
    const stored = checkLog(store.read('a' as DocumentId))
    expect(Y.decodeUpdate(Y.encodeStateAsUpdate(stored)).ds.clients.size).toBeGreaterThan(0)
  },
)

it('a reader whose deletions no worker can look at is told that they are refused, and stays', async () => {
  const { clock, server, join } = await newServer()
  const writer = await join('a')
  writer.say(encodeUpdate(boldTwice()))
  const { listener, say } = await join('a', new Listener(), viewer)
  await clock.runUntil(clock.now() + 1000)
  server.workshop.failureRate = 1
  say(encodeUpdate(TIDYING))
  say(encodeAck(Uint8Array.of(1)))
  await clock.runUntil(clock.now() + 10_000)
  expect([listener.count('ack'), listener.count('permissionDenied'), listener.closes]).toEqual([0, 1, []])
})

it('[threat P2] what is revoked of a token while a session takes it in the place of another counts in that session', async () => {
  const { join } = await newServer()
  let isRevoked = false
  const grantOf = (token: string): Grant => ({
    userId: 'ann',
    userName: null,
    role: 'editor',
    mayCreate: true,
    expiresAt: Number.POSITIVE_INFINITY,
    // What is revoked is the newer one.
    review: () => (isRevoked && token === 'newer' ? { close: 'unauthorized', text: 'revoked' } : grantOf(token)),
  })
  const { listener, session } = await join('a', new Listener(), grantOf('older'))
  const admit = async () => {
    // Behind the look at the token's right, before who asked for it has that.
    queueMicrotask(() => {
      isRevoked = true
      session.review()
    })
    return grantOf('newer')
  }
  await renewSession(session, 'newer', { admit }, () => true)
  expect([isRevoked, listener.closes]).toEqual([true, ['unauthorized']])
})

it('[threat K6] who is owed very many acknowledgements is read more slowly first, unless they wait for what it has yet to say', async () => {
  const { clock, server, join } = await newServer()
  const { listener, say } = await join('a')
  say(encodeUpdate(typist(1).type('x')))
  let waiting: Promise<void> | null = null
  let sent = 0
  while (waiting === null && sent < 9000) {
    const done = say(encodeAck(Uint8Array.of(1)))
    sent++
    if (done instanceof Promise) waiting = done
  }
  expect(sent).toBe(5000)
  // Nothing is read until the disk has caught up: no close, and nothing is lost.
  await clock.runUntil(clock.now() + 1000)
  await waiting
  expect([listener.count('ack'), listener.closes]).toEqual([5000, []])

  const stuck = new Listener()
  const begun = server.begin(stuck, 'a' as DocumentId)
  await clock.runUntil(clock.now() + 1000)
  const session = await begun
  stuck.session = session
  session?.receive(encodeSyncStep1(Uint8Array.of(0)))
  // They are due when it has answered our question: whoever waited here would wait for ever.
  const results = new Set<unknown>()
  for (let i = 0; i <= 10_000; i++) results.add(session?.receive(encodeAck(Uint8Array.of(1))))
  expect([...results]).toEqual([undefined])
  expect([stuck.count('ack'), stuck.closes]).toEqual([0, ['policy']])
})
