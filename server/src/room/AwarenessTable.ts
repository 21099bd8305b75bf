import { isUtf8 } from 'node:buffer'
import {
  type AwarenessEntry,
  decodeAwareness,
  encodeAwareness,
  encodeAwarenessEntries,
  isNullState,
  NULL_STATE,
} from '@weft/protocol'
import { ByteReader } from '../crdt/ByteReader.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import { skipJson } from '../crdt/skipJson.ts'
import { TokenBucket } from '../TokenBucket.ts'
import { encodeFrame } from './encodeFrame.ts'
import type { Member } from './Member.ts'
import { stampUser } from './stampUser.ts'

const OPEN_BRACE = 0x7b
/** Clocks of clients that left are remembered, so that one who returns is heard; the oldest are forgotten beyond this. */
const MAX_REMEMBERED = 10_000
/** An entry, without its state; which is held a second time as a frame for joiners. */
const ENTRY_BYTES = 400
/** A state that was not renewed for so long is gone: y-protocols renews every 15 to 18 s. */
export const AWARENESS_TIMEOUT_MS = 45_000

export interface AwarenessLimits {
  /** Of a state. */
  readonly maxAwarenessBytes: number
  /** Levels of objects and arrays in a state. */
  readonly maxAwarenessLevels: number
  /** Of one client, that are passed on. */
  readonly awarenessPerSecond: number
  /** Of states in one message; a larger table leaves as several. */
  readonly maxAwarenessMessageBytes: number
}

/** A state that breaks a rule; the message says which. */
export class BadAwarenessError extends Error {
  override readonly name = 'BadAwarenessError'
}

/** Two connections say that they are this client: one of them is dead, or no client of ours. */
export interface Contest {
  readonly holder: Member
  readonly entry: AwarenessEntry
}

interface Entry {
  /** As others heard it: the client's own clock plus `offset`. */
  clock: number
  json: Uint8Array
  /** Who introduced it; null once that session ended. */
  session: Member | null
  /**
   * Added towards others. A client that returns at the clock with which its removal was told would not be heard.
   * In its own echo the offset is taken away again: a clock above its own would overwrite its newer state.
   */
  offset: number
  /** When its session ended, in ticks. */
  goneAt: number
  /** When its state was removed, in ticks. */
  removedAt: number
  /** When it was last renewed, monotonic ms. */
  heardAt: number
  /** What passing it on is taken from; null: it has not changed yet. */
  rate: TokenBucket | null
}

/**
 * The short-lived states of the clients in a room: caret, name, colour. Never stored.
 *
 * A session can set only the one client id that it introduced. Stock clients send back what they hear of others: such
 * echoes are told by client id and clock, and dropped without a look at their JSON. Where tokens are asked for, a state says whose
 * it is from the token of its session.
 */
export class AwarenessTable {
  readonly #limits: AwarenessLimits
  readonly #entries = new Map<number, Entry>()
  readonly #dirty = new Set<number>()
  /** Everybody's state as frames, until something changes: a thousand who join together share it. */
  #all: Buffer[] | null = null
  /** Counts sessions that come and clients that leave: tells who can have heard of whom. */
  #tick = 0

  constructor(limits: AwarenessLimits) {
    this.#limits = limits
  }

  get hasChanges(): boolean {
    return this.#dirty.size > 0
  }

  /** What it takes in memory, about. */
  get memoryBytes(): number {
    return this.#entries.size * ENTRY_BYTES + this.#stateBytes()
  }

  #stateBytes(): number {
    let bytes = 0
    for (const { json } of this.#entries.values()) bytes += json.length
    return 2 * bytes
  }

  /** Who introduced a client id and is still here. */
  holderOf(clientID: number): Member | null {
    return this.#entries.get(clientID)?.session ?? null
  }

  /** For a session that comes now: of clients that left before this moment it has never heard. */
  nextTick(): number {
    return ++this.#tick
  }

