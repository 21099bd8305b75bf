import * as Y from 'yjs'
import { ByteReader } from './ByteReader.ts'
import { Client, EMPTY_UPDATE, type Target } from './Client.ts'
import { Coverage } from './Coverage.ts'
import { Histogram, type HistogramData } from './Histogram.ts'
import { Random } from './Random.ts'
import { readStructs } from './readStructs.ts'
import { runSchedule, type Schedule, spreadEvenly } from './schedule.ts'
import { type Traffic, trafficOf } from './Traffic.ts'
import { encodeTypedUpdate } from './typedUpdate.ts'

/** Who types what. All clients of a document are in one process: its clock tells when an edit left and when it came. */
export interface TypingPlan {
  readonly target: Target
  readonly documents: readonly string[]
  readonly writersPerDocument: number
  /** Clients that only listen, beside the writers, who listen too. */
  readonly readersPerDocument?: number
  /** Characters per update. */
  readonly updateChars?: number
  /** A delivery may take so long before it counts as lost. Default 30 000. */
  readonly patienceMs?: number
  readonly seed: number
}

/** What came of a stretch of typing. */
export interface TypingResult {
  /** Updates that were written. */
  readonly sent: number
  /** Deliveries that have to happen (each update to each other client of its document), and those that did not. */
  readonly expected: number
  readonly missing: number
  /** From the moment an update was written to a socket until another client had it. */
  readonly latency: HistogramData
  /** How late the load itself was, against its own plan. */
  readonly lateness: HistogramData
  readonly traffic: Traffic
  /** Clients that a server sent away: some of them, and how many they are. */
  readonly ended: readonly string[]
  readonly endedCount: number
}

const PATIENCE_MS = 30_000

interface Writer {
  readonly clientID: number
  readonly root: string
  /** When each of its updates was written, ms. */
  readonly sentAt: number[]
}

interface Document {
  readonly name: string
  readonly writers: readonly Writer[]
  readonly indexOf: ReadonlyMap<number, number>
}

interface Delivery {
  readonly writer: number
  readonly clock: number
  readonly end: number
}

/** One client: a writer (with an index) or a reader (-1), and what it has got of every writer. */
class Participant {
  readonly document: Document
  readonly own: number
  /** Per writer: the next clock that it expects. */
  readonly next: Float64Array
  /** What came before its predecessor did; Yjs keeps such updates pending. */
  readonly early: Delivery[] = []
  /** All updates that it got or wrote, where they are kept for the check at the end. */
  readonly kept: Uint8Array[] | null
  client: Client | null = null

  constructor(document: Document, own: number, isKept: boolean) {
    this.document = document
    this.own = own
    this.next = new Float64Array(document.writers.length)
    this.kept = isKept ? [] : null
  }
}

/** People who type: single characters at a steady rate, each at the end of a text of their own. */
export class TypingLoad {
  #plan: TypingPlan | null = null
  #documents: Document[] = []
  #participants: Participant[] = []
  /** Reads nothing for a while, and isn't waited for. */
  readonly #stopped = new Set<Participant>()
  #chars = 1
  #text: Uint8Array = new Uint8Array(0)
  #random = new Random(0)
  #latency = new Histogram()
  #sent = 0
  #expected = 0
  #delivered = 0
  #lastDeliveryAt = 0
  #ended: string[] = []
  readonly #reader = new ByteReader()
  // Set per message, for `struct`.
  #now = 0
  #current: Participant | null = null

