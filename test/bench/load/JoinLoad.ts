import { crc32 } from 'node:zlib'
import { Client, EMPTY_STATE_VECTOR, EMPTY_UPDATE, type Target } from './Client.ts'
import { Coverage } from './Coverage.ts'
import { Histogram, type HistogramData } from './Histogram.ts'
import { type Source, TestDocument } from './TestDocument.ts'
import { type Traffic, trafficOf } from './Traffic.ts'

/** Sockets that are being opened at the same time: below every server's accept queue. */
const OPENING = 200
const PATIENCE_MS = 120_000
/** A message above this came in pieces, and has its bytes to itself. */
const OWN_BYTES = 256 * 1024

/** What was prepared. */
export interface DocumentFigures {
  readonly updates: number
  readonly updateBytes: number
  readonly stateBytes: number
}

/** What came of a wave of clients. */
export interface JoinResult {
  readonly clients: number
  /** Clients that don't have everything, and why. */
  readonly missing: number
  readonly problems: readonly string[]
  /** From the beginning of the wave until a client had everything, ms. */
  readonly times: HistogramData
  /** Until the last had it, ms. */
  readonly wallMs: number
  /** From the beginning of the wave until the first client was told that it is in sync: some servers say so too early. */
  readonly firstSyncedMs: number
  readonly traffic: Traffic
  /** Clients that were asked for everything although the server had it before. */
  readonly uploads: number
}

/** One client that wants a whole document. */
class Joiner {
  readonly #document: TestDocument
  readonly #knownDigests: Set<number>
  readonly #coverage = new Coverage()
  #undecoded: Uint8Array[] = []
  readonly kept: Uint8Array[] | null
  #digest = 0
  #isSynced = false
  isComplete = false
  #isOver: { resolve: () => void; reject: (error: Error) => void } | null = null

  constructor(document: TestDocument, knownDigests: Set<number>, isKept: boolean) {
    this.#document = document
    this.#knownDigests = knownDigests
    this.kept = isKept ? [] : null
  }

