import { type DocumentId, keptParts, partOf } from '@weft/protocol'
import { readUpdate } from '../crdt/readUpdate.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'
import { RecentMap } from '../RecentMap.ts'
import { type Holder, Turnstile } from '../Turnstile.ts'
import type { Workshop } from '../worker/Workshop.ts'

/** Larger snapshots are counted by a worker, as updates are checked. */
const MAX_INLINE_BYTES = 64 * 1024
/** Counts of snapshots that are remembered. */
const MAX_REMEMBERED = 10_000
/** Snapshots that are read for it at the same time, and that wait. */
const MAX_COUNTS = 1
const MAX_WAITING = 64

/** A state that was kept when most of a document was deleted at once. */
export interface MassDeletionFact {
  /** The part that holds the state before: `before-1`. */
  readonly keptAs: string
  /** ms since the epoch */
  readonly at: number
}

export interface GrowthFacts {
  /** Structs of the snapshot and of the edits since: what Yjs has an object for, each. */
  readonly structs: number
  readonly massDeletions: readonly MassDeletionFact[]
}

/** How documents have grown, and shrunk: for who asks what is known of one. */
export class DocumentGrowth {
  readonly #log: Pick<UpdateLog, 'open' | 'read'>
  readonly #workshop: Pick<Workshop, 'check'>
  readonly #turns: Turnstile
  /** By document and snapshot. */
  readonly #structs = new RecentMap<string, number>(MAX_REMEMBERED)

  /** @param share as `Turnstile` */
  constructor(log: Pick<UpdateLog, 'open' | 'read'>, workshop: Pick<Workshop, 'check'>, share: number) {
    this.#log = log
    this.#workshop = workshop
    this.#turns = new Turnstile(MAX_COUNTS, MAX_WAITING, share)
  }

  /** @throws {WeftError} what `UpdateLog.read` and the workers throw; `WORKER_BUSY`, `SHARE_USED` */
  of(documentId: DocumentId, holder: Holder): Promise<GrowthFacts> {
    return this.#turns.pass(async () => {
      const { snapshotSeq, keptAfter, entries } = await this.#log.open(documentId)
      let structs = await this.#structsOfSnapshot(documentId, snapshotSeq, keptAfter)
      for (const { seq, update } of entries) {
        if (seq > snapshotSeq) structs += readUpdate(update, NO_LIMITS).structCount
      }
      return { structs, massDeletions: await this.#massDeletions(documentId) }
    }, holder)
  }

  async #structsOfSnapshot(documentId: DocumentId, snapshotSeq: number, keptAfter: number): Promise<number> {
    if (snapshotSeq === 0) return 0
    const key = `${snapshotSeq} ${keptAfter} ${documentId}`
    const known = this.#structs.get(key)
    if (known !== undefined) return known
    const { snapshot } = await this.#log.read(documentId)
    if (snapshot === null) return 0
    const contents =
      snapshot.length <= MAX_INLINE_BYTES
        ? readUpdate(snapshot, NO_LIMITS)
        : await this.#workshop.check(snapshot, NO_LIMITS)
    this.#structs.set(key, contents.structCount)
    return contents.structCount
  }

  async #massDeletions(documentId: DocumentId): Promise<MassDeletionFact[]> {
    const found: MassDeletionFact[] = []
    for (const part of keptParts) {
      const { head, deletedAt, entries } = await this.#log.open(partOf(documentId, part))
      const at = entries.at(-1)?.time
      if (head > 0 && deletedAt === null && at !== undefined) found.push({ keptAs: part, at })
    }
    return found.sort((a, b) => a.at - b.at)
  }
}
