import { randomInt } from 'node:crypto'
import type { DocumentId } from '@weft/protocol'
import type { ContentForm } from '../ContentError.ts'
import type { Clock } from '../clock.ts'
import { WeftError } from '../errors.ts'
import type { ListedDocument, ListOptions, StoredDocument, UpdateLog } from '../log/UpdateLog.ts'
import type { Rendering } from '../worker/contentTasks.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'
import type { Committer } from './Committer.ts'
import type { Room } from './Room.ts'
import type { Rooms } from './Rooms.ts'
import { Turnstile } from './Turnstile.ts'

/** Tasks on contents at the same time, and that wait: the workers have sessions' updates to check, too. */
const MAX_TASKS = 2
const MAX_WAITING = 64
/** Longest wait for the disk, in ms. Longer ones are those of a disk that fails. */
const COMMIT_LIMIT_MS = 20_000

export interface DocumentsServices {
  readonly log: Pick<UpdateLog, 'read' | 'open' | 'list' | 'delete' | 'revive'>
  readonly rooms: Rooms
  readonly committer: Pick<Committer, 'isFailing' | 'pendingBytes'>
  readonly workshop: Pick<Workshop, 'render' | 'replace' | 'check'>
  readonly clock: Clock
  readonly settings: { readonly maxPendingBytes: number }
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
  readonly log: StoredLog
}

/**
 * Whole documents, for those who have no session: read, replaced, deleted, listed.
 *
 * What is read is committed. What is written goes through the document's room like any session's edit: open sessions get it,
 * and it is on disk before the promise resolves.
 */
export class Documents {
  readonly #services: DocumentsServices
  readonly #tasks = new Turnstile(MAX_TASKS, MAX_WAITING)
  /** One edit or deletion at a time for each document: two that begin one at the same time must not both fill it. */
  readonly #turns = new Map<DocumentId, Turnstile>()
  /** Who makes the edits of documents as they are: one client in each document, however many edits there are. */
  readonly #clientID = newClientID()

  constructor(services: DocumentsServices) {
    this.#services = services
  }

  list(options: ListOptions): AsyncIterable<ListedDocument> {
    return this.#services.log.list(options)
  }

  /** @throws {WeftError} what `UpdateLog.read` throws: a failed read is never an empty document */
  async find(documentId: DocumentId): Promise<FoundDocument> {
    const stored = await this.#services.log.read(documentId)
    const { head, snapshotSeq, keptAfter } = stored
    const tag = `${head}.${snapshotSeq}.${keptAfter}`
    return { presence: presenceOf(stored), version: head, tag, log: logOf(stored, head) }
  }

  /** @throws {ContentError} @throws {WeftError} what `Workshop.render` throws; `WORKER_BUSY` */
  render(log: StoredLog, form: ContentForm): Promise<Rendering> {
    return this.#tasks.pass(() => this.#services.workshop.render({ ...log, form }))
  }

  /**
   * Makes a document say what `content` says, by the smallest edit; what others write meanwhile stays.
   * @param options.base the version that `content` was made of: the edit is what differs from that one, and what others wrote
   *   since then stays, too. Null: the edit is what differs from the document as it is now.
   * @param options.isAnew a deleted document begins anew, empty; else nothing is written to it
   * @returns `found`: what it was before; with `deleted` and not `isAnew` nothing was written. Resolves when it is on disk.
   * @throws {ContentError} @throws {WeftError} what reading and the workers throw; `HEAD_MOVED`: the log holds `base` no more;
   * `STORAGE_WRITE_FAILED`: the disk doesn't take it now, and may take it later
   */
  replace(
    documentId: DocumentId,
    form: Exclude<ContentForm, 'yjs'>,
    content: Uint8Array,
    { base, isAnew }: { base: number | null; isAnew: boolean },
  ): Promise<{ found: Presence; isChanged: boolean }> {
    return this.#inTurn(documentId, async () => {
      this.#refuseOverload()
      const presence = presenceOf(await this.#services.log.open(documentId))
      if (presence === 'deleted') {
        if (!isAnew) return { found: presence, isChanged: false }
        // Before the tombstone goes: what can't be taken in must not bring anything back.
        await this.#edit({ snapshot: null, updates: [] }, form, content)
        await this.#services.log.revive(documentId)
      }
      const room = await this.#services.rooms.open(documentId)
      return room.hold(async () => {
        const update =
          base === null
            ? await this.#edit(await room.storedLog(), form, content)
            : await this.#edit(await this.#logAt(documentId, base), form, content, newClientID())
        if (update === null) return { found: presence, isChanged: false }
        const contents = await this.#services.workshop.check(update, room.updateLimits)
        if (room.isFailed) throw await this.#lost(documentId)
        await this.#commit(room, room.admit(null, update, contents))
        return { found: presence, isChanged: true }
      })
    })
  }

  async #logAt(documentId: DocumentId, version: number): Promise<StoredLog> {
    const stored = await this.#services.log.read(documentId)
    const { head, snapshotSeq, keptAfter } = stored
    // At `keptAfter` of a document without a snapshot it was begun anew: what was before is gone.
    const first = snapshotSeq > 0 ? snapshotSeq : keptAfter > 0 ? keptAfter + 1 : 0
    if (version >= first && version <= head) return logOf(stored, version)
    throw new WeftError('HEAD_MOVED', `the log holds versions ${first} to ${head}, and not ${version}`, { documentId })
  }

  #edit(
    log: StoredLog,
    form: Exclude<ContentForm, 'yjs'>,
    content: Uint8Array,
    clientID = this.#clientID,
  ): Promise<Uint8Array | null> {
    const request = { ...log, form, content, clientID }
    return this.#tasks.pass(async () => (await this.#services.workshop.replace(request)).update)
  }

  async #commit(room: Room, batch: number): Promise<void> {
    const { clock } = this.#services
    let giveUp = () => {}
    const limit = new Promise<never>((_, reject) => {
      giveUp = () => reject(new WeftError('STORAGE_WRITE_FAILED', 'the disk has not taken it yet; it may still do'))
    })
    const timer = clock.setTimer(() => giveUp(), COMMIT_LIMIT_MS)
    try {
      await Promise.race([
        room.whenCommitted(batch).catch(async () => Promise.reject(await this.#lost(room.documentId))),
        limit,
      ])
    } finally {
      clock.clearTimer(timer)
    }
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
   * @returns what it was before
   * @throws {WeftError} what `UpdateLog.delete` throws
   */
  delete(documentId: DocumentId): Promise<Presence> {
    const { log, rooms, clock } = this.#services
    return this.#inTurn(documentId, async () => {
      const presence = presenceOf(await log.open(documentId))
      if (presence !== 'there') return presence
      await log.delete(documentId, clock.wallTime())
      await rooms.deleted(documentId)
      return presence
    })
  }

  #refuseOverload(): void {
    const { committer, settings } = this.#services
    if (committer.isFailing) throw new WeftError('STORAGE_WRITE_FAILED', 'edits cannot be stored now')
    if (committer.pendingBytes > settings.maxPendingBytes) {
      throw new WeftError('WORKER_BUSY', `${committer.pendingBytes} bytes of edits wait for the disk`)
    }
  }

  async #inTurn<T>(documentId: DocumentId, work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(documentId) ?? new Turnstile(1, MAX_WAITING)
    this.#turns.set(documentId, turn)
    try {
      return await turn.pass(work)
    } finally {
      if (turn.isFree) this.#turns.delete(documentId)
    }
  }
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

function newClientID(): number {
  return randomInt(1, 2 ** 32)
}
