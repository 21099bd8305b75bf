import { type DocumentId, decodeMessage } from '@weft/protocol'
import * as Y from 'yjs'
import { checkDocument, contentOf } from '../crdt/checkDocument.ts'
import { Random } from '../crdt/Random.ts'
import { createDocument } from '../crdt/randomEdits.ts'
import { checkLog } from '../support/checkLog.ts'
import { contains } from '../support/storedDocument.ts'
import { SimulatedClient } from './SimulatedClient.ts'
import { SimulatedClock } from './SimulatedClock.ts'
import { type LinkHost, SimulatedLink } from './SimulatedLink.ts'
import { SimulatedProvider } from './SimulatedProvider.ts'
import { SimulatedServer } from './SimulatedServer.ts'
import { SimulatedStore } from './SimulatedStore.ts'

/** How long people work, in virtual ms. */
const BUSY_MS = 40_000
/** Some histories have pauses: of every so many ms, people work in the first only; long enough for the server to forget. */
const RHYTHM_MS = 16_000
const WORK_MS = 4000
/** And then everybody is connected and nobody types: everything must come to rest. */
const QUIET_MS = 40_000

/** That things did happen, so that a run shows something. */
export interface SimulationCounts {
  edits: number
  appends: number
  compactions: number
  failures: number
  kills: number
  relayed: number
  acknowledged: number
  /** Times that a Hocuspocus provider called itself synced. */
  synced: number
}

/**
 * One history of two documents, their clients, the network, a disk and a server that dies, in virtual time. The same seed gives the
 * same history.
 *
 * What must hold at every moment: whatever the server writes to anybody is in the log; whatever is acknowledged is in the log;
 * a Hocuspocus provider without unsynced changes has nothing that is not in the log; the log is causally closed; knowledge agrees with Yjs. At the end: all replicas, a fresh client and the replayed log are equal,
 * and no client was turned away.
 * @throws where something doesn't
 */
