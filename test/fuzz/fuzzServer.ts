import { type DocumentId, documentPath } from '@weft/protocol'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { createDocument } from '../crdt/randomEdits.ts'
import { SimulatedClock } from '../simulation/SimulatedClock.ts'
import { SimulatedStore } from '../simulation/SimulatedStore.ts'
import { checkLog } from '../support/checkLog.ts'
import { Bystander } from './Bystander.ts'
import { differences, disputedOperations } from './disputedOperations.ts'
import { FIRST_HONEST_ID, Material } from './Material.ts'
import type { DialectName } from './messageFields.ts'
import { SpeakingStranger, type Spoken } from './SpeakingStranger.ts'
import { SpokenServer } from './SpokenServer.ts'

/** Changed messages that strangers say to one server before it is looked at as a whole. */
export const MESSAGES_PER_SERVER = 250
/** y-protocols renews awareness so often. */
const RENEWAL_MS = 15_000
const STRANGERS_AT_ONCE = 4

const dialects: readonly DialectName[] = ['y-websocket', 'hocuspocus', 'multiplex']
const HONEST = ['one', 'two/three'] as DocumentId[]
const LATE = 'late' as DocumentId
/** Names that break a rule, or only look as if. */
const ODD_NAMES = ['', '../one', 'one/', '%2e%2e', 'a'.repeat(256), 'one\0', '__proto__', 'é', 'e\u0301', '\u202eone']

/** How often what was said, in which dialect: to show that a run reached everything. */
export interface FuzzCounts {
  /** Changed ones. */
  messages: number
  readonly types: Map<string, number>
  readonly states: Map<string, number>
  stored: number
}

/**
 * Strangers of all dialects say to a server what breaks the rules, in every state of a session, while honest clients write in the
 * same documents. The same seed says the same.
 * @throws where an exception escapes, an answer is none, an honest client loses something or is closed, or something stays open
 */
