import type { DocumentId } from '@weft/protocol'
import * as Y from 'yjs'
import { checkStoredDocument } from '../../../server/src/backup/checkStoredDocument.ts'
import { checkDocument, contentOf } from '../../crdt/checkDocument.ts'
import { createDocument } from '../../crdt/randomEdits.ts'
import { FreshReader } from './FreshReader.ts'
import { OperationSet, operationsOf } from './operations.ts'
import { CountingPage } from './Page.ts'
import type { Person } from './Person.ts'
import { BUSY_MS, type WorldPlan } from './plan.ts'
import { Scene } from './Scene.ts'
import { World } from './World.ts'

/** Then everybody is connected and nobody types: longer than what is silent is waited for. */
const QUIET_MS = 65_000
/** A promise of the process's that nobody took an interest in. */
const YIELD_MS = 5000

export interface Outcome {
  /** Of all that happened. */
  readonly hash: string
  readonly counts: ReadonlyMap<string, number>
  /** What must never be, in the order in which it was seen; of a good run none. */
  readonly problems: readonly string[]
  /** In words, where they were asked for. */
  readonly lines: readonly string[]
}

/** Runs one history. */
export async function run(plan: WorldPlan, isTraceKept = false): Promise<Outcome> {
  const world = new World(plan, isTraceKept)
  const rejected = (error: unknown) => world.problem(`a promise was rejected and nobody heard it: ${describe(error)}`)
  process.on('unhandledRejection', rejected)
  try {
    await play(world)
  } catch (error) {
    // What a callback throws ends a process.
    world.problem(`the process ended: ${describe(error)}`)
  } finally {
    process.off('unhandledRejection', rejected)
  }
  const { trace, counters, problems } = world
  return { hash: trace.hash, counts: counters.counts, problems, lines: trace.lines ?? [] }
}

async function play(world: World): Promise<void> {
  const { clock, problems } = world
  const scene = new Scene(world)
  clock.afterStep = () => world.watch()
  scene.begin()
  const pass = async (end: number) => {
    while (clock.now() < end) {
      await clock.runUntil(Math.min(end, clock.now() + YIELD_MS))
      if (problems.length > 0) return true
    }
    return false
  }
  if (await pass(BUSY_MS)) return
  scene.endFaults()
  if (await pass(BUSY_MS + QUIET_MS)) return
  // A provider from 3 on counts 1 when it begins to sync, and is paid it.
  for (const { pages, link } of scene.people) if (pages.some(page => page instanceof CountingPage)) link?.cut()
  for (const person of scene.people) {
    if (person.dialect !== 'hocuspocus') continue
    person.goOffline()
    person.goOnline()
  }
  if (await pass(BUSY_MS + QUIET_MS + 5000)) return
  await check(scene)
}

async function check(scene: Scene): Promise<void> {
  const { world } = scene
  const { life, ledger, plan, clock } = world
  if (life === null || life.log === null) {
    world.problem('the server is not up in the end')
    return
  }
  for (const documentId of plan.documents) {
    const book = ledger.book(documentId)
    if (book.isDamaged && !(await isReadable(world, documentId))) continue
    const people = scene.people.filter(({ pages }) => pages.some(page => page.documentId === documentId))
    const reading = life.log.read(documentId)
    await clock.runUntil(clock.now() + 500)
    const stored = await reading
    if (stored.deletedAt !== null) {
      world.problem(`${documentId} is deleted in the end`)
      continue
    }
    const replayed = createDocument(2)
    for (const problem of checkStoredDocument(stored, { doc: replayed })) world.problem(`${documentId}: ${problem}`)
    checkSafely(world, replayed, `the log of ${documentId}`)
    compare(world, book.replay, replayed, `all entries that were ever written and the log of ${documentId}`)
    const present = new OperationSet()
    present.add(operationsOf(Y.encodeStateAsUpdate(replayed)))
    ledger.checkPromises(documentId, present)
    for (const person of people) checkPerson(world, person, documentId, replayed, people)
    await checkFresh(world, documentId, replayed)
  }
}

async function isReadable(world: World, documentId: DocumentId): Promise<boolean> {
  const reading = world.life?.log?.read(documentId).then(
    () => true,
    () => false,
  )
  await world.clock.runUntil(world.clock.now() + 500)
  return (await reading) ?? false
}

function checkPerson(
  world: World,
  person: Person,
  documentId: DocumentId,
  replayed: Y.Doc,
  people: readonly Person[],
): void {
  for (const page of person.pages) {
    if (page.documentId !== documentId) continue
    const name = `person ${person.number} (${person.dialect}) in ${documentId}`
    if (!page.isSynced) {
      // A Hocuspocus socket is renewed for the document that can't be read.
      if (person.pages.some(other => world.ledger.book(other.documentId).isDamaged)) continue
      world.problem(`${name} is not synced in the end`)
      continue
    }
    checkSafely(world, page.doc, name)
    compare(world, replayed, page.doc, `the log and ${name}`)
    if (page instanceof CountingPage && !person.isVersion2 && page.unsynced > 0) {
      world.problem(`${name} counts ${page.unsynced} unsynced changes though everything is on disk`)
    }
    const here = new Set(
      people
        .flatMap(({ pages }) => pages.filter(other => other.documentId === documentId))
        .map(other => other.clientID),
    )
    for (const clientID of page.others.keys()) {
      if (!here.has(clientID)) world.problem(`${name} still sees client ${clientID}, who is gone`)
    }
  }
}

/** A client that has nothing gets the same. */
async function checkFresh(world: World, documentId: DocumentId, replayed: Y.Doc): Promise<void> {
  const reader = new FreshReader(world, documentId)
  await world.clock.runUntil(world.clock.now() + 3000)
  if (!reader.isSynced) world.problem(`a fresh client of ${documentId} is not synced after 3 s`)
  else compare(world, replayed, reader.doc, `the log and a fresh client of ${documentId}`)
}

function checkSafely(world: World, doc: Y.Doc, what: string): void {
  try {
    checkDocument(doc)
  } catch (error) {
    world.problem(`${what}: ${describe(error)}`)
  }
}

function compare(world: World, a: Y.Doc, b: Y.Doc, what: string): void {
  if (!Buffer.from(Y.encodeStateVector(a)).equals(Y.encodeStateVector(b))) {
    world.problem(`${what} have different state vectors: ${describeState(a)} and ${describeState(b)}`)
    return
  }
  const [left, right] = [JSON.stringify(contentOf(a), writable), JSON.stringify(contentOf(b), writable)]
  if (left !== right) world.problem(`${what} have different content:\n${left}\n${right}`)
}

function describeState(doc: Y.Doc): string {
  return JSON.stringify([...Y.decodeStateVector(Y.encodeStateVector(doc))].sort())
}

/** Maps and attributes in the order of their keys, and what JSON has no word for. */
function writable(_: string, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1))
  if (typeof value === 'bigint') return `${value}n`
  if (value === undefined) return 'undefined'
  return value
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
