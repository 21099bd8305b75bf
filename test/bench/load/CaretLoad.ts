import { ByteReader } from './ByteReader.ts'
import { ByteWriter } from './ByteWriter.ts'
import { Client, EMPTY_UPDATE, type Target } from './Client.ts'
import { Histogram, type HistogramData } from './Histogram.ts'
import { Random } from './Random.ts'
import { runSchedule, spreadEvenly } from './schedule.ts'
import { type Traffic, trafficOf } from './Traffic.ts'

/** Who moves a caret in one document. */
export interface CaretPlan {
  readonly target: Target
  readonly document: string
  readonly clients: number
  /** Every client sends back what it hears of others, as `y-websocket`'s client and Hocuspocus' provider up to 3 do. */
  readonly isEchoing: boolean
  readonly seed: number
}

/** What came of a stretch of moving. */
export interface CaretResult {
  readonly moves: number
  /** Pairs of clients of which one doesn't know where the other's caret is in the end. */
  readonly missing: number
  /**
   * From the moment a caret's place was written to a socket until another client knew that place or a newer one: a server may
   * leave out places that were overtaken.
   */
  readonly latency: HistogramData
  readonly lateness: HistogramData
  readonly traffic: Traffic
  readonly echoes: number
  readonly ended: readonly string[]
}

const PATIENCE_MS = 30_000
/** One of so many states that arrive is parsed, and compared with what was sent. */
const CHECK_EVERY = 1000

class Caret {
  readonly index: number
  readonly clientID: number
  /** When each clock was sent, ms. */
  readonly sentAt: number[] = []
  /** Per client: the last clock that it heard. */
  readonly heard: Float64Array
  client: Client | null = null

  constructor(index: number, clientID: number, clients: number) {
    this.index = index
    this.clientID = clientID
    this.heard = new Float64Array(clients)
  }

  get clock(): number {
    return this.sentAt.length
  }
}

/** People who move their carets, in one document. */
export class CaretLoad {
  #isEchoing = false
  #random = new Random(0)
  #carets: Caret[] = []
  #indexOf = new Map<number, number>()
  #latency = new Histogram()
  #moves = 0
  #echoes = 0
  #states = 0
  #lastNewsAt = 0
  #ended: string[] = []
  readonly #reader = new ByteReader()
  readonly #writer = new ByteWriter()

  /** Connects everybody, and lets everybody hear of everybody. */
  async open(plan: CaretPlan): Promise<void> {
    this.#isEchoing = plan.isEchoing
    this.#random = new Random(plan.seed)
    this.#carets = Array.from(
      { length: plan.clients },
      (_, index) => new Caret(index, this.#random.smallClientID(), plan.clients),
    )
    this.#indexOf = new Map(this.#carets.map(({ clientID, index }) => [clientID, index]))
    for (let i = 0; i < this.#carets.length; i += 50) {
      await Promise.all(this.#carets.slice(i, i + 50).map(caret => this.#connect(plan, caret)))
    }
    for (const caret of this.#carets) this.#move(caret)
    await this.#settled()
  }

  /** Moves; resolves when everybody knows where everybody is, or no news has come for too long. */
  async move(perSecond: number, seconds: number): Promise<CaretResult> {
    this.#latency = new Histogram()
    const lateness = new Histogram()
    const [moves, echoes] = [this.#moves, this.#echoes]
    const before = trafficOf(this.#carets.map(({ client }) => client))
    await runSchedule(spreadEvenly(this.#random, this.#carets.length, perSecond, seconds), lateness, index => {
      const caret = this.#carets[index]
      if (caret !== undefined) this.#move(caret)
    })
    await this.#settled()
    return {
      moves: this.#moves - moves,
      missing: this.#missing(),
      latency: this.#latency.toJSON(),
      lateness: lateness.toJSON(),
      traffic: trafficOf(
        this.#carets.map(({ client }) => client),
        before,
      ),
      echoes: this.#echoes - echoes,
      ended: this.#ended.slice(0, 5),
    }
  }

  close(): void {
    for (const { client } of this.#carets) client?.close()
  }

  async #connect({ target, document }: CaretPlan, caret: Caret): Promise<void> {
    const client = await Client.open(target, document, {
      update: () => {},
      awareness: payload => this.#receive(caret, payload),
      answer: () => EMPTY_UPDATE,
      ended: reason => this.#ended.push(reason),
    })
    caret.client = client
    await client.sync()
  }

  /** A state such as TipTap's caret extension sends: user, and both ends of the selection as relative positions. */
  #state(caret: Caret): Buffer {
    const position = {
      type: { client: caret.clientID, clock: 0 },
      tname: null,
      item: { client: caret.clientID, clock: caret.clock },
      assoc: 0,
    }
    return Buffer.from(
      JSON.stringify({
        user: { name: `Writer ${caret.index}`, color: '#30bced' },
        cursor: { anchor: position, head: position },
      }),
    )
  }

  #move(caret: Caret): void {
    caret.sentAt.push(performance.now())
    caret.client?.sendAwareness(
      this.#writer.clear().varUint(1).varUint(caret.clientID).varUint(caret.clock).varBytes(this.#state(caret)).take(),
    )
    this.#moves++
  }

  #receive(caret: Caret, payload: Uint8Array): void {
    const now = performance.now()
    const reader = this.#reader.reset(payload)
    // What is news goes back as it came: in stretches, not state by state.
    let [newsCount, from, to] = [0, 0, 0]
    const stretches: Uint8Array[] = []
    for (let count = reader.varUint(); count > 0; count--) {
      const begin = reader.position
      const clientID = reader.varUint()
      const clock = reader.varUint()
      const length = reader.varUint()
      const jsonAt = reader.position
      reader.skip(length)
      const index = this.#indexOf.get(clientID)
      if (index === undefined) throw new Error(`the state of an unknown client ${clientID}`)
      const known = caret.heard[index] ?? 0
      if (index === caret.index || clock <= known) continue
      if (this.#states++ % CHECK_EVERY === 0) this.#check(index, clock, payload.subarray(jsonAt, reader.position))
      const sentAt = this.#carets[index]?.sentAt ?? []
      for (let c = known + 1; c <= clock; c++) this.#latency.add(now - (sentAt[c - 1] ?? Number.NaN))
      caret.heard[index] = clock
      newsCount++
      if (begin !== to) {
        if (to > from) stretches.push(payload.subarray(from, to))
        from = begin
      }
      to = reader.position
    }
    if (newsCount === 0) return
    this.#lastNewsAt = now
    if (!this.#isEchoing) return
    const writer = this.#writer.clear().varUint(newsCount)
    for (const stretch of stretches) writer.bytes(stretch)
    caret.client?.sendAwareness(writer.bytes(payload.subarray(from, to)).view())
    this.#echoes++
  }

  #check(index: number, clock: number, json: Uint8Array): void {
    const state: unknown = JSON.parse(Buffer.from(json).toString())
    const expected = `"clock":${clock}},"assoc":0}}}`
    const isRight = JSON.stringify(state).endsWith(expected) && JSON.stringify(state).includes(`"Writer ${index}"`)
    if (!isRight) throw new Error(`a state is not the one that client ${index} sent at clock ${clock}`)
  }

  #missing(): number {
    let missing = 0
    for (const { heard, index } of this.#carets) {
      for (const other of this.#carets) if (other.index !== index && heard[other.index] !== other.clock) missing++
    }
    return missing
  }

  async #settled(): Promise<void> {
    this.#lastNewsAt = performance.now()
    while (this.#missing() > 0 && performance.now() - this.#lastNewsAt < PATIENCE_MS) {
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}