  /** Connects everybody; resolves when all are in sync. */
  async open(plan: TypingPlan): Promise<void> {
    this.#plan = plan
    this.#chars = plan.updateChars ?? 1
    this.#text = Buffer.alloc(this.#chars, 'the quick brown fox jumps over the lazy dog ')
    this.#random = new Random(plan.seed)
    this.#documents = plan.documents.map(name => this.#makeDocument(name, plan.writersPerDocument))
    const readers = plan.readersPerDocument ?? 0
    this.#participants = this.#documents.flatMap((document, place) => {
      const indexes = [...document.writers.keys(), ...Array.from({ length: readers }, () => -1)]
      // One client of one document keeps all it gets, for the check with a real `Y.Doc`.
      return indexes.map((own, i) => new Participant(document, own, place === 0 && i === 0))
    })
    // In waves, so that no server refuses connections that come faster than it listens.
    for (let i = 0; i < this.#participants.length; i += 50) {
      await Promise.all(this.#participants.slice(i, i + 50).map(participant => this.#connect(plan.target, participant)))
    }
  }

  /** Types; resolves when every update has arrived everywhere, or nothing has arrived for too long. */
  async type(perSecond: number, seconds: number): Promise<TypingResult> {
    const writers = this.#participants.filter(participant => participant.own >= 0)
    const schedule = spreadEvenly(this.#random, writers.length, perSecond, seconds)
    return this.#measure(lateness => this.#follow(schedule, writers, lateness))
  }

  /** One writer types as fast as its updates arrive at one reader: at most `ahead` are under way. */
  async pour(updates: number, ahead: number): Promise<TypingResult> {
    const [writer, reader] = this.#participants
    if (writer === undefined || reader === undefined) throw new Error('pouring takes a writer and a reader')
    return this.#measure(async () => {
      const from = this.#delivered
      for (let sent = 0; sent < updates; ) {
        for (; sent < updates && sent - (this.#delivered - from) < ahead; sent++) this.#write(writer)
        await new Promise(resolve => setImmediate(resolve))
        if (performance.now() - this.#lastDeliveryAt > this.#patienceMs) return
      }
    })
  }

  /** The first `count` readers stop reading. */
  stopReading(count: number): void {
    for (const participant of this.#participants.filter(({ own }) => own < 0).slice(0, count)) {
      this.#stopped.add(participant)
      participant.client?.socket.pause()
    }
  }

  /** They read again; resolves when they have everything, with how long that took and how much did not come. */
  async readAgain(): Promise<{ ms: number; missing: number }> {
    const begin = performance.now()
    const behind = [...this.#stopped]
    this.#stopped.clear()
    this.#expected += behind.reduce((sum, participant) => sum + this.#missingOf(participant), 0)
    for (const participant of behind) participant.client?.socket.resume()
    await this.#settled()
    return {
      ms: performance.now() - begin,
      missing: behind.reduce((sum, participant) => sum + this.#missingOf(participant), 0),
    }
  }

  /**
   * What the server keeps: a fresh client of every document must get everything that was ever typed, and what one client of
   * the first document got must be, in a real `Y.Doc`, what the fresh client gets.
   * @returns what is wrong
   */
  async check(): Promise<string[]> {
    const { target } = this.#requirePlan()
    if (target.dialect === 'relay') return []
    const problems: string[] = []
    for (const document of this.#documents) {
      const updates = await this.#joinFresh(target, document.name)
      const coverage = new Coverage()
      for (const update of updates) coverage.add(update)
      for (const { clientID, sentAt } of document.writers) {
        const [typed, got] = [sentAt.length * this.#chars, coverage.next.get(clientID) ?? 0]
        if (got !== typed) problems.push(`${document.name}: a fresh client gets ${got} of ${typed} characters`)
      }
      const kept = this.#participants.find(participant => participant.document === document)?.kept
      if (kept != null && !areEqual(kept, updates)) problems.push(`${document.name}: replicas did not converge`)
    }
    return problems.slice(0, 10)
  }

  close(): void {
    for (const { client } of this.#participants) client?.close()
  }

  // ── StructVisitor ─────────────────────────────────────────────────────────────────────────────────────────────────

  struct(clientID: number, clock: number, length: number): void {
    const participant = this.#current
    if (participant === null) return
    const writer = participant.document.indexOf.get(clientID)
    if (writer === undefined) throw new Error(`operations of an unknown client ${clientID}`)
    if (writer === participant.own) return
    if (clock > (participant.next[writer] ?? 0)) {
      participant.early.push({ writer, clock, end: clock + length })
      return
    }
    this.#deliver(participant, writer, clock + length)
    if (participant.early.length > 0) this.#deliverEarly(participant)
  }

  #deliver(participant: Participant, writer: number, end: number): void {
    const next = participant.next[writer] ?? 0
    if (end <= next) return
    const sentAt = participant.document.writers[writer]?.sentAt ?? []
    for (let clock = next; clock < end; clock += this.#chars) {
      this.#latency.add(this.#now - (sentAt[Math.floor(clock / this.#chars)] ?? Number.NaN))
      if (!this.#stopped.has(participant)) this.#delivered++
    }
    participant.next[writer] = end
    this.#lastDeliveryAt = this.#now
  }

  #deliverEarly(participant: Participant): void {
    for (let i = 0; i < participant.early.length; i++) {
      const early = participant.early[i]
      if (early === undefined || early.clock > (participant.next[early.writer] ?? 0)) continue
      participant.early.splice(i, 1)
      this.#deliver(participant, early.writer, early.end)
      i = -1
    }
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #makeDocument(name: string, writerCount: number): Document {
    const writers = Array.from({ length: writerCount }, (_, i) => ({
      clientID: this.#random.clientID(),
      root: `text${i}`,
      sentAt: [],
    }))
    return { name, writers, indexOf: new Map(writers.map((writer, i) => [writer.clientID, i])) }
  }

  async #connect(target: Target, participant: Participant): Promise<void> {
    const client = await Client.open(target, participant.document.name, {
      update: update => this.#receive(participant, update),
      awareness: () => {},
      answer: () => EMPTY_UPDATE,
      ended: reason => this.#ended.push(`${participant.document.name}: ${reason}`),
    })
    participant.client = client
    await client.sync()
  }

  #receive(participant: Participant, update: Uint8Array): void {
    this.#now = performance.now()
    this.#current = participant
    readStructs(this.#reader.reset(update), this)
    participant.kept?.push(new Uint8Array(update))
  }

  async #follow(schedule: Schedule, writers: readonly Participant[], lateness: Histogram): Promise<void> {
    await runSchedule(schedule, lateness, index => {
      const writer = writers[index]
      if (writer !== undefined) this.#write(writer)
    })
  }

  #write(participant: Participant): void {
    const { document, own, client, kept } = participant
    const writer = document.writers[own]
    if (writer === undefined || client === null) throw new Error('only a connected writer writes')
    const update = encodeTypedUpdate(writer.clientID, writer.root, writer.sentAt.length * this.#chars, this.#text)
    kept?.push(update)
    writer.sentAt.push(performance.now())
    client.sendUpdate(update)
    this.#sent++
    this.#expected += this.#audience(document)
  }

  /** How many others must get an update. */
  #audience(document: Document): number {
    const { writersPerDocument, readersPerDocument = 0 } = this.#requirePlan()
    let count = writersPerDocument + readersPerDocument - 1
    for (const participant of this.#stopped) if (participant.document === document) count--
    return count
  }

  async #measure(load: (lateness: Histogram) => Promise<void>): Promise<TypingResult> {
    this.#latency = new Histogram()
    const lateness = new Histogram()
    const [sent, expected, delivered] = [this.#sent, this.#expected, this.#delivered]
    const before = trafficOf(this.#participants.map(({ client }) => client))
    this.#lastDeliveryAt = performance.now()
    await load(lateness)
    await this.#settled()
    return {
      sent: this.#sent - sent,
      expected: this.#expected - expected,
      missing: this.#expected - expected - (this.#delivered - delivered),
      latency: this.#latency.toJSON(),
      lateness: lateness.toJSON(),
      traffic: trafficOf(
        this.#participants.map(({ client }) => client),
        before,
      ),
      ended: this.#ended.slice(0, 5),
      endedCount: this.#ended.length,
    }
  }

  async #settled(): Promise<void> {
    this.#lastDeliveryAt = Math.max(this.#lastDeliveryAt, performance.now())
    while (this.#delivered < this.#expected && performance.now() - this.#lastDeliveryAt < this.#patienceMs) {
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  #missingOf({ document, own, next }: Participant): number {
    return document.writers.reduce(
      (sum, { sentAt }, index) => (index === own ? sum : sum + sentAt.length - (next[index] ?? 0) / this.#chars),
      0,
    )
  }

  async #joinFresh(target: Target, name: string): Promise<Uint8Array[]> {
    const updates: Uint8Array[] = []
    const client = await Client.open(target, name, {
      update: update => updates.push(new Uint8Array(update)),
      awareness: () => {},
      answer: () => EMPTY_UPDATE,
      ended: () => {},
    })
    await client.sync()
    client.close()
    return updates
  }

  get #patienceMs(): number {
    return this.#requirePlan().patienceMs ?? PATIENCE_MS
  }

  #requirePlan(): TypingPlan {
    if (this.#plan === null) throw new Error('no one is connected yet')
    return this.#plan
  }
}

/** Whether two lists of updates make the same document. */
function areEqual(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  const [a, b] = [left, right].map(updates => {
    const doc = new Y.Doc()
    doc.transact(() => {
      for (const update of updates) Y.applyUpdate(doc, update)
    })
    const texts = [...doc.share.keys()].sort().map(root => `${root}: ${doc.getText(root)}`)
    return `${texts.join('\n')}\n${JSON.stringify([...Y.decodeStateVector(Y.encodeStateVector(doc))].sort())}`
  })
  return a === b
}
