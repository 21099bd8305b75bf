import { type DocumentId, documentParts, PART_SEPARATOR, partOf } from '@weft/protocol'
import { compareNames, type DocumentScope } from '../access/DocumentScope.ts'
import type { ContentForm } from '../ContentError.ts'
import type { Clock } from '../clock.ts'
import { Knowledge } from '../crdt/Knowledge.ts'
import { readUpdate, type UpdateContents } from '../crdt/readUpdate.ts'
import { NO_LIMITS } from '../crdt/UpdateLimits.ts'
import { WeftError } from '../errors.ts'
import {
  holdsContent,
  type ListedDocument,
  type OpenedDocument,
  type StoredDocument,
  type UpdateLog,
} from '../log/UpdateLog.ts'
import { type Randomness, systemRandomness } from '../randomness.ts'
import { type Holder, Turnstile } from '../Turnstile.ts'
import type { UploadStore } from '../uploads/UploadStore.ts'
import type { Rendering } from '../worker/contentTasks.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'
import type { Committer } from './Committer.ts'
import { committedWithin } from './committedWithin.ts'
import type { Room } from './Room.ts'
import type { Rooms } from './Rooms.ts'
import { readForRoom } from './readForRoom.ts'
import type { Saving } from './Saving.ts'

/** Tasks on contents at the same time, and that wait. */
export const MAX_CONTENT_TASKS = 2
const MAX_WAITING = 64
/** Documents that are looked up at the same time, and that wait: each is read up to its snapshot. */
const MAX_LOOKUPS = 8
const MAX_WAITING_LOOKUPS = 256

export interface DocumentsServices {
  readonly log: Pick<UpdateLog, 'read' | 'readRemains' | 'open' | 'list' | 'bin' | 'delete' | 'revive'>
  /** Files that were put into documents: they go with theirs. */
  readonly uploads: Pick<UploadStore, 'delete'>
  readonly rooms: Rooms
  readonly committer: Pick<Committer, 'isFailing' | 'pendingBytes'>
  readonly workshop: Pick<Workshop, 'check'>
  /** Of its own: content may be made to take long, and sessions' updates must not wait for it. */
  readonly contentWorkshop: Pick<Workshop, 'render' | 'replace'>
  readonly clock: Clock
  /** Default: the machine's. */
  readonly randomness?: Randomness
  readonly settings: { readonly maxPendingBytes: number; readonly maxWaitingPerUser: number }
  readonly saving: Pick<Saving, 'isFull'>
}

/** How a document is read, and whose request it is. */
export interface ReadOptions {
  /** What is left of it where it is damaged. Default false. */
  readonly isDamaged?: boolean
  /** Default: nobody in particular. */
  readonly holder?: Holder | undefined
}

/** Whether a document is there: `missing`, nobody ever wrote it; `deleted`, it has a tombstone. */
export type Presence = 'there' | 'missing' | 'deleted'

/** What is stored of a document, before anything is made of it. */
export interface FoundDocument {
  readonly presence: Presence
  /** Its head: what `replace` can compare with. */
  readonly version: number
  /** Changes whenever the content does, also where the document was deleted and begun anew. */
  readonly tag: string
}

/** What is known of a document beside its content. Times are ms since the epoch. */
export interface DocumentFacts {
  readonly presence: Presence
  /** Whether anything of it is stored: a deleted one in the bin has all that it had. */
  readonly isStored: boolean
  readonly version: number
  readonly createdAt: number | null
  /** Of the last edit that is stored as such; null: older than the snapshot. */
  readonly updatedAt: number | null
  readonly deletedAt: number | null
  /** Of the snapshot, and of the edits since. */
  readonly bytes: number
  /** Yjs clients that ever wrote in it, and what they inserted (a character, a mark, an element: one each). */
  readonly clients: number
  readonly operations: number
}

/** A document in one of its forms; `rendering` is null where it isn't there. */
export interface RenderedDocument extends FoundDocument {
  readonly rendering: Rendering | null
  /** What is damaged of it, in words: the rendering is of what comes before. Null: nothing is, or it wasn't asked for. */
  readonly damage: string | null
}

/**
 * Whole documents, for those who have no session: read, replaced, deleted, listed.
 *
 * What is read is committed. What is written goes through the document's room like any session's edit: open sessions get it,
 * and it is on disk before the promise resolves. A request that waits for its turn holds nothing of its document, and one
 * whose `signal` is aborted by then is passed over (it rejects with the signal's reason).
 */
