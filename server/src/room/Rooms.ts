import { type DocumentId, documentParts, partOf, splitPart } from '@weft/protocol'
import { type UpdateLimits, updateLimitsOf } from '../crdt/UpdateLimits.ts'
import { WeftError } from '../errors.ts'
import { Sweep } from '../Sweep.ts'
import { BytesCache } from './BytesCache.ts'
import { DELETED } from './Committer.ts'
import { Room, type RoomServices } from './Room.ts'
import { readForRoom } from './readForRoom.ts'
import type { Session } from './Session.ts'

const SWEEP_MS = 5000

/** The open documents: at most one room for each, from its first session until a while after its last. */
export class Rooms {
  readonly #services: RoomServices
  readonly #idleMs: number
  readonly #rooms = new Map<DocumentId, Promise<Room>>()
  /** Each with its place in `#rooms`, which a deleted one has left to the next. */
  readonly #loaded = new Map<Room, Promise<Room>>()
  readonly #sweep: Sweep

  constructor(services: Omit<RoomServices, 'bytesCache' | 'updateLimits'>, idleMs: number) {
    this.#services = {
      ...services,
      bytesCache: new BytesCache(services.clock),
      updateLimits: updateLimitsOf(services.settings),
      documentBegun: documentId => this.#tellParts(documentId),
    }
    this.#idleMs = idleMs
    this.#sweep = new Sweep(services.clock, SWEEP_MS, () => this.#sweepAll())
  }

  /** What an update may contain. */
  get updateLimits(): UpdateLimits {
    return this.#services.updateLimits
  }

  get count(): number {
    return this.#rooms.size
  }

  get sessionCount(): number {
    return this.#sum(room => room.sessionCount)
  }

  /** Bytes of log entries that no snapshot holds yet. */
  get tailBytes(): number {
    return this.#sum(room => room.tailBytes)
  }

  /** Stored bytes held in memory for joiners. */
  get heldBytes(): number {
    return this.#sum(room => room.heldBytes)
  }

  *sessions(): Generator<Session> {
    for (const room of this.#loaded.keys()) yield* room.sessions
  }

  #sum(read: (room: Room) => number): number {
    let sum = 0
    for (const room of this.#loaded.keys()) sum += read(room)
    return sum
  }

  /**
   * The room of a document, loaded from the log.
   * @throws {WeftError} `DOCUMENT_DELETED`, and what `UpdateLog.read` throws: a failed read is never an empty document
   */
  open(documentId: DocumentId): Promise<Room> {
    const open = this.#rooms.get(documentId)
    if (open !== undefined) return open
    const loading = this.#load(documentId)
    this.#rooms.set(documentId, loading)
    loading.then(
      room => {
        this.#loaded.set(room, loading)
        this.#sweep.start()
      },
      () => this.#leave(documentId, loading),
    )
    return loading
  }

  /** Each session of each document is told how it stands with storing edits. */
  savingChanged(): void {
    for (const room of this.#loaded.keys()) room.savingChanged()
  }

  /** Each session of each document looks at its right anew. */
  review(): void {
    for (const room of this.#loaded.keys()) room.review()
  }

  /** Ends the room of a document that was deleted in the log: everybody in it is told, and who comes now finds it deleted. */
  async deleted(documentId: DocumentId): Promise<void> {
    // It may be loading still, from what was read before.
    const loading = this.#rooms.get(documentId)
    if (loading === undefined) return
    this.#rooms.delete(documentId)
    const room = await loading.catch(() => null)
    room?.fail(DELETED, 'deleted')
  }

  #leave(documentId: DocumentId, place: Promise<Room>): void {
    if (this.#rooms.get(documentId) === place) this.#rooms.delete(documentId)
  }

  async #load(documentId: DocumentId): Promise<Room> {
    const { stored, damage } = await readForRoom(this.#services.log, documentId)
    if (stored.deletedAt !== null) {
      throw new WeftError('DOCUMENT_DELETED', `${documentId} was deleted`, { documentId })
    }
    if (damage !== null) {
      const { logger } = this.#services
      const what = `a damaged document is open for reading, up to entry ${stored.head}`
      logger.error({ document: documentId, damage }, what)
    }
    const { document, part } = splitPart(documentId)
    if (part === null) return new Room(documentId, stored, this.#services, damage)
    const { head, deletedAt } = await this.#services.log.open(document).catch(error => {
      // A damaged document is there, and so are its comments.
      if (error instanceof WeftError && error.code === 'DOCUMENT_DAMAGED') return { head: 1, deletedAt: null }
      throw error
    })
    if (deletedAt !== null) throw new WeftError('DOCUMENT_DELETED', `${document} was deleted`, { documentId: document })
    const room = new Room(documentId, stored, this.#services, damage)
    room.isDocumentThere = head > 0
    return room
  }

  /** Who may write in a part of a document, and not begin documents, waits for this. */
  #tellParts(documentId: DocumentId): void {
    if (splitPart(documentId).part !== null) return
    for (const part of documentParts) {
      const tell = (room: Room) => {
        room.isDocumentThere = true
        room.begun()
      }
      // One that can't be loaded has nobody in it.
      this.#rooms.get(partOf(documentId, part))?.then(tell, () => {})
    }
  }

  /** @returns whether there is anything left to look at */
  #sweepAll(): boolean {
    const now = this.#services.clock.now()
    for (const [room, place] of this.#loaded) {
      try {
        const canUnload = room.sweep(now, this.#idleMs)
        if (!canUnload && !(room.isFailed && room.sessionCount === 0)) continue
        room.unload()
      } catch (error) {
        // It ends this room, and no other: its clients come back with their edits.
        this.#services.logger.error({ err: error, document: room.documentId }, 'a room went wrong')
        room.fail('this document has to be loaded anew')
      }
      this.#loaded.delete(room)
      this.#leave(room.documentId, place)
    }
    return this.#loaded.size > 0
  }

  /** No timers any more. Everything pending must be committed, or given up, before. */
  stop(): void {
    this.#sweep.stop()
    this.#services.bytesCache.stop()
    for (const room of this.#loaded.keys()) room.unload()
    this.#loaded.clear()
    this.#rooms.clear()
  }
}