export async function simulate(seed: number): Promise<SimulationCounts> {
  const random = new Random(seed)
  const clock = new SimulatedClock()
  const store = new SimulatedStore(clock, new Random(random.below(2 ** 31)))
  const counts = { edits: 0, appends: 0, compactions: 0, failures: 0, kills: 0, relayed: 0, acknowledged: 0, synced: 0 }
  const documents = ['one', 'two'] as DocumentId[]
  const { problems } = store
  const faults = { workers: random.chance(0.3), disk: random.chance(0.3), kills: random.chance(0.5) }
  let isWorkerFailing = false
  let server: SimulatedServer | null = start()

  function start(): SimulatedServer {
    const started = new SimulatedServer(clock, random, store, random.pick([0, 2000, 30_000]))
    started.workshop.failureRate = faults.workers ? 0.2 : 0
    isWorkerFailing = faults.workers
    return started
  }

  /** Acknowledged ⇒ in the log; seen by another ⇒ in the log. */
  function expectCommitted(documentId: DocumentId, update: Uint8Array, what: string): void {
    if (!contains(store.oracle(documentId), update)) problems.push(new Error(`${what} is not in the log`))
  }

  function connect(documentId: DocumentId, host: LinkHost, provider?: SimulatedProvider): SimulatedLink | null {
    const at = server
    if (at === null) return null
    const written = (frame: Uint8Array) => {
      const message = decodeMessage(frame)
      if (message.type !== 'update' && message.type !== 'syncStep2') return
      counts.relayed++
      expectCommitted(documentId, message.update, `a ${message.type} that was sent`)
    }
    const begin = () =>
      provider === undefined
        ? at.begin(link, documentId)
        : at.begin(link, documentId, { countsQueued: provider.isVersion2 }, 'hocuspocus')
    const link = new SimulatedLink({ clock, random, life: at.life, written }, host, begin)
    at.links.add(link)
    return link
  }

  const clients = documents.flatMap((documentId, document) =>
    Array.from({ length: 3 + random.below(3) }, (_, index) => {
      const name = document * 10 + index
      if (random.chance(0.4)) {
        const provider: SimulatedProvider = new SimulatedProvider(
          name,
          random.chance(0.3),
          host => connect(documentId, host, provider),
          state => {
            counts.synced++
            expectCommitted(documentId, state, 'what a provider calls synced')
          },
        )
        return { documentId, client: provider }
      }
      const client = new SimulatedClient(
        name,
        host => connect(documentId, host),
        update => {
          counts.acknowledged++
          expectCommitted(documentId, update, 'an acknowledged update')
        },
      )
      return { documentId, client }
    }),
  )

  // People: bursts of typing, then a pause.
  const hasPauses = random.chance(0.5)
  const leaving = random.pick([0, 0.5, 1])
  for (const { client } of clients) {
    client.connect()
    const live = () => {
      if (clock.now() > BUSY_MS) return
      const intoRhythm = clock.now() % RHYTHM_MS
      if (hasPauses && intoRhythm > WORK_MS) {
        // Some leave with their last edit.
        if (random.chance(leaving)) client.leave()
        clock.after(RHYTHM_MS - intoRhythm + random.below(100), live)
        return
      }
      client.act(random)
      counts.edits++
      clock.after(random.chance(0.1) ? random.below(3000) : random.below(hasPauses ? 150 : 300), live)
    }
    clock.after(random.below(500), live)
  }
  // The disk.
  const weather = () => {
    if (clock.now() > BUSY_MS) return
    store.slownessMs = random.pick([1, 5, 30, 400])
    store.isBroken = faults.disk && random.chance(0.3)
    clock.after(random.below(6000), weather)
  }
  weather()
  // The process.
  const fate = () => {
    if (clock.now() > BUSY_MS || !faults.kills) return
    clock.after(random.below(8000), () => {
      server?.kill()
      server = null
      counts.kills++
      clock.after(random.below(500), () => {
        server = start()
        fate()
      })
    })
  }
  fate()

  for (let now = 1000; now <= BUSY_MS; now += 1000) {
    await clock.runUntil(now)
    throwFirst(problems)
  }
  // Peace: all faults end, and everybody comes back.
  await clock.runUntil(BUSY_MS + 9000)
  store.isBroken = false
  store.slownessMs = 5
  if (server !== null) server.workshop.failureRate = 0
  for (let seconds = 0; seconds < 5; seconds++) {
    // Who was told to try again, or has lost its link a moment ago, does.
    for (const { client } of clients) {
      client.goOnReading()
      client.connect()
    }
    await clock.runUntil(clock.now() + 1000)
  }
  await clock.runUntil(clock.now() + QUIET_MS)
  throwFirst(problems)
  // A provider from 3 on counts 1 when it begins to sync, and is paid it.
  for (const { client } of clients) {
    if (!(client instanceof SimulatedProvider)) continue
    client.leave()
    client.connect()
  }
  await clock.runUntil(clock.now() + 5000)
  throwFirst(problems)
  for (const { client } of clients) {
    if (client instanceof SimulatedProvider && !client.isVersion2 && client.hasUnsynced) {
      throw new Error('a provider is not called synced though everything is in the log')
    }
  }

  counts.appends = store.appends
  counts.compactions = store.compactions
  counts.failures = store.failures
  for (const documentId of documents) {
    const replayed = checkLog(store.read(documentId), createDocument(2))
    const fresh = await join(clock, host => connect(documentId, host))
    const replicas = clients.filter(client => client.documentId === documentId).map(({ client }) => client.doc)
    for (const doc of replicas) checkDocument(doc)
    expectSame(replayed, fresh, `a fresh client of ${documentId} and the log`)
    for (const [index, doc] of replicas.entries())
      expectSame(replayed, doc, `client ${index} of ${documentId} and the log`)
  }
  throwFirst(problems)
  const turnedAway = clients
    .flatMap(({ client }) => client.closes)
    .filter(({ name }) => !isWorkerFailing || name !== 'internal')
  if (turnedAway.length > 0) throw new Error(`an honest client was turned away: ${JSON.stringify(turnedAway[0])}`)
  if (!faults.workers && !faults.disk && server !== null && server.errors.length > 0) {
    throw new Error(`the server logged an error: ${server.errors[0]}`)
  }
  return counts
}

/** What a client gets that has nothing. */
async function join(clock: SimulatedClock, connect: (host: LinkHost) => SimulatedLink | null): Promise<Y.Doc> {
  const doc = createDocument(1)
  let isSynced = false
  const link = connect({
    received: frame => {
      const message = decodeMessage(frame)
      if (message.type !== 'update' && message.type !== 'syncStep2') return
      Y.applyUpdate(doc, message.update)
      if (message.type === 'syncStep2') isSynced = true
    },
    lost: () => {},
  })
  link?.send(Uint8Array.of(0, 0, 1, 0))
  await clock.runUntil(clock.now() + 5000)
  if (!isSynced) throw new Error('a fresh client is not synced after 5 s')
  return doc
}

function expectSame(a: Y.Doc, b: Y.Doc, what: string): void {
  if (!Buffer.from(Y.encodeStateVector(a)).equals(Y.encodeStateVector(b))) {
    throw new Error(`${what} have different state vectors: ${describeState(a)} and ${describeState(b)}`)
  }
  const [left, right] = [JSON.stringify(contentOf(a), writable), JSON.stringify(contentOf(b), writable)]
  if (left !== right) throw new Error(`${what} have different content:\n${left}\n${right}`)
}

function describeState(doc: Y.Doc): string {
  return JSON.stringify([...Y.decodeStateVector(Y.encodeStateVector(doc))].sort())
}

/** Maps in the order of their keys, and what JSON has no word for. */
function writable(_: string, value: unknown): unknown {
  if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1))
  if (typeof value === 'bigint') return `${value}n`
  if (value === undefined) return 'undefined'
  return value
}

function throwFirst(problems: readonly Error[]): void {
  const [first] = problems
  if (first !== undefined) throw first
}
