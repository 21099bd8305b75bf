import type { DocumentId } from '@weft/protocol'
import { Random } from '../../crdt/Random.ts'
import { SimulatedClock, tick } from '../SimulatedClock.ts'
import { Counters } from './Counters.ts'
import { Disk } from './Disk.ts'
import { Ledger } from './Ledger.ts'
import { ServerLife } from './Life.ts'
import { Link, type LinkHost, type LinkRequest } from './Link.ts'
import { operationsOf } from './operations.ts'
import type { WorldPlan } from './plan.ts'
import { TakenBack } from './SimulatedAccess.ts'
import { Trace } from './Trace.ts'

/** The moment of a process's life at which it is to die: in the middle of what the server waits for. */
export interface Doom {
  readonly moment: 'load' | 'commit' | 'compaction' | 'unload'
  /** So many steps of promises after it. */
  readonly steps: number
  readonly isPowerCut: boolean
}

/** One clock, one disk, one network, and one server after the other. */
export class World {
  readonly clock = new SimulatedClock(tick)
  readonly counters = new Counters()
  readonly trace: Trace
  readonly random: Random
  readonly disk: Disk
  readonly ledger: Ledger
  readonly takenBack = new TakenBack()
  readonly plan: WorldPlan
  readonly problems: string[] = []
  readonly idleMs: number
  readonly isAsking: boolean
  workerFailureRate = 0
  /** A fault that was made lets the server log errors, and end sessions with "our fault". */
  hasFaults = false
  /** The disk, or the process, stood still for a while. */
  hasStalled = false
  lifeNumber = 0
  life: ServerLife | null = null
  doom: Doom | null = null
  #linkCount = 0

  constructor(plan: WorldPlan, isTraceKept: boolean) {
    this.plan = plan
    this.trace = new Trace(isTraceKept)
    this.random = new Random(plan.seed)
    this.idleMs = plan.idleMs
    this.isAsking = plan.isAsking
    this.disk = new Disk(this.clock, new Random(plan.seed ^ 0x5f356495), this.counters)
    this.ledger = new Ledger(plan.documents, text => this.problem(text))
    this.disk.onDurable = records => {
      for (const operations of records) {
        for (const { key, value } of operations) this.trace.add(this.clock.now(), 'disk', key[17] ?? 0, value ?? key)
      }
      this.ledger.stored(records)
    }
    this.disk.onTold = () => this.ledger.told()
    this.disk.onCall = what => {
      if (what === 'sync') this.counters.add('commit')
      if (what === 'read') this.#meet('load')
      else this.#meet('commit')
    }
  }

  /** Something that must never be. */
  problem(text: string): void {
    this.problems.push(`at ${this.clock.now().toFixed(1)} ms: ${text}`)
    this.trace.lines?.push(`! ${text}`)
  }

  serverError(error: Error | undefined, text: string): void {
    this.trace.lines?.push(`! logged: ${text}: ${error?.stack}`)
    if (/damaged/.test(error?.message ?? '')) this.counters.add('damage found')
    if (/can't be written to: its head is/.test(error?.message ?? '')) {
      this.problem(`the head of a document moved under its room: ${error?.message}`)
    }
    // Edits that were on their way to a document when it was deleted.
    if (/was deleted/.test(error?.message ?? '') && this.plan.deletable.length > 0) return
    if (this.hasStalled && /the disk does not answer/.test(text)) return
    if (!this.hasFaults) this.problem(`the server logged an error without a fault: ${text}: ${error?.stack ?? error}`)
  }

  // ── Process ───────────────────────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    if (this.life !== null) return
    const life = new ServerLife(this)
    this.life = life
    this.lifeNumber++
    this.trace.add(this.clock.now(), 'start', this.lifeNumber)
    life.start().catch(error => {
      if (life.isOver) return
      this.trace.lines?.push(`! no start: ${error}`)
      // It ends, and whoever watches over it starts it again.
      this.#end(life, false)
      if (!this.hasFaults) this.problem(`the server does not start: ${error?.stack ?? error}`)
      this.clock.after(1000, () => this.start())
    })
  }

  kill(isPowerCut: boolean, downMs: number): void {
    const { life } = this
    if (life === null) return
    this.counters.add(isPowerCut ? 'power cut' : 'kill -9')
    this.#end(life, isPowerCut)
    this.clock.after(downMs, () => this.start())
  }

  #end(life: ServerLife, isPowerCut: boolean): void {
    this.trace.add(this.clock.now(), 'end', isPowerCut ? 1 : 0)
    life.kill()
    if (!isPowerCut) this.disk.syncAll()
    this.disk.crash(isPowerCut)
    if (this.life === life) this.life = null
    this.doom = null
  }

  restart(downMs: number): void {
    const { life } = this
    if (life === null || !life.isUp) return
    this.counters.add('restart')
    life
      .stop()
      .then(() => {
        if (this.life !== life) return
        this.#end(life, false)
        this.clock.after(downMs, () => this.start())
      })
      .catch(error => this.problem(`the stop failed: ${error}`))
  }

  /** What the server does now is what it was to die of. */
  #meet(moment: Doom['moment']): void {
    const { doom, life } = this
    if (doom === null || doom.moment !== moment || life === null) return
    this.doom = null
    let steps = doom.steps
    const step = () => {
      if (life.isOver) return
      if (steps-- > 0) {
        queueMicrotask(step)
        return
      }
      this.counters.add(`killed ${moment === 'unload' ? 'at an unload' : `during ${moment}`}`)
      this.kill(doom.isPowerCut, 200)
    }
    // In the middle of what it waits for: what was asked of the disk is under way.
    if (moment === 'unload' || doom.steps % 2 === 0) step()
    else this.clock.after((doom.steps % 7) * 0.5, step)
  }

  #roomCount = 0

  /** Called after each step of the history. */
  watch(): void {
    const { life } = this
    const rooms = life?.rooms
    if (life === null || rooms == null) {
      this.#roomCount = 0
      return
    }
    if (rooms.count < this.#roomCount) {
      this.counters.add('unload')
      this.#meet('unload')
    }
    this.#roomCount = rooms.count
  }

  compactionBegins(): void {
    this.counters.add('compaction')
    this.#meet('compaction')
  }

  // ── Network ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @returns null where nothing listens */
  connect(request: LinkRequest, delayMs: number, host: LinkHost): Link | null {
    const { life } = this
    if (life === null || !life.isUp) return null
    const number = ++this.#linkCount
    return new Link(life, number, new Random(this.plan.seed ^ Math.imul(number, 0x9e3779b1)), delayMs, request, host)
  }

  /** Whatever is sent to anybody is on disk. */
  sent(documentId: DocumentId, era: number, update: Uint8Array): void {
    try {
      this.ledger.promise(documentId, era, operationsOf(update), 'what was sent to somebody')
    } catch (error) {
      this.problem(`an update was sent that Yjs can't decode: ${error}`)
    }
  }

  /** Memory within limits; what waits for clients is looked at with each write. */
  checkMemory(maxPendingBytes: number): void {
    const { life } = this
    if (life === null) return
    const pending = life.committer?.pendingBytes ?? 0
    const pendingBound = maxPendingBytes + life.connections.size * 64 * 1024
    if (pending > pendingBound || pending < 0) this.problem(`${pending} bytes wait for the disk, over ${pendingBound}`)
    const rooms = life.rooms?.count ?? 0
    if (rooms > this.plan.documents.length) this.problem(`${rooms} documents are open`)
  }
}