export class Documents {
  readonly #services: DocumentsServices
  readonly #tasks: Turnstile
  readonly #lookups: Turnstile
  /** One edit or deletion at a time for each document: two that begin one at the same time must not both fill it. */
  readonly #turns = new Map<DocumentId, Turnstile>()
  /** Who makes the edits of documents as they are: one client in each document, however many edits there are. */
  readonly #clientID: number
  /**
   * Of documents that were begun anew: another one. A replica from before the deletion knows operations of the first, and
   * would take new ones under their numbers for those.
   */
  readonly #clientIDsAnew = new Map<DocumentId, number>()

  constructor(services: DocumentsServices) {
    this.#services = services
    const { maxWaitingPerUser } = services.settings
    this.#tasks = new Turnstile(MAX_CONTENT_TASKS, MAX_WAITING, maxWaitingPerUser)
    this.#lookups = new Turnstile(MAX_LOOKUPS, MAX_WAITING_LOOKUPS)
    this.#clientID = this.#newClientID()
  }

  /**
   * The documents of some scopes, in the order of their names.
   * @param options.scopes none within another, in the order of `compareNames`
   * @param options.prefix only names that begin so @param options.after only names after this one; null: from the first on
   * @throws {WeftError} what `UpdateLog.list` throws
   */
  async *list(options: {
    readonly scopes: readonly DocumentScope[]
    readonly prefix: string
    readonly after: string | null
    /** Deleted ones instead. Default false. */
    readonly deleted?: boolean
  }): AsyncGenerator<ListedDocument> {
    const { log } = this.#services
    const { scopes, prefix, after, deleted = false } = options
    for (const scope of scopes) {
      if ('document' in scope) {
        const { document } = scope
        if (!document.startsWith(prefix) || (after !== null && compareNames(document, after) <= 0)) continue
        // Of all names that begin so it is the first.
        for await (const listed of log.list({ prefix: document, deleted: true, limit: 1 })) {
          if (listed.documentId === document && (listed.deletedAt !== null) === deleted) yield listed
        }
        continue
      }
      if (!scope.prefix.startsWith(prefix) && !prefix.startsWith(scope.prefix)) continue
      const both = scope.prefix.length > prefix.length ? scope.prefix : prefix
      if (after === null) yield* this.#named(both, deleted, {})
      else if (after.startsWith(both) || compareNames(after, both) < 0) {
        yield* this.#named(both, deleted, { after: after as DocumentId })
      }
    }
  }

