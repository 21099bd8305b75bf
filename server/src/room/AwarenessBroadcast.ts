import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { type AwarenessLimits, AwarenessTable, BadAwarenessError } from './AwarenessTable.ts'
import type { Member } from './Member.ts'

/** Awareness takes this share of a core per document; more where people would wait longer than that for it … */
const SHARE = 0.03
const PATIENCE_MS = 150
/** … but never more than this. */
const MAX_SHARE = 0.5
const MAX_PAUSE_MS = 1000
/** Weight of the newest measurement in the smoothed cost. */
const SMOOTHING = 0.3

export interface AwarenessSettings extends AwarenessLimits {
  readonly awarenessPauseMs: number
  readonly maxUnsentBytes: number
}

/**
 * Gathers what changes in a room's awareness for a moment, and sends it as one frame to everybody.
 * The moment follows the cost: of writing to so many, and of reading what stock clients send back.
 */
export class AwarenessBroadcast {
  readonly #table: AwarenessTable
  readonly #sessions: ReadonlySet<Member>
  readonly #settings: AwarenessSettings
  readonly #clock: Clock
  readonly #log: () => Logger
  #timer: Timer | null = null
  #costMs = 0
  #receiveMs = 0
  #nextAt = 0
  /** The table's tick when changes were last sent. */
  #toldAt = 0

  /** @param sessions those of the room, as they come and go */
  constructor(sessions: ReadonlySet<Member>, settings: AwarenessSettings, clock: Clock, log: () => Logger) {
    this.#table = new AwarenessTable(settings)
    this.#sessions = sessions
    this.#settings = settings
    this.#clock = clock
    this.#log = log
  }

  /** Of clients that left before this moment, a session that comes now has never heard. */
  nextTick(): number {
    return this.#table.nextTick()
  }

  /** What the table takes in memory, about. */
  get memoryBytes(): number {
    return this.#table.memoryBytes
  }

  /** Who introduced a client id and is still here. */
  holderOf(clientID: number): Member | null {
    return this.#table.holderOf(clientID)
  }

  /** @throws as `AwarenessTable.receive` */
  receive(session: Member, payload: Uint8Array): void {
    const begin = this.#clock.now()
    const contest = this.#table.receive(session, payload, begin)
    this.#receiveMs += this.#clock.now() - begin
    this.#schedule()
    if (contest === null) return
    // A client that changed its network comes back before its old connection is known to be dead.
    const { holder, entry } = contest
    holder.outlet
      .isAlive()
      .then(isAlive => {
        if (isAlive || !session.isOpen) return
        holder.outlet.close('policy', 'its client is back on another connection')
        holder.end()
        this.#table.introduce(session, entry, this.#clock.now())
        this.#schedule()
      })
      .catch(error => {
        // What a session sent about an id in use was not looked at until now, and may have been an echo: no blame.
        if (error instanceof BadAwarenessError)
          this.#log().debug({ err: error }, 'a contested awareness state is dropped')
        else this.#log().error({ err: error }, 'a contest for a client id could not be settled')
      })
  }

  leave(session: Member): void {
    this.#table.leave(session)
    this.#schedule()
  }

  /** Removes what was not renewed. @param now monotonic ms */
  expire(now: number): void {
    this.#table.expire(now)
    this.#schedule()
  }

  /** Sends everybody's state to one session; later, where it doesn't read what it has. */
  sendAll(session: Member): void {
    if (session.outlet.unsentBytes > this.#settings.maxUnsentBytes) {
      session.isAwarenessBehind = true
      return
    }
    for (const frames of this.#table.encodeAll(session)) session.outlet.write(frames)
  }

  /** Sends what was held back from a session that read too slowly, if it reads again. */
  catchUp(session: Member): void {
    if (!session.isAwarenessBehind || session.outlet.unsentBytes > this.#settings.maxUnsentBytes) return
    session.isAwarenessBehind = false
    const { awarenessHeardAt } = session
    session.awarenessHeardAt = null
    // All who are here would not tell who left meanwhile.
    if (awarenessHeardAt !== null) {
      for (const frames of this.#table.encodeGone(awarenessHeardAt)) session.outlet.write(frames)
    }
    this.sendAll(session)
  }

  #schedule(): void {
    if (this.#timer !== null || !this.#table.hasChanges) return
    const delay = Math.max(this.#settings.awarenessPauseMs, this.#nextAt - this.#clock.now())
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null
      this.#broadcast()
    }, delay)
  }

  #broadcast(): void {
    const begin = this.#clock.now()
    const { frames, own } = this.#table.takeChanges(begin)
    for (const session of this.#sessions) {
      // To its sender too: a lone stock client leaves when it hears nothing for 30 s.
      if (session.outlet.unsentBytes > this.#settings.maxUnsentBytes) {
        session.isAwarenessBehind = true
        session.awarenessHeardAt ??= this.#toldAt
      } else for (const frame of own.get(session) ?? frames) session.outlet.write(frame)
    }
    this.#toldAt = this.#table.nextTick()
    const cost = this.#clock.now() - begin + this.#receiveMs
    this.#receiveMs = 0
    this.#costMs += (cost - this.#costMs) * SMOOTHING
    const pause = Math.max(Math.min(this.#costMs / SHARE, PATIENCE_MS), this.#costMs / MAX_SHARE)
    this.#nextAt = this.#clock.now() + Math.min(pause, MAX_PAUSE_MS)
    this.#schedule()
  }

  stop(): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#timer = null
  }
}
