import type { DocumentId } from '@weft/protocol'
import type { Logger } from 'pino'
import type { Access } from '../../../server/src/access/Access.ts'
import { noAudit } from '../../../server/src/audit/AuditEntry.ts'
import type { Clock } from '../../../server/src/clock.ts'
import { LevelUpdateLog } from '../../../server/src/log/LevelUpdateLog.ts'
import { MemoryBudget } from '../../../server/src/MemoryBudget.ts'
import { noMeters } from '../../../server/src/Meters.ts'
import { readConfig } from '../../../server/src/readConfig.ts'
import { Committer } from '../../../server/src/room/Committer.ts'
import { Documents } from '../../../server/src/room/Documents.ts'
import { Pressure } from '../../../server/src/room/Pressure.ts'
import { Rooms } from '../../../server/src/room/Rooms.ts'
import { Saving } from '../../../server/src/room/Saving.ts'
import { StoreRecovery } from '../../../server/src/room/StoreRecovery.ts'
import { Connection, type ConnectionServices } from '../../../server/src/socket/Connection.ts'
import { ConnectionCount } from '../../../server/src/socket/ConnectionCount.ts'
import { FrameCompressor } from '../../../server/src/socket/FrameCompressor.ts'
import { Offences } from '../../../server/src/socket/Offences.ts'
import { Turns } from '../../../server/src/socket/Turns.ts'
import { UnsentBytes } from '../../../server/src/socket/UnsentBytes.ts'
import type { Workshop } from '../../../server/src/worker/Workshop.ts'
import { SimulatedWorkshop } from '../SimulatedWorkshop.ts'
import type { Link } from './Link.ts'
import { SimulatedAccess } from './SimulatedAccess.ts'
import type { World } from './World.ts'

const SWEEP_MS = 5000

/** Small, so that every bound is met. */
export const settings = {
  ...readConfig({}, []),
  maxUnsentBytes: 1500,
  maxPendingBytes: 16 * 1024,
  tailBytes: 2048,
  tailEntries: 10,
  maxSessionsPerDocument: 100,
}

/** Of this process: a store is opened once, by its path. */
let lifeCount = 0

/** One life of a server process: its real parts, from connections to the log, on a simulated network, disk and clock. */
export class ServerLife {
  readonly world: World
  readonly clock: Clock
  isOver = false
  #asleepUntil = 0
  #parts: Parts | null = null
  #isStopping = false
  #lastTurn: Promise<unknown> = Promise.resolve()
  readonly links = new Set<Link>()
  /** Upgrade requests that are on their way. */
  readonly waiting = new Set<Link>()
  readonly connections = new Set<Connection>()
  readonly #count = new ConnectionCount(settings)

  constructor(world: World) {
    this.world = world
    this.clock = world.clock.forLife(this)
  }

  get isUp(): boolean {
    return this.#parts !== null && !this.isOver && !this.#isStopping
  }

  get rooms(): Rooms | null {
    return this.#parts?.rooms ?? null
  }

  get committer(): Committer | null {
    return this.#parts?.committer ?? null
  }

  get workshop(): SimulatedWorkshop | null {
    return this.#parts?.workshop ?? null
  }

  get log(): LevelUpdateLog | null {
    return this.#parts?.log ?? null
  }

  /** Opens the store; only then are connections taken. */
  async start(): Promise<void> {
    const { world, clock } = this
    const { disk } = world
    const log = await LevelUpdateLog.open({
      folder: 'simulated',
      create: true,
      system: {
        createHandle: () => disk.handle(this),
        realpath: async () => `simulated ${++lifeCount}`,
        prepareFolder: async () => (disk.isEmpty ? 'first start' : 'store'),
        finishFirstStart: async () => {},
        probeWrite: async () => {
          if (disk.isFull) throw new Error('no space left on device')
        },
        measureFolder: async () => ({ bytes: 0, logBytes: 0, freeBytes: disk.isFull ? 0 : 2 ** 40 }),
        checkFiles: async () => [],
        wallTime: () => clock.wallTime(),
        randomBytes: count => Buffer.alloc(count, 7),
      },
    })
    if (this.isOver) return
    const logger = this.#logger()
    const workshop = new SimulatedWorkshop(world.clock, world.random, this)
    workshop.failureRate = world.workerFailureRate
    workshop.failed = () => world.counters.add('worker failed')
    workshop.compacts = () => world.compactionBegins()
    const asWorkshop: Workshop = workshop.asWorkshop()
    const saving = new Saving()
    const randomness = {
      id: () => `session ${world.random.below(2 ** 31)}`,
      clientID: () => 1 + world.random.below(2 ** 31),
    }
    const unsent = new UnsentBytes(settings.maxUnsentBytes, settings.maxTotalUnsentBytes)
    const committer = new Committer(log, clock, logger, noMeters, saving)
    const rooms = new Rooms(
      {
        log,
        committer,
        workshop: asWorkshop,
        clock,
        randomness,
        meters: noMeters,
        logger,
        settings: Object.create(settings, { maxUnsentBytes: { get: () => unsent.bound, enumerable: true } }),
        saving,
      },
      world.idleMs,
    )
    const pressure = new Pressure(committer, rooms, settings, clock)
    new StoreRecovery(log, clock, logger).start()
    saving.onChange(() => rooms.savingChanged())
    const documents = new Documents({
      log,
      randomness,
      uploads: { delete: async () => {} },
      rooms,
      committer,
      workshop: asWorkshop,
      contentWorkshop: asWorkshop,
      clock,
      settings,
      saving,
    })
    const access = new SimulatedAccess(world.isAsking, clock, world.takenBack)
    access.onRecheck(() => rooms.review())
    const services: ConnectionServices = {
      access,
      rooms,
      clock,
      audit: noAudit,
      meters: noMeters,
      logger,
      offences: new Offences(),
      settings,
      compressor: new FrameCompressor(),
      unsent,
      turns: new Turns(clock),
      incomplete: new MemoryBudget(settings.maxIncompleteBytes),
      isBacklogged: () => pressure.isHigh,
      isStalled: () => pressure.isStalled,
    }
    this.#parts = { log, workshop, committer, rooms, documents, access, services }
    this.#sweep()
  }