export async function fuzzServer(seed: number, counts: FuzzCounts): Promise<void> {
  const random = new Random(seed)
  const clock = new SimulatedClock()
  const store = new SimulatedStore(clock, new Random(random.below(2 ** 31)))
  const server = new SpokenServer(clock, random, store, random.chance(0.5))
  const strangers = new Set<SpeakingStranger>()
  const materials = new Map<DocumentId, Material>()
  const problems: Error[] = []

  const bystanders: Bystander[] = []
  for (const documentId of HONEST) {
    for (let count = 1 + random.below(2); count > 0; count--) await join(documentId, random.pick(dialects))
  }
  await clock.runUntil(2000)

  const tokens = [
    '',
    'none',
    'nobody:nobody',
    'eve:viewer',
    'eve:editor',
    'eve:editor:5',
    'mallory:owner',
    'x'.repeat(9000),
  ]
  let nextClientID = 5000
  let shownAt = 0
  const newStranger = async () => {
    const dialect = random.pick(dialects)
    const documentId = random.chance(0.1) ? LATE : random.pick(HONEST)
    const role = server.isAsking ? random.pick([null, 'viewer', 'commenter', 'editor', 'editor', 'owner']) : 'editor'
    const addresses = [documentId, documentId, documentId, `${documentId}\0tab`, random.pick(ODD_NAMES), LATE]
    const others = bystanders.filter(other => other.documentId === documentId).map(({ clientID }) => clientID)
    let material = materials.get(documentId)
    if (material === undefined) {
      material = new Material(() => store.oracle(documentId), random)
      materials.set(documentId, material)
    }
    const known = role === null ? ['', 'none'] : [`eve:${role}`, ...tokens]
    const stranger = new SpeakingStranger(
      { dialect, role, clientID: nextClientID++, addresses, mayForge: server.isAsking },
      { random, material, others, tokens: known },
    )
    const path = random.chance(0.05) ? `/${random.pick(ODD_NAMES)}` : `/${documentPath(documentId)}`
    await stranger.connect(host => server.connect(dialect, path, role === null ? null : `eve:${role}`, host))
    strangers.add(stranger)
    if (random.chance(0.15)) return
    if (random.chance(0.08)) stranger.askWithoutReading()
    else stranger.begin()
    if (random.chance(0.85)) await clock.runUntil(clock.now() + 200)
    if (random.chance(0.7)) stranger.answer()
  }

  const endAt = counts.messages + MESSAGES_PER_SERVER
  while (counts.messages < endAt) {
    while (strangers.size < STRANGERS_AT_ONCE) await newStranger()
    const stranger = random.pick([...strangers])
    for (let burst = 1 + random.below(8); burst > 0; burst--) {
      const { state } = stranger
      // What is said to who has said goodbye is all the same.
      if (state === 'leaving' && random.chance(0.8)) break
      const said = attempt(problems, stranger, () => stranger.speak())
      if (said === null || !said.isMutated) continue
      counts.messages++
      count(counts.types, `${stranger.dialect} ${said.name}`)
      count(counts.states, `${stranger.dialect} ${state}`)
    }
    if (random.chance(0.05)) for (const bystander of bystanders) bystander.edit(random)
    if (random.chance(0.005)) {
      // It may wait for a document that is being loaded, and that takes time of this clock.
      void server.delete(LATE)
      for (const other of strangers) other.isDeleted = other.addresses.includes(LATE)
    }
    if (server.isAsking && random.chance(0.005)) server.revoke(random.chance(0.3))
    if (random.chance(0.5)) await clock.runUntil(clock.now() + random.pick([0, 1, 10, 100, 1000]))
    if (clock.now() > shownAt + RENEWAL_MS) {
      shownAt = clock.now()
      for (const bystander of bystanders) bystander.show()
    }
    if (random.chance(0.02)) stranger.leave()
    problems.push(...stranger.problems.splice(0).map(problem => withHistory(problem, stranger)))
    if (!stranger.isOpen) strangers.delete(stranger)
    throwLogged()
    throwFirst([...problems, ...bystanders.flatMap(bystander => bystander.problems), ...store.problems])
  }

  await settle()
  throwFirst([...problems, ...bystanders.flatMap(bystander => bystander.problems), ...store.problems])
  compare()
  await close()
  throwLogged()

  function throwLogged(): void {
    if (server.errors.length > 0) throw new Error(`the server logged an error: ${server.errors[0]}`)
  }

  /** The strangers leave, and the honest ones hear what there is to hear. */
  async function settle(): Promise<void> {
    for (const stranger of strangers) stranger.leave()
    for (const bystander of bystanders) bystander.askAck()
    for (let seconds = 0; seconds < 40; seconds += 10) {
      if (seconds === 20) for (const documentId of HONEST) await join(documentId, random.pick(dialects))
      await clock.runUntil(clock.now() + 10_000)
      for (const bystander of bystanders) bystander.show()
    }
    for (const stranger of strangers) problems.push(...stranger.problems.map(problem => withHistory(problem, stranger)))
    const { connectionCount } = server
    if (connectionCount !== bystanders.length) throw new Error(`${connectionCount} connections are left`)
    const sessions = server.rooms.sessionCount
    if (sessions !== bystanders.length) throw new Error(`${sessions} sessions are left`)
  }

  /**
   * The log is whole, and the honest ones have all of it: what they wrote themselves too. They are compared with one who comes
   * now, and not with a document made of the log: Yjs tidies formatting on every replica, and says so.
   */
  function compare(): void {
    for (const documentId of HONEST) {
      const stored = checkLog(store.read(documentId), createDocument(2))
      const [last, ...others] = bystanders.filter(bystander => bystander.documentId === documentId).reverse()
      if (last === undefined) throw new Error('nobody was there')
      for (const bystander of [last, ...others]) {
        const hasAll = Buffer.from(Y.encodeStateVector(stored)).equals(Y.encodeStateVector(bystander.doc))
        if (!hasAll) throw new Error('an honest client and the log have different operations')
        if (!bystander.isSaved) throw new Error('an honest client waits for an acknowledgement')
        // By operations and deletions: Yjs can't print all that it holds.
        if (Y.equalSnapshots(Y.snapshot(last.doc), Y.snapshot(bystander.doc))) continue
        const isDisputed = disputedOperations(store.history(documentId))
        const clear = differences(last.doc, bystander.doc).find(([client, clock]) => !isDisputed(client, clock))
        if (clear !== undefined) throw new Error(`honest clients differ in ${clear.join(':')}`)
      }
    }
    checkLog(store.read(LATE), createDocument(2))
    for (const documentId of [...HONEST, LATE]) counts.stored += store.read(documentId).head
  }

  /** Everybody leaves, and nothing stays. */
  async function close(): Promise<void> {
    for (const bystander of bystanders) bystander.leave()
    await clock.runUntil(clock.now() + 60_000)
    if (server.rooms.count > 0) throw new Error(`${server.rooms.count} documents stay open`)
    if (server.connectionCount > 0) throw new Error(`${server.connectionCount} connections stay open`)
    if (clock.waitingCount > 0) throw new Error(`${clock.waitingCount} timers stay`)
  }

  async function join(documentId: DocumentId, dialect: DialectName): Promise<void> {
    const clientID = FIRST_HONEST_ID + 1000 * bystanders.length
    const user = `honest${clientID}`
    const token = `${user}:editor`
    const userId = server.isAsking ? user : null
    const path = `/${documentPath(documentId)}`
    const bystander = await Bystander.connect({ documentId, dialect, clientID, token, userId }, host =>
      server.connect(dialect, path, token, host),
    )
    bystander.onState = (id, json) => {
      for (const other of bystanders) other.checkState(id, json)
    }
    bystanders.push(bystander)
    bystander.begin()
  }
}

function withHistory(problem: Error, stranger: SpeakingStranger): Error {
  return new Error(`${problem.message}\n${stranger.dialect} said:\n${stranger.last.join('\n')}`, { cause: problem })
}

function attempt(problems: Error[], stranger: SpeakingStranger, speak: () => Spoken | null): Spoken | null {
  try {
    return speak()
  } catch (error) {
    problems.push(withHistory(error as Error, stranger))
    return null
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1)
}

function throwFirst(problems: readonly Error[]): void {
  const [first] = problems
  if (first !== undefined) throw first
}
