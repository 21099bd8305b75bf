import { type DocumentId, documentParts, partOf, splitPart } from '@weft/protocol'
import { type UpdateLimits, updateLimitsOf } from '../crdt/UpdateLimits.ts'
import { WeftError } from '../errors.ts'
import { MemoryBudget } from '../MemoryBudget.ts'
import { Sweep } from '../Sweep.ts'
import { BytesCache, type CacheSettings } from './BytesCache.ts'
import { DELETED } from './Committer.ts'
import type { SizeState } from './Growth.ts'
import type { Member } from './Member.ts'
import type { Pins } from './Pins.ts'
import { type Population, Room, type RoomServices, type RoomSettings } from './Room.ts'
import { readForRoom } from './readForRoom.ts'

const SWEEP_MS = 5000

export interface RoomsSettings extends CacheSettings {
  readonly maxOpenDocuments: number
  readonly maxOpenDocumentBytes: number
  readonly maxSessions: number
  readonly maxRememberedBytes: number
}

/** The open documents: at most one room for each, from its first session until a while after its last. */
export class Rooms {
  readonly #services: RoomServices
  readonly #settings: RoomsSettings
  readonly #population: Population
  readonly #idleMs: number
  readonly #rooms = new Map<DocumentId, Promise<Room>>()
  /** Each with its place in `#rooms`, which a deleted one has left to the next. */
  readonly #loaded = new Map<Room, Promise<Room>>()
  readonly #sweep: Sweep
  #measuredBytes = 0

  constructor(
    services: Omit<RoomServices, 'bytesCache' | 'updateLimits' | 'population' | 'settings'> & {
      readonly settings: RoomSettings & RoomsSettings
    },
    idleMs: number,
  ) {
    this.#population = {
      sessions: 0,
      grownBytes: 0,
      remembered: new MemoryBudget(services.settings.maxRememberedBytes),
    }
    this.#services = {
      ...services,
      bytesCache: new BytesCache(services.settings, services.clock),
      population: this.#population,
      updateLimits: updateLimitsOf(services.settings),
      documentBegun: documentId => this.#tellParts(documentId),
    }
    this.#settings = services.settings
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
    return this.#population.sessions
  }

  /** Bytes of log entries that no snapshot holds yet. */
  get tailBytes(): number {
    return this.#sum(room => room.tailBytes)
  }

  /** What is being sent of shared bytes. */
  get pins(): Pins {
    return this.#services.bytesCache.pins
  }

  /** Stored bytes that are held or being sent. */
  get loadedBytes(): number {
    return this.#services.bytesCache.loadedBytes
  }

  /** What sessions are owed, in bytes. */
  get rememberedBytes(): number {
    return this.#population.remembered.used
  }

  /** Open documents that are warned of, and that are full. */
  get sizes(): { large: number; full: number } {
    const count = (state: SizeState) => this.#sum(room => (room.sizeState === state ? 1 : 0))
    return { large: count('large'), full: count('full') }
  }

  /** Whether one more session is one too many. */
  get isCrowded(): boolean {
    return this.#population.sessions >= this.#settings.maxSessions
  }

  /** What is known of all open documents, in bytes. */
  get memoryBytes(): number {
    return this.#measuredBytes + this.#population.grownBytes
  }

  /** Whether what is known of open documents takes more memory than it may. */
  get isOverMemory(): boolean {
    if (this.memoryBytes <= this.#settings.maxOpenDocumentBytes) return false
    // What was added is an estimate, and some of it has gone since.
    this.#measure()
    return this.memoryBytes > this.#settings.maxOpenDocumentBytes
  }

  #measure(): void {
    this.#measuredBytes = this.#sum(room => room.memoryBytes)
    this.#population.grownBytes = 0
  }

  /** Stored bytes held in memory for joiners. */
  get heldBytes(): number {
    return this.#sum(room => room.heldBytes)
  }

  sessionsIn(documentId: DocumentId): number {
    for (const room of this.#loaded.keys())
      if (room.documentId === documentId && !room.isFailed) return room.sessionCount
    return 0
  }

  *sessions(): Generator<Member> {
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
    if (this.#rooms.size >= this.#settings.maxOpenDocuments || this.isOverMemory) {
      return Promise.reject(new WeftError('OVERLOADED', `${this.#rooms.size} documents are open`, { documentId }))
    }
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
    const { bytesCache, log } = this.#services
    const { stored, damage } = await bytesCache.load(() => readForRoom(log, documentId))
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
    this.#measure()
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
