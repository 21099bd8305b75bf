import type { DocumentId } from '@weft/protocol'
import type { ContentForm } from '../ContentError.ts'
import type { Clock } from '../clock.ts'
import type { UpdateContents } from '../crdt/readUpdate.ts'
import { WeftError } from '../errors.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'
import { type Randomness, systemRandomness } from '../randomness.ts'
import type { Holder, Turnstile } from '../Turnstile.ts'
import type { UploadStore } from '../uploads/UploadStore.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'
import type { Committer } from './Committer.ts'
import { committedWithin } from './committedWithin.ts'
import type { DocumentTurns } from './DocumentTurns.ts'
import type { Room } from './Room.ts'
import type { Rooms } from './Rooms.ts'
import type { Saving } from './Saving.ts'
import { logOf, type Presence, partsOf, presenceOf } from './storedFacts.ts'

export interface DocumentEditsServices {
  readonly log: Pick<UpdateLog, 'read' | 'open' | 'delete' | 'revive'>
  /** Files that were put into documents: they go with theirs. */
  readonly uploads: Pick<UploadStore, 'delete'>
  readonly rooms: Rooms
  readonly committer: Pick<Committer, 'isFailing' | 'pendingBytes'>
  readonly workshop: Pick<Workshop, 'check'>
  /** Of its own: content may be made to take long, and sessions' updates must not wait for it. */
  readonly contentWorkshop: Pick<Workshop, 'replace'>
  readonly clock: Clock
  /** Default: the machine's. */
  readonly randomness?: Randomness
  readonly settings: { readonly maxPendingBytes: number }
  readonly saving: Pick<Saving, 'isFull'>
  /** One edit or deletion at a time for each document: two that begin one at the same time must not both fill it. */
  readonly turns: DocumentTurns
  /** Tasks on contents. */
  readonly tasks: Turnstile
}

/** Edits of those who have no session. They go through the document's room like any session's, and are on disk when told so. */
export class DocumentEdits {
  readonly #services: DocumentEditsServices
  /** Who makes the edits of documents as they are: one client in each document, however many edits there are. */
  readonly #clientID: number
  /**
   * Of documents that were begun anew: another one. A replica from before the deletion knows operations of the first, and
   * would take new ones under their numbers for those.
   */
  readonly #clientIDsAnew = new Map<DocumentId, number>()

  constructor(services: DocumentEditsServices) {
    this.#services = services
    this.#clientID = this.#newClientID()
  }

  /**
   * Makes a document say what `content` says, by the smallest edit; what others write meanwhile stays.
   * @param options.base the version that `content` was made of: the edit is what differs from that one, and what others wrote
   *   since then stays, too. Null: the edit is what differs from the document as it is now.
   * @param options.mustBeEmpty only where nobody has written anything yet: of several who fill a document, one does
   * @param options.isAnew a deleted document begins anew, empty; else nothing is written to it
   * @returns `found`: what it was before; with `deleted` and not `isAnew` nothing was written. Resolves when it is on disk.
   * @throws {ContentError} @throws {WeftError} what reading and the workers throw; `HEAD_MOVED`: the log holds `base` no more;
   * `STORAGE_WRITE_FAILED`: the disk doesn't take it now, and may take it later
   */
  replace(
    documentId: DocumentId,
    form: Exclude<ContentForm, 'yjs'>,
    content: Uint8Array,
    {
      base,
      isAnew,
      mustBeEmpty = false,
      signal,
      holder,
    }: {
      base: number | null
      isAnew: boolean
      mustBeEmpty?: boolean
      signal: AbortSignal
      holder?: Holder | undefined
    },
  ): Promise<{ found: Presence; isChanged: boolean }> {
    const { log, rooms, uploads, workshop, clock, turns } = this.#services
    return turns.pass(
      documentId,
      async () => {
        signal.throwIfAborted()
        this.#refuseOverload()
        const presence = presenceOf(await log.open(documentId))
        if (presence === 'deleted') {
          if (!isAnew) return { found: presence, isChanged: false }
          if (base !== null) throw new WeftError('HEAD_MOVED', 'the document was deleted since', { documentId })
          // Before the tombstone goes: what can't be taken in must not bring anything back.
          const trial = await this.#edit(async () => EMPTY_LOG, form, content, this.#clientID, holder)
          if (trial !== null) await workshop.check(trial, rooms.updateLimits)
          this.#clientIDsAnew.set(documentId, this.#newClientID())
          await log.delete(documentId, clock.wallTime())
          await uploads.delete(documentId)
          await log.revive(documentId)
          for (const part of partsOf(documentId)) {
            if (presenceOf(await log.open(part)) !== 'deleted') continue
            await log.delete(part, clock.wallTime())
            await log.revive(part)
          }
        }
        const room = await rooms.open(documentId)
        const refuseFilled = () => {
          if (!mustBeEmpty || room.isEmpty) return
          throw new WeftError('HEAD_MOVED', 'somebody has written this document already', { documentId })
        }
        try {
          return await room.hold(async () => {
            refuseFilled()
            // Not in the turn of a worker: a disk that takes nothing must not keep others from reading.
            await committedWithin(room, room.latestBatch, clock)
            const read = () => (base === null ? room.committedLog() : this.#logAt(documentId, base))
            const update = await this.#edit(
              read,
              form,
              content,
              base === null ? this.#clientIDIn(documentId) : this.#newClientID(),
              holder,
            )
            if (update === null) return { found: presence, isChanged: false }
            const contents = await workshop.check(update, room.updateLimits)
            if (room.isFailed) throw await this.#lost(documentId)
            refuseAsOfASession(room, update, contents)
            // Now: whoever wrote meanwhile was first.
            refuseFilled()
            await committedWithin(room, room.admit(null, update, contents), clock)
            return { found: presence, isChanged: true }
          })
        } catch (error) {
          throw room.isFailed ? await this.#lost(documentId) : error
        }
      },
      holder,
    )
  }

