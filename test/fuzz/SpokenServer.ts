import { type DocumentId, MULTIPLEX_SUBPROTOCOL } from '@weft/protocol'
import { pino } from 'pino'
import { Access } from '../../server/src/access/Access.ts'
import { DocumentRights } from '../../server/src/access/DocumentRights.ts'
import type { Denial } from '../../server/src/access/Grant.ts'
import { isRole } from '../../server/src/access/Role.ts'
import type { VerifiedToken } from '../../server/src/access/verifyToken.ts'
import { noAudit } from '../../server/src/audit/AuditEntry.ts'
import type { Clock } from '../../server/src/clock.ts'
import { MemoryBudget } from '../../server/src/MemoryBudget.ts'
import { noMeters } from '../../server/src/Meters.ts'
import { readConfig } from '../../server/src/readConfig.ts'
import { Connection, type ConnectionServices, type Upgrade } from '../../server/src/socket/Connection.ts'
import { ConnectionCount } from '../../server/src/socket/ConnectionCount.ts'
import { FrameCompressor } from '../../server/src/socket/FrameCompressor.ts'
import { Offences } from '../../server/src/socket/Offences.ts'
import { Turns } from '../../server/src/socket/Turns.ts'
import { UnsentBytes } from '../../server/src/socket/UnsentBytes.ts'
import type { Random } from '../crdt/Random.ts'
import type { SimulatedClock } from '../simulation/SimulatedClock.ts'
import { SimulatedServer } from '../simulation/SimulatedServer.ts'
import type { SimulatedStore } from '../simulation/SimulatedStore.ts'
import type { DialectName } from './messageFields.ts'
import { type SpokenHost, SpokenSocket } from './SpokenSocket.ts'

const SWEEP_MS = 5000
/** After its last session, a document leaves memory. */
const IDLE_MS = 30_000

/** Tokens are names here: whose, with which role in every document. Verifying a signature takes real time, and tests of its own. */
class NamedAccess extends Access {
  readonly #isAsking: boolean
  readonly #clock: Clock

  constructor(isAsking: boolean, clock: Clock) {
    super([], clock)
    this.#isAsking = isAsking
    this.#clock = clock
  }

  override get isAsking(): boolean {
    return this.#isAsking
  }

  override async verify(token: string | null): Promise<VerifiedToken | Denial | null> {
    if (!this.#isAsking) return null
    if (token === null || token === '') return { close: 'unauthorized', text: 'no token was given' }
    const [userId, role, seconds = '3600'] = token.split(':')
    const isNobody = role === 'nobody'
    if (userId === undefined || !(isNobody || isRole(role)) || !/^\d+$/.test(seconds)) {
      return { close: 'unauthorized', text: 'this is no token' }
    }
    const lifeMs = Number(seconds) * 1000
    return {
      userId,
      name: userId,
      tokenId: null,
      linkId: null,
      makers: [],
      issuedAt: this.#clock.wallTime(),
      rights: new DocumentRights(isNobody ? [] : [{ prefix: '', role }]),
      expiresAt: this.#clock.now() + lifeMs,
      exp: (this.#clock.wallTime() + lifeMs) / 1000,
    }
  }
}

/** The server's real parts from `Connection` to the committer, without sockets, in virtual time. */
export class SpokenServer extends SimulatedServer {
  readonly isAsking: boolean
  readonly #clock: SimulatedClock
  readonly #services: ConnectionServices
  readonly #count = new ConnectionCount(readConfig({}, []))
  readonly #connections = new Set<Connection>()
  readonly #access: NamedAccess
  #isSweeping = false

  constructor(clock: SimulatedClock, random: Random, store: SimulatedStore, isAsking: boolean) {
    super(clock, random, store, IDLE_MS)
    this.isAsking = isAsking
    this.#clock = clock
    const serverClock = clock.forLife(this.life)
    this.#access = new NamedAccess(isAsking, serverClock)
    this.#access.onRecheck(() => this.rooms.review())
    const config = readConfig({}, [])
    this.#services = {
      access: this.#access,
      audit: noAudit,
      rooms: this.rooms,
      clock: serverClock,
      meters: noMeters,
      logger: pino({ level: 'error' }, { write: (line: string) => this.errors.push(line) }),
      offences: new Offences(),
      settings: config,
      compressor: new FrameCompressor(),
      turns: new Turns(serverClock),
      isBacklogged: () => false,
      isStalled: () => false,
      incomplete: new MemoryBudget(config.maxIncompleteBytes),
      unsent: new UnsentBytes(config.maxUnsentBytes, config.maxTotalUnsentBytes),
    }
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** As the endpoint does it with an upgrade. @param token of the upgrade request */
  async connect(dialect: DialectName, path: string, token: string | null, host: SpokenHost): Promise<SpokenSocket> {
    const verified = await this.#access.verify(token)
    const socket = new SpokenSocket(this.#clock, dialect === 'multiplex' ? MULTIPLEX_SUBPROTOCOL : '', host)
    const userId = verified !== null && 'userId' in verified ? verified.userId : null
    const place = this.#count.enter('simulated', userId)
    const upgrade: Upgrade = { address: 'simulated', isLocal: false, path, part: null, token, verified, place }
    const connection: Connection = new Connection(socket.webSocket, socket.stream, upgrade, this.#services, () => {
      this.#connections.delete(connection)
      place.leave()
    })
    this.#connections.add(connection)
    if (!this.#isSweeping) this.#sweep()
    return socket
  }

  /** Takes back what everybody's tokens give but those of honest ones, or gives it again. */
  revoke(isRevoked: boolean): void {
    const isTaken = (userId: string) => isRevoked && !userId.startsWith('honest')
    this.#access.revokeBy({
      refusal: ({ userId }) => (isTaken(userId) ? 'it was revoked' : null),
      review: grant => grant,
    })
  }

  /** As the API does it. */
  async delete(documentId: DocumentId): Promise<void> {
    await this.rooms.deleted(documentId)
  }

  #sweep(): void {
    this.#isSweeping = this.#connections.size > 0
    for (const connection of this.#connections) connection.sweep(this.#clock.now())
    if (this.#isSweeping) this.#clock.after(SWEEP_MS, () => this.#sweep())
  }
}
