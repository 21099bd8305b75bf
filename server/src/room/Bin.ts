import type { DocumentId } from '@weft/protocol'
import type { Clock } from '../clock.ts'
import { WeftError } from '../errors.ts'
import { holdsContent, type UpdateLog } from '../log/UpdateLog.ts'
import type { UploadStore } from '../uploads/UploadStore.ts'
import type { DocumentTurns } from './DocumentTurns.ts'
import type { Rooms } from './Rooms.ts'
import { type Presence, partsOf, presenceOf } from './storedFacts.ts'

export interface BinServices {
  readonly log: Pick<UpdateLog, 'open' | 'list' | 'bin' | 'delete' | 'revive'>
  /** Files that were put into documents: they go with theirs. */
  readonly uploads: Pick<UploadStore, 'delete'>
  readonly rooms: Rooms
  readonly clock: Clock
  /** As of `DocumentEdits`. */
  readonly turns: DocumentTurns
}

/** Documents that were deleted: put there, taken out, gone for good. What goes with a document (its comments, its files) does, too. */
export class Bin {
  readonly #services: BinServices

  constructor(services: BinServices) {
    this.#services = services
  }

  /**
   * Deletes a document and leaves a tombstone: open sessions end with 4404, and so does who comes later.
   * @param isForGood nothing of it is kept; else it is in the bin, from where `restore` brings it back
   * @returns what it was before; what was deleted already is deleted for good, where that is asked for
   * @throws {WeftError} what `UpdateLog.delete` throws
   */
  delete(documentId: DocumentId, isForGood: boolean): Promise<Presence> {
    const { rooms, uploads, turns } = this.#services
    return turns.pass(documentId, async () => {
      const presence = await this.#presence(documentId)
      if (presence === 'missing' || (presence === 'deleted' && !isForGood)) return presence
      await this.#deleteParts(documentId, isForGood)
      await this.#discard(documentId, isForGood)
      await rooms.deleted(documentId)
      // Who has opened one meanwhile: nobody can any more.
      await this.#deleteParts(documentId, isForGood)
      if (isForGood) await uploads.delete(documentId)
      return presence
    })
  }

  /** Takes a document out of the bin, as it was. @returns what it was before; `purged`: nothing was left of it */
  restore(documentId: DocumentId): Promise<Presence | 'purged'> {
    const { log, turns } = this.#services
    return turns.pass(documentId, async () => {
      const stored = await log.open(documentId)
      const presence = presenceOf(stored)
      if (presence !== 'deleted') return presence
      if (!holdsContent(stored)) return 'purged'
      for (const part of partsOf(documentId)) await log.revive(part)
      await log.revive(documentId)
      return presence
    })
  }

  /** Deletes for good what has been in the bin since before `time` (ms since the epoch). @returns how many documents */
  async empty(time: number): Promise<number> {
    const { log, uploads, turns } = this.#services
    let count = 0
    for await (const { documentId, deletedAt } of log.list({ deleted: true })) {
      if (deletedAt === null || deletedAt >= time) continue
      await turns.pass(documentId, async () => {
        const stored = await log.open(documentId).catch(error => {
          if (error instanceof WeftError && error.code === 'DOCUMENT_DAMAGED') return null
          throw error
        })
        // Restored since, or with nothing left.
        if (stored !== null && (stored.deletedAt !== deletedAt || !holdsContent(stored))) return
        await log.delete(documentId, time)
        await uploads.delete(documentId)
        count++
      })
    }
    return count
  }

  /** What goes with a document: as `delete`. */
  async #deleteParts(documentId: DocumentId, isForGood: boolean): Promise<void> {
    const { rooms } = this.#services
    for (const part of partsOf(documentId)) {
      await this.#discard(part, isForGood)
      await rooms.deleted(part)
    }
  }

  /** What is damaged is in no bin: nobody could take it out. */
  async #discard(documentId: DocumentId, isForGood: boolean): Promise<void> {
    const { log, clock } = this.#services
    const now = clock.wallTime()
    if (isForGood) return log.delete(documentId, now)
    await log.bin(documentId, now).catch(error => {
      if (!(error instanceof WeftError) || error.code !== 'DOCUMENT_DAMAGED') throw error
      return log.delete(documentId, now)
    })
  }

  /** A damaged document is there, and may go. */
  async #presence(documentId: DocumentId): Promise<Presence> {
    try {
      return presenceOf(await this.#services.log.open(documentId))
    } catch (error) {
      if (error instanceof WeftError && error.code === 'DOCUMENT_DAMAGED') return 'there'
      throw error
    }
  }
}