  /**
   * Takes in a Yjs update that is too large for a message, as `replace` takes in content.
   * @param options.userId whose it is; null: nobody is asked
   * @returns `found` as of `replace`; `isMissing`: it names operations that the document lacks; `foreignClient`: it goes on with
   *   this client id, which another user's session uses. In both cases nothing was stored
   * @throws {MalformedUpdate} @throws {WeftError} what reading and the workers throw; `STORAGE_WRITE_FAILED`
   */
  merge(
    documentId: DocumentId,
    update: Uint8Array,
    { userId, signal, holder }: { userId: string | null; signal: AbortSignal; holder?: Holder | undefined },
  ): Promise<{ found: Presence; isChanged: boolean; isMissing: boolean; foreignClient: number | null }> {
    const { log, rooms, clock, turns } = this.#services
    return turns.pass(
      documentId,
      async () => {
        signal.throwIfAborted()
        this.#refuseOverload()
        const found = presenceOf(await log.open(documentId))
        const none = { found, isChanged: false, isMissing: false, foreignClient: null }
        if (found === 'deleted') return none
        const room = await rooms.open(documentId)
        try {
          return await room.hold(async () => {
            const checked = await room.checkInWorker(update)
            if (room.isFailed) throw await this.#lost(documentId)
            if (room.isMissing(checked.contents)) return { ...none, isMissing: true }
            const foreignClient = room.foreignClient(userId, checked.contents)
            if (foreignClient !== null) return { ...none, foreignClient }
            refuseAsOfASession(room, checked.update, checked.contents)
            const isChanged = room.newsIn(checked.contents) !== 'nothing'
            await committedWithin(room, room.admit(null, checked.update, checked.contents), clock)
            return { ...none, isChanged }
          })
        } catch (error) {
          throw room.isFailed ? await this.#lost(documentId) : error
        }
      },
      holder,
    )
  }

  #clientIDIn(documentId: DocumentId): number {
    return this.#clientIDsAnew.get(documentId) ?? this.#clientID
  }

  async #logAt(documentId: DocumentId, version: number): Promise<StoredLog> {
    const stored = await this.#services.log.read(documentId)
    const { head, snapshotSeq, keptAfter } = stored
    // At `keptAfter` of a document without a snapshot it was begun anew: what was before is gone.
    const first = snapshotSeq > 0 ? snapshotSeq : keptAfter > 0 ? keptAfter + 1 : 0
    if (version >= first && version <= head) return logOf(stored, version)
    throw new WeftError('HEAD_MOVED', `the log holds versions ${first} to ${head}, and not ${version}`, { documentId })
  }

  #newClientID(): number {
    return (this.#services.randomness ?? systemRandomness).clientID()
  }

  #edit(
    read: () => Promise<StoredLog>,
    form: Exclude<ContentForm, 'yjs'>,
    content: Uint8Array,
    clientID: number,
    holder: Holder | undefined,
  ): Promise<Uint8Array | null> {
    return this.#services.tasks.pass(async () => {
      const request = { ...(await read()), form, content, clientID }
      return (await this.#services.contentWorkshop.replace(request)).update
    }, holder)
  }

  /** Why a room takes nothing any more. */
  async #lost(documentId: DocumentId): Promise<WeftError> {
    const { deletedAt } = await this.#services.log.open(documentId)
    return deletedAt === null
      ? new WeftError('STORAGE_WRITE_FAILED', 'this document cannot be written to now', { documentId })
      : new WeftError('DOCUMENT_DELETED', 'the document was deleted meanwhile', { documentId })
  }

  #refuseOverload(): void {
    const { committer, settings, saving } = this.#services
    if (committer.isFailing || saving.isFull) throw new WeftError('STORAGE_WRITE_FAILED', 'edits cannot be stored now')
    if (committer.pendingBytes > settings.maxPendingBytes) {
      throw new WeftError('WORKER_BUSY', `${committer.pendingBytes} bytes of edits wait for the disk`)
    }
  }
}

/** @throws {WeftError} `STORAGE_WRITE_FAILED`, `DOCUMENT_FULL`: nobody's edits are taken now, or none that make it grow */
function refuseAsOfASession(room: Room, update: Uint8Array, contents: UpdateContents): void {
  const { documentId } = room
  if (room.isReadOnly) throw new WeftError('STORAGE_WRITE_FAILED', 'documents can only be read now', { documentId })
  if (!room.refusesGrowth(update.length, contents)) return
  const { maxDocumentBytes } = room.settings
  throw new WeftError('DOCUMENT_FULL', `the document is at its size limit, ${maxDocumentBytes} bytes`, { documentId })
}

const EMPTY_LOG: StoredLog = { snapshot: null, updates: [] }
