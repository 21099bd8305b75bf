import type { DocumentId } from '@weft/protocol'
import { pino } from 'pino'
import { noMeters } from '../../server/src/Meters.ts'
import { readConfig } from '../../server/src/readConfig.ts'
import { Committer } from '../../server/src/room/Committer.ts'
import type { Dialect } from '../../server/src/room/Member.ts'
import type { Outlet } from '../../server/src/room/Outlet.ts'
import { Rooms } from '../../server/src/room/Rooms.ts'
import { Session, type SessionOptions } from '../../server/src/room/Session.ts'
import type { Random } from '../crdt/Random.ts'
import type { SimulatedClock } from './SimulatedClock.ts'
import type { SimulatedLink } from './SimulatedLink.ts'
import type { Life, SimulatedStore } from './SimulatedStore.ts'
import { SimulatedWorkshop } from './SimulatedWorkshop.ts'

const settings = {
  ...readConfig({}, []),
  maxUnsentBytes: 2000,
  fanoutPercent: 5,
  maxCommitPauseMs: 50,
  awarenessPauseMs: 30,
  tailBytes: 2048,
  tailEntries: 10,
}

/** One life of the server's real parts, from rooms to committer, on a simulated store, clock and network. */
export class SimulatedServer {
  readonly life: Life = { isOver: false }
  readonly workshop: SimulatedWorkshop
  /** What it logged as an error. */
  readonly errors: string[] = []
  /** All that were made to it. */
  readonly links = new Set<SimulatedLink>()
  readonly rooms: Rooms
  readonly #committer: Committer

  /** @param idleMs how long a document without sessions stays open */
  constructor(clock: SimulatedClock, random: Random, store: SimulatedStore, idleMs: number) {
    const { life } = this
    const logger = pino({ level: 'error' }, { write: (line: string) => this.errors.push(line) })
    const log = store.open(life)
    const serverClock = clock.forLife(life)
    this.workshop = new SimulatedWorkshop(clock, random, life)
    this.#committer = new Committer(log, serverClock, logger)
    this.rooms = new Rooms(
      {
        log,
        committer: this.#committer,
        workshop: this.workshop.asWorkshop(),
        clock: serverClock,
        meters: noMeters,
        logger,
        settings,
      },
      idleMs,
    )
  }

  /** What a connection does with its first message. Addresses of Hocuspocus' dialect stay outside: a link has one document. */
  async begin(
    link: Outlet,
    documentId: DocumentId,
    options: SessionOptions = {},
    dialect: Dialect = 'y-websocket',
  ): Promise<Session | null> {
    const room = await this.rooms.open(documentId)
    if (!link.isOpen) return null
    const session = new Session(room, link, dialect, options)
    room.join(session)
    return session
  }

  /** SIGKILL. */
  kill(): void {
    this.life.isOver = true
    for (const link of this.links) link.die()
  }
}