  /**
   * Takes in what a session sent.
   * @param now monotonic ms
   * @returns who holds the client id that this session wants to introduce, where somebody does
   * @throws {MalformedMessageError} the payload doesn't decode
   * @throws {BadAwarenessError} the session's own state is too large, too deep or no JSON object
   */
  receive(session: Member, payload: Uint8Array, now: number): Contest | null {
    if (session.clientID === null) return this.#receiveFirst(session, decodeAwareness(payload), now)
    for (const entry of decodeAwareness(payload, session.clientID)) this.#set(session, entry, now)
    return null
  }

  #receiveFirst(session: Member, entries: readonly AwarenessEntry[], now: number): Contest | null {
    const entry = entries[0]
    if (entry === undefined || entries.length > 1) return null
    const isFirst = !session.hasSentAwareness
    session.hasSentAwareness = true
    const known = this.#entries.get(entry.clientID)
    const isNews = known === undefined || entry.clock > known.clock
    if (known?.session != null) {
      // At a clock that the table has, it is an echo, or the same client on a new connection, which speaks of itself first.
      return isNews || isFirst ? { holder: known.session, entry } : null
    }
    // What a session says of somebody who left while it was here is an echo that crossed the news.
    if (isNews || (known !== undefined && session.cameAt > known.goneAt)) this.introduce(session, entry, now)
    return null
  }

  /** Binds a client id that no session holds to this session, and sets its state. */
  introduce(session: Member, entry: AwarenessEntry, now: number): void {
    const known = this.#entries.get(entry.clientID)
    if (session.clientID !== null || known?.session != null) return
    this.#check(entry)
    session.clientID = entry.clientID
    const offset = known === undefined ? 0 : Math.max(0, known.clock + 1 - entry.clock)
    // Deleted first: a map keeps the order of insertion, and the oldest are forgotten first.
    this.#entries.delete(entry.clientID)
    this.#entries.set(entry.clientID, {
      clock: entry.clock + offset,
      json: stampUser(entry.json, session.user),
      session,
      offset,
      goneAt: 0,
      removedAt: 0,
      heardAt: now,
      rate: null,
    })
    this.#changed(entry.clientID)
    this.#forgetOldest()
  }

  #set(session: Member, entry: AwarenessEntry, now: number): void {
    const known = this.#entries.get(entry.clientID)
    if (known === undefined || known.session !== session) return
    const clock = entry.clock + known.offset
    // y-protocols: a greater clock wins; at the same clock only the removal does.
    if (clock < known.clock || (clock === known.clock && !(isNullState(entry.json) && !isNullState(known.json)))) return
    this.#check(entry)
    known.clock = clock
    known.json = stampUser(entry.json, session.user)
    known.heardAt = now
    this.#changed(entry.clientID)
  }

  /** A session ends: its client is gone, told with its state's own clock. */
  leave(session: Member): void {
    if (session.clientID === null) return
    const entry = this.#entries.get(session.clientID)
    if (entry === undefined || entry.session !== session) return
    entry.session = null
    entry.goneAt = ++this.#tick
    this.#remove(session.clientID, entry)
  }

  /** Removes what was not renewed in time. @param now monotonic ms */
  expire(now: number): void {
    for (const [clientID, entry] of this.#entries) {
      if (now - entry.heardAt > AWARENESS_TIMEOUT_MS) this.#remove(clientID, entry)
    }
  }

  #remove(clientID: number, entry: Entry): void {
    if (isNullState(entry.json)) return
    entry.json = NULL_STATE
    entry.removedAt = ++this.#tick
    this.#changed(clientID)
  }

  /**
   * What changed since the last call, as frames: for everybody, and for the sessions whose own echo differs. A client that changes
   * its state faster than it may keeps the rest for a later call, which finds the latest.
   * @param now monotonic ms
   */
  takeChanges(now: number): { frames: Buffer[]; own: Map<Member, Buffer[]> } {
    const changed = [...this.#dirty].filter(clientID => this.#mayPass(clientID, now))
    const messages = this.#split(changed)
    for (const clientID of changed) this.#dirty.delete(clientID)
    const frames = messages.map(message => this.#encode(message, null))
    const own = new Map<Member, Buffer[]>()
    for (const [index, message] of messages.entries()) {
      for (const clientID of message) {
        const entry = this.#entries.get(clientID)
        // Only the message that holds its echo is made anew.
        if (entry?.session != null && entry.offset > 0)
          own.set(entry.session, frames.with(index, this.#encode(message, entry.session)))
      }
    }
    return { frames, own }
  }

  #mayPass(clientID: number, now: number): boolean {
    const entry = this.#entries.get(clientID)
    if (entry === undefined || isNullState(entry.json)) return true
    const { awarenessPerSecond } = this.#limits
    entry.rate ??= new TokenBucket(awarenessPerSecond, awarenessPerSecond, now)
    return entry.rate.tryTake(1, now)
  }

  /** Everybody who is here, as frames for one session. */
  encodeAll(session: Member): Buffer[] {
    const own = session.clientID === null ? undefined : this.#entries.get(session.clientID)
    const isLikeOthers = own === undefined || own.session !== session || own.offset === 0
    if (isLikeOthers && this.#all !== null) return this.#all
    const here = [...this.#entries].filter(([, entry]) => !isNullState(entry.json)).map(([clientID]) => clientID)
    const frames = this.#split(here).map(message => this.#encode(message, session))
    if (isLikeOthers) this.#all = frames
    return frames
  }

  /** Who left, as frames for a session that heard the last of them before this tick: their states may still stand there. */
  encodeGone(tick: number): Buffer[] {
    const gone = [...this.#entries].filter(([, { json, removedAt }]) => isNullState(json) && removedAt > tick)
    return this.#split(gone.map(([clientID]) => clientID)).map(message => this.#encode(message, null))
  }

  #changed(clientID: number): void {
    this.#dirty.add(clientID)
    this.#all = null
  }

  /** Client ids by message: each holds at most so many bytes of states. */
  #split(clientIDs: readonly number[]): number[][] {
    const messages: number[][] = []
    const { maxAwarenessMessageBytes } = this.#limits
    let bytes = maxAwarenessMessageBytes
    for (const clientID of clientIDs) {
      const length = this.#entries.get(clientID)?.json.length
      if (length === undefined) continue
      if (bytes + length > maxAwarenessMessageBytes) {
        messages.push([])
        bytes = 0
      }
      messages.at(-1)?.push(clientID)
      bytes += length
    }
    return messages
  }

  #encode(clientIDs: readonly number[], reader: Member | null): Buffer {
    const entries: AwarenessEntry[] = []
    for (const clientID of clientIDs) {
      const entry = this.#entries.get(clientID)
      if (entry === undefined) continue
      const clock = entry.session !== null && entry.session === reader ? entry.clock - entry.offset : entry.clock
      entries.push({ clientID, clock, json: entry.json })
    }
    return encodeFrame(encodeAwareness(encodeAwarenessEntries(entries)))
  }

  // A state that doesn't parse would throw inside of every client that hears it.
  #check({ json }: AwarenessEntry): void {
    if (isNullState(json)) return
    const { maxAwarenessBytes, maxAwarenessLevels } = this.#limits
    if (json.length > maxAwarenessBytes) {
      throw new BadAwarenessError(`an awareness state of ${json.length} bytes is over ${maxAwarenessBytes}`)
    }
    if (!isUtf8(json)) throw new BadAwarenessError('an awareness state is not UTF-8')
    if (json[0] !== OPEN_BRACE) throw new BadAwarenessError('an awareness state is not a JSON object')
    try {
      // Half of what `JSON.parse` costs, and no deeper than allowed.
      skipJson(new ByteReader(json), json.length, maxAwarenessLevels)
    } catch (error) {
      if (!(error instanceof MalformedUpdate)) throw error
      throw new BadAwarenessError(`an awareness state does not parse: ${error.reason}`)
    }
  }

  #forgetOldest(): void {
    if (this.#entries.size <= MAX_REMEMBERED) return
    for (const [clientID, entry] of this.#entries) {
      if (this.#entries.size <= MAX_REMEMBERED) return
      if (entry.session === null && !this.#dirty.has(clientID)) this.#entries.delete(clientID)
    }
  }
}