  /** Without what is kept beside people's documents. */
  async *#named(prefix: string, deleted: boolean, options: { after?: DocumentId }): AsyncGenerator<ListedDocument> {
    for await (const listed of this.#services.log.list({ prefix, deleted, ...options })) {
      if (listed.documentId.includes(PART_SEPARATOR) || (listed.deletedAt !== null) !== deleted) continue
      yield listed
    }
  }

  /** @throws {WeftError} what `UpdateLog.open` throws: a failed read is never an empty document; `WORKER_BUSY` */
  find(documentId: DocumentId, { isDamaged = false, holder }: ReadOptions = {}): Promise<FoundDocument> {
    const { log } = this.#services
    return this.#lookups.pass(
      async () => describe(isDamaged ? (await readForRoom(log, documentId)).stored : await log.open(documentId)),
      inTurnOnly(holder),
    )
  }

  /**
   * A document in one of its forms, as it is when its turn comes.
   * @throws {ContentError} @throws {WeftError} what `UpdateLog.read` and `Workshop.render` throw; `WORKER_BUSY`
   */
  render(
    documentId: DocumentId,
    form: ContentForm,
    signal: AbortSignal,
    { isDamaged = false, holder }: ReadOptions = {},
  ): Promise<RenderedDocument> {
    const { log, contentWorkshop } = this.#services
    return this.#tasks.pass(async () => {
      signal.throwIfAborted()
      const { stored, damage } = isDamaged
        ? await readForRoom(log, documentId)
        : { stored: await log.read(documentId), damage: null }
      const found = { ...describe(stored), damage }
      if (found.presence !== 'there') return { ...found, rendering: null }
      return { ...found, rendering: await contentWorkshop.render({ ...logOf(stored, stored.head), form }) }
    }, holder)
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
    const { log, rooms, uploads, workshop, clock } = this.#services
    return this.#inTurn(
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
    const { log, rooms, clock } = this.#services
    return this.#inTurn(
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
    return this.#tasks.pass(async () => {
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

  /**
   * Deletes a document and leaves a tombstone: open sessions end with 4404, and so does who comes later.
   * @param isForGood nothing of it is kept; else it is in the bin, from where `restore` brings it back
   * @returns what it was before; what was deleted already is deleted for good, where that is asked for
   * @throws {WeftError} what `UpdateLog.delete` throws
   */
  delete(documentId: DocumentId, isForGood: boolean): Promise<Presence> {
    const { rooms, uploads } = this.#services
    return this.#inTurn(documentId, async () => {
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
    const { log } = this.#services
    return this.#inTurn(documentId, async () => {
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
  async emptyBin(time: number): Promise<number> {
    const { log, uploads } = this.#services
    let count = 0
    for await (const { documentId, deletedAt } of log.list({ deleted: true })) {
      if (deletedAt === null || deletedAt >= time) continue
      await this.#inTurn(documentId, async () => {
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

  /** What is known of a document beside its content. */
  describe(documentId: DocumentId, holder?: Holder): Promise<DocumentFacts> {
    const { log } = this.#services
    return this.#lookups.pass(async () => {
      const stored = await log.open(documentId)
      let createdAt: number | null = null
      for await (const listed of log.list({ prefix: documentId, deleted: true, limit: 1 })) {
        if (listed.documentId === documentId) createdAt = listed.createdAt
      }
      return factsOf(stored, createdAt)
    }, inTurnOnly(holder))
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

  #refuseOverload(): void {
    const { committer, settings, saving } = this.#services
    if (committer.isFailing || saving.isFull) throw new WeftError('STORAGE_WRITE_FAILED', 'edits cannot be stored now')
    if (committer.pendingBytes > settings.maxPendingBytes) {
      throw new WeftError('WORKER_BUSY', `${committer.pendingBytes} bytes of edits wait for the disk`)
    }
  }

  async #inTurn<T>(documentId: DocumentId, work: () => Promise<T>, holder?: Holder): Promise<T> {
    const { maxWaitingPerUser } = this.#services.settings
    const turn = this.#turns.get(documentId) ?? new Turnstile(1, MAX_WAITING, maxWaitingPerUser)
    this.#turns.set(documentId, turn)
    try {
      return await turn.pass(work, holder)
    } finally {
      if (turn.isFree) this.#turns.delete(documentId)
    }
  }
}

/** Lookups are short, and many belong to one page with images: they take turns, and have no share. */
function inTurnOnly(holder: Holder | undefined): Holder | undefined {
  return holder && { id: holder.id, isBound: false }
}

function partsOf(documentId: DocumentId): DocumentId[] {
  return documentParts.map(part => partOf(documentId, part))
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

function factsOf(stored: OpenedDocument, createdAt: number | null): DocumentFacts {
  const { head, deletedAt, snapshotBytes, snapshotSeq, entries } = stored
  const knowledge = stored.knowledge === null ? new Knowledge() : Knowledge.decode(stored.knowledge)
  let bytes = snapshotBytes
  for (const { seq, update } of entries) {
    if (seq <= snapshotSeq) continue
    bytes += update.length
    knowledge.add(readUpdate(update, NO_LIMITS))
  }
  let operations = 0
  for (const clock of knowledge.stateVector.values()) operations += clock
  return {
    presence: presenceOf(stored),
    isStored: holdsContent(stored),
    version: head,
    createdAt,
    updatedAt: entries.at(-1)?.time ?? null,
    deletedAt,
    bytes,
    clients: knowledge.stateVector.size,
    operations,
  }
}

function describe(document: OpenedDocument): FoundDocument {
  const { head, snapshotSeq, keptAfter } = document
  return { presence: presenceOf(document), version: head, tag: `${head}.${snapshotSeq}.${keptAfter}` }
}

function presenceOf({ head, deletedAt }: Pick<StoredDocument, 'head' | 'deletedAt'>): Presence {
  if (deletedAt !== null) return 'deleted'
  return head === 0 ? 'missing' : 'there'
}

/** What the log held when its head was at `version`, which is the snapshot's position at least. */
function logOf({ snapshot, snapshotSeq, entries }: StoredDocument, version: number): StoredLog {
  const tail = entries.filter(({ seq }) => seq > snapshotSeq && seq <= version)
  return { snapshot, updates: tail.map(({ update }) => update) }
}