  receive(update: Uint8Array): void {
    if (this.isComplete) return
    const own = update.length > OWN_BYTES ? update : new Uint8Array(update)
    this.#undecoded.push(own)
    this.kept?.push(own)
    this.#digest = crc32(own, this.#digest)
    if (this.#isSynced) this.check()
  }

  /** The server says that it is in sync. Resolves when it has everything, which may be later. */
  async complete(patienceMs: number): Promise<void> {
    this.#isSynced = true
    this.check()
    if (this.isComplete) return
    const timer = setTimeout(() => this.fail(new Error('not complete in time')), patienceMs)
    await new Promise<void>((resolve, reject) => {
      this.#isOver = { resolve, reject }
    }).finally(() => clearTimeout(timer))
  }

  fail(error: Error): void {
    this.#isOver?.reject(error)
    this.#isOver = null
  }

  /**
   * Decoding a large document takes longer than sending it: who got the very bytes that another one found complete has
   * everything too.
   */
  check(): void {
    if (this.isComplete) return
    if (!this.#knownDigests.has(this.#digest)) {
      for (const update of this.#undecoded) this.#coverage.add(update)
      this.#undecoded = []
      if (!this.#coverage.holds(this.#document.stateVector)) return
      this.#knownDigests.add(this.#digest)
    }
    this.#undecoded = []
    this.isComplete = true
    this.#isOver?.resolve()
    this.#isOver = null
  }
}

/** Clients that open documents: alone, in waves, again after a restart. */
export class JoinLoad {
  #document: TestDocument | null = null
  readonly #open: Client[] = []
  /** Quiet clients that were sent away. */
  readonly #sentAway: string[] = []

  /** Makes the content that all documents of this process have. */
  prepare(source: Source, updates: number): DocumentFigures {
    this.#document = TestDocument.make(source, updates)
    return {
      updates: this.#document.updates.length,
      updateBytes: this.#document.updates.reduce((sum, update) => sum + update.length, 0),
      stateBytes: this.#document.state.length,
    }
  }

  /** Writes the content into new documents, one client each; resolves when the server answers with all of it. */
  async write(target: Target, documents: readonly string[]): Promise<void> {
    const document = this.#requireDocument()
    await inTurns(documents, 20, async name => {
      const coverage = new Coverage()
      let failure: Error | null = null
      const client = await Client.open(target, name, {
        update: update => coverage.add(update),
        awareness: () => {},
        answer: () => EMPTY_UPDATE,
        ended: reason => {
          failure = new Error(`${name}: ${reason}`)
        },
      })
      await client.sync()
      for (const update of document.updates) client.sendUpdate(update)
      // Asked after the last update, so that the answer holds all of them.
      for (let wait = 0; !coverage.holds(document.stateVector); wait++) {
        if (failure !== null) throw failure
        if (wait * 1000 > PATIENCE_MS) throw new Error(`${name}: the server doesn't have what was written`)
        client.ask(EMPTY_STATE_VECTOR)
        await until(() => coverage.holds(document.stateVector) || failure !== null, 1000)
      }
      client.close()
    })
  }

  /**
   * New clients join, all at once; resolves when all have everything.
   * @param isStaying whether they stay connected
   */
  join(
    target: Target,
    documents: readonly string[],
    clientsPerDocument: number,
    isStaying: boolean,
  ): Promise<JoinResult> {
    return this.#wave(target, documents, clientsPerDocument, isStaying, false)
  }

  /** Clients that have everything come back, all at once; resolves when all are told that they are in sync. */
  rejoin(
    target: Target,
    documents: readonly string[],
    clientsPerDocument: number,
    isStaying: boolean,
  ): Promise<JoinResult> {
    return this.#wave(target, documents, clientsPerDocument, isStaying, true)
  }

  /** Empty documents, and clients that only stay. */
  async connect(target: Target, documents: readonly string[], clientsPerDocument: number): Promise<void> {
    const names = documents.flatMap(name => Array.from({ length: clientsPerDocument }, () => name))
    await inTurns(names, OPENING, async name => {
      const client = await Client.open(target, name, {
        update: () => {},
        awareness: () => {},
        answer: () => EMPTY_UPDATE,
        ended: reason => this.#sentAway.push(`${name}: ${reason}`),
      })
      await client.sync()
      this.#open.push(client)
    })
  }

  /** How many quiet clients are still connected, and why others are not. */
  staying(): { open: number; problems: string[] } {
    return { open: this.#open.length - this.#sentAway.length, problems: this.#sentAway.slice(0, 5) }
  }

  /** Everybody leaves. */
  leave(): void {
    for (const client of this.#open) client.close()
    this.#open.length = 0
  }

  async #wave(
    target: Target,
    documents: readonly string[],
    clientsPerDocument: number,
    isStaying: boolean,
    isReturning: boolean,
  ): Promise<JoinResult> {
    const document = this.#requireDocument()
    const names = documents.flatMap(name => Array.from({ length: clientsPerDocument }, () => name))
    const knownDigests = new Set<number>()
    const times = new Histogram()
    const problems: string[] = []
    const clients: Client[] = []
    const joiners: Joiner[] = []
    let uploads = 0
    // When the last client was done.
    let wallMs = 0
    let firstSyncedMs = Number.POSITIVE_INFINITY
    const begin = performance.now()
    const finishing: Promise<void>[] = []
    await inTurns(names, OPENING, async (name, index) => {
      const joiner = new Joiner(document, knownDigests, index === 0 && !isReturning)
      joiners.push(joiner)
      const failed = (error: unknown) => {
        problems.push(`${name}: ${error instanceof Error ? error.message : error}`)
      }
      try {
        const client = await Client.open(target, name, {
          update: update => {
            if (!isReturning) joiner.receive(update)
          },
          awareness: () => {},
          answer: stateVector => {
            if (!isReturning) return EMPTY_UPDATE
            const answer = document.answer(stateVector)
            if (answer !== document.deletions) uploads++
            return answer
          },
          ended: reason => joiner.fail(new Error(reason)),
        })
        clients.push(client)
        const finish = async () => {
          await client.sync(isReturning ? document.encodedStateVector : EMPTY_STATE_VECTOR)
          firstSyncedMs = Math.min(firstSyncedMs, performance.now() - begin)
          if (isReturning) joiner.isComplete = true
          else await joiner.complete(PATIENCE_MS)
          wallMs = performance.now() - begin
          times.add(wallMs)
        }
        finishing.push(finish().catch(failed))
      } catch (error) {
        failed(error)
      }
    })
    await Promise.all(finishing)
    const traffic = trafficOf(clients)
    if (isStaying) this.#open.push(...clients)
    else for (const client of clients) client.close()
    const kept = joiners[0]?.kept
    if (kept != null && !document.isMadeBy(kept)) problems.push('the first client got another document')
    return {
      clients: names.length,
      missing: joiners.filter(({ isComplete }) => !isComplete).length,
      problems: problems.slice(0, 5),
      times: times.toJSON(),
      wallMs,
      firstSyncedMs,
      traffic,
      uploads,
    }
  }

  #requireDocument(): TestDocument {
    if (this.#document === null) throw new Error('no document was prepared')
    return this.#document
  }
}

/** Does something with all items, so many at a time, in their order. */
async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  act: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < items.length) {
      const index = next++
      const item = items[index]
      if (item !== undefined) await act(item, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
}

async function until(isTrue: () => boolean, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!isTrue() && performance.now() < end) await new Promise(resolve => setTimeout(resolve, 2))
}
