import type { DocumentId } from '@weft/protocol'
import { GUEST_PREFIX } from '../access/guests.ts'
import { holderOf } from '../access/holderOf.ts'
import { KeyedRate } from '../KeyedRate.ts'
import type { AuditAction, AuditEvent } from './AuditEntry.ts'

/** Entries of one user at once, in minutes of their rate: a day in which a bad line breaks off again and again. */
const BURST_MIN = 100
/** A link is for many people. */
const LINK_FACTOR = 10
/** Holders and actions that are counted apart: 300 bytes each. */
const MAX_COUNTS = 10_000
/** What anybody may do as often as they like. All else has a rate where it is asked for, and is written down one by one. */
const FREQUENT: ReadonlySet<AuditAction> = new Set(['opened', 'ended', 'read', 'role-changed', 'link-used'])

/** What somebody did again and again. */
export interface Counted {
  readonly action: AuditAction
  /** `holderOf` */
  readonly holder: string
  readonly count: number
  /** Where it was always the same. */
  readonly user: string | null
  readonly address: string | null
  readonly document: DocumentId | null
  readonly bytes: number | null
  /** Of the first, ms since the epoch. */
  readonly since: number
}

/**
 * Keeps those who do the same again and again from filling the audit log, and so from pushing out what others did: above a rate of
 * each user (each address, each link) what they do is counted.
 */
export class AuditCounts {
  readonly #rate: KeyedRate
  readonly #linkRate: KeyedRate
  readonly #counts = new Map<string, Counted>()

  constructor(perMinute: number) {
    this.#rate = KeyedRate.perMinute(perMinute, BURST_MIN)
    this.#linkRate = KeyedRate.perMinute(perMinute, BURST_MIN * LINK_FACTOR)
  }

  /**
   * @param now monotonic ms
   * @param time ms since the epoch
   * @returns false: it is to be written down; true: it was counted
   */
  takes(event: AuditEvent, now: number, time: number): boolean {
    const { action, user = null, address = null, document = null, bytes = null } = event
    if (!FREQUENT.has(action)) return false
    const holder = holderOf(user, address ?? '')
    const rate = holder.startsWith(GUEST_PREFIX) ? this.#linkRate : this.#rate
    if (rate.take(holder, now) === 0) return false
    const own = `${holder}\n${action}`
    const isKnown = this.#counts.has(own) || this.#counts.size < MAX_COUNTS
    const key = isKnown ? own : `\n${action}`
    const before = this.#counts.get(key)
    this.#counts.set(key, {
      action,
      holder: isKnown ? holder : 'others',
      count: (before?.count ?? 0) + 1,
      user: before === undefined || before.user === user ? user : null,
      address: before === undefined || before.address === address ? address : null,
      document: before === undefined || before.document === document ? document : null,
      bytes: bytes === null ? (before?.bytes ?? null) : (before?.bytes ?? 0) + bytes,
      since: before?.since ?? time,
    })
    return true
  }

  /** Takes out all that was counted. */
  takeAll(): Counted[] {
    const counts = [...this.#counts.values()]
    this.#counts.clear()
    return counts
  }
}