  #logger(): Logger {
    const logger = {
      error: (context: { err?: Error }, text: string) => this.world.serverError(context.err, text),
      warn: () => {},
      info: () => {},
      debug: () => {},
      child: () => logger,
    }
    return logger as unknown as Logger
  }

  #sweep(): void {
    this.clock.setTimer(() => {
      const now = this.clock.now()
      for (const connection of this.connections) connection.sweep(now)
      this.#sweep()
    }, SWEEP_MS)
  }

  /** Something happens to this process: at once, when it goes on, or never. */
  whenAwake(run: () => void): void {
    if (this.isOver) return
    const asleepMs = this.#asleepUntil - this.world.clock.now()
    if (asleepMs > 0) this.world.clock.after(asleepMs, () => this.whenAwake(run))
    else run()
  }

  /** An upgrade request has come. @returns false: it is refused */
  accept(link: Link): boolean {
    const parts = this.#parts
    if (parts === null || this.#isStopping) return false
    const { address, path, token } = link.request
    this.links.add(link)
    parts.access
      .verify(token)
      .then(verified => {
        const userId = verified !== null && 'userId' in verified ? verified.userId : null
        const place = this.#count.enter(address, userId)
        const upgrade = { address, path, part: null, token, verified, isLocal: false, place }
        const { webSocket, socket } = link
        // They look like what they stand for as far as the connection uses them.
        const connection = new Connection(webSocket as never, socket as never, upgrade, parts.services, () => {
          this.connections.delete(connection)
          this.links.delete(link)
          place.leave()
        })
        this.connections.add(connection)
        link.connection = connection
      })
      .catch(error => this.world.problem(`a connection could not be made: ${error}`))
    return true
  }

  /** SIGKILL, or the power goes. */
  kill(): void {
    this.isOver = true
    for (const link of [...this.links, ...this.waiting]) link.die()
  }

  /** SIGSTOP, and SIGCONT after a while; or a loop that doesn't come back. */
  pause(ms: number): void {
    this.#asleepUntil = Math.max(this.#asleepUntil, this.world.clock.now() + ms)
  }

  /** SIGTERM: what is pending is committed, everybody is told to come back. As `startServer`'s stop. */
  async stop(): Promise<void> {
    const parts = this.#parts
    if (parts === null || this.isOver) return
    this.#isStopping = true
    const pause = (ms: number) => new Promise<void>(resolve => this.clock.setTimer(resolve, ms))
    const storeAll = async () => {
      await Promise.race([parts.committer.flush(), pause(250)])
      const connections = [...this.connections]
      for (const connection of connections) connection.close('restart', 'the server stops or restarts')
      await Promise.all(connections.map(connection => connection.idle()))
      await pause(250)
      await parts.committer.flush()
    }
    await Promise.race([storeAll(), pause(3000)])
    parts.committer.stop()
    parts.rooms.stop()
    await parts.log.close()
    this.kill()
  }

  /** Rights were taken back, or given again. */
  recheck(): void {
    this.#parts?.access.recheck()
  }

  async deleteDocument(documentId: DocumentId, isForGood: boolean): Promise<void> {
    await this.#inTurn(() => this.#parts?.documents.delete(documentId, isForGood))
  }

  async restore(documentId: DocumentId): Promise<void> {
    await this.#inTurn(() => this.#parts?.documents.restore(documentId))
  }

  async beginAnew(documentId: DocumentId): Promise<void> {
    await this.#inTurn(() => this.#parts?.log.revive(documentId))
  }

  /** One after the other, as `Documents` does it: a document begins anew when all of the one before is gone. */
  #inTurn<T>(work: () => T): Promise<T> {
    const result = this.#lastTurn.then(work)
    this.#lastTurn = result.then(
      () => {},
      () => {},
    )
    return result
  }
}

interface Parts {
  readonly log: LevelUpdateLog
  readonly workshop: SimulatedWorkshop
  readonly committer: Committer
  readonly rooms: Rooms
  readonly documents: Documents
  readonly access: Access
  readonly services: ConnectionServices
}
