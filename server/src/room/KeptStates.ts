import { type DocumentId, keptParts, partOf } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { holdsContent, type UpdateLog } from '../log/UpdateLog.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'

/** A state that was kept is not given up for another one before this, in ms: whoever deletes again and again must not win. */
const KEPT_MS = 60 * 60_000

/** Keeps states of documents from before a mass deletion, as parts of them: `before-1` to `before-3`. */
export class KeptStates {
  readonly #log: Pick<UpdateLog, 'open' | 'append' | 'bin' | 'delete' | 'revive'>
  readonly #workshop: Pick<Workshop, 'compact'>
  readonly #clock: Clock

  constructor(
    log: Pick<UpdateLog, 'open' | 'append' | 'bin' | 'delete' | 'revive'>,
    workshop: Pick<Workshop, 'compact'>,
    clock: Clock,
  ) {
    this.#log = log
    this.#workshop = workshop
    this.#clock = clock
  }

  /**
   * Stores a state beside its document.
   * @returns the part that holds it; null: all hold states that are younger than an hour
   * @throws {WeftError} what the log and the worker throw
   */
  async keep(documentId: DocumentId, state: StoredLog): Promise<string | null> {
    const part = await this.#freePart(documentId)
    if (part === null) return null
    const { update } = await this.#workshop.compact(state)
    const id = partOf(documentId, part)
    const time = this.#clock.wallTime()
    const { head, deletedAt } = await this.#log.open(id)
    if (head > 0 && deletedAt === null) await this.#log.delete(id, time)
    if (head > 0) await this.#log.revive(id)
    await this.#log.append([{ documentId: id, after: head, updates: [update], time }])
    // Deleted meanwhile, with all parts that it had: this one goes after them.
    const stored = await this.#log.open(documentId)
    if (stored.deletedAt === null) return part
    if (holdsContent(stored)) await this.#log.bin(id, stored.deletedAt)
    else await this.#log.delete(id, stored.deletedAt)
    return null
  }

  async #freePart(documentId: DocumentId): Promise<(typeof keptParts)[number] | null> {
    let oldest: { part: (typeof keptParts)[number]; time: number } | null = null
    for (const part of keptParts) {
      const { head, deletedAt, entries } = await this.#log.open(partOf(documentId, part))
      if (head === 0 || deletedAt !== null) return part
      const time = entries.at(-1)?.time ?? 0
      if (oldest === null || time < oldest.time) oldest = { part, time }
    }
    return oldest !== null && this.#clock.wallTime() - oldest.time >= KEPT_MS ? oldest.part : null
  }
}
