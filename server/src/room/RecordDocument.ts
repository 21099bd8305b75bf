import type { DocumentId } from '@weft/protocol'
import { PART_SEPARATOR } from '@weft/protocol'
import * as Y from 'yjs'
import type { AccessRecords, RecordValue } from '../access/AccessRecords.ts'
import type { Clock } from '../clock.ts'
import { readUpdate } from '../crdt/readUpdate.ts'
import { WeftError } from '../errors.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'
import { committedWithin } from './committedWithin.ts'
import type { Room } from './Room.ts'
import type { Rooms } from './Rooms.ts'

/** A name that no URL, token or message can give. */
export const RECORDS_ID = `${PART_SEPARATOR}access` as DocumentId

/**
 * Records in a document of their own, a map from key to value, which nobody can open.
 *
 * Why a document and not a kind of record or a file of its own: it has all that a store needs already, tested under every fault.
 * A change is committed with everybody's edits (one fsync), tried again where the disk fails, survives `kill -9`, carries a
 * checksum, is compacted, backed up, restored and verified, and will be in PostgreSQL with the rest. The price: the one `Y.Doc`
 * that lives on the event loop, 1 kB a record, of which the number is bounded by who makes them.
 */
export class RecordDocument implements AccessRecords {
  readonly #rooms: Rooms
  readonly #clock: Clock
  readonly #doc = new Y.Doc()

  private constructor(rooms: Rooms, clock: Clock) {
    this.#rooms = rooms
    this.#clock = clock
  }

  /** @throws {WeftError} what `UpdateLog.read` throws: a failed read is never an empty list of revocations */
  static async open(log: Pick<UpdateLog, 'read'>, rooms: Rooms, clock: Clock): Promise<RecordDocument> {
    const records = new RecordDocument(rooms, clock)
    const { snapshot, snapshotSeq, entries } = await log.read(RECORDS_ID)
    if (snapshot !== null) Y.applyUpdate(records.#doc, snapshot)
    for (const { seq, update } of entries) if (seq > snapshotSeq) Y.applyUpdate(records.#doc, update)
    return records
  }

  get #map(): Y.Map<RecordValue> {
    return this.#doc.getMap('records')
  }

  *entries(prefix: string): Generator<readonly [string, RecordValue]> {
    for (const entry of this.#map.entries()) if (entry[0].startsWith(prefix)) yield entry
  }

  get(key: string): RecordValue | undefined {
    return this.#map.get(key)
  }

  async change(changes: ReadonlyMap<string, RecordValue | null>): Promise<void> {
    this.#doc.transact(() => {
      for (const [key, value] of changes) {
        if (value !== null) this.#map.set(key, value)
        else if (this.#map.has(key)) this.#map.delete(key)
      }
    })
    try {
      const room = await this.#rooms.open(RECORDS_ID)
      await room.hold(() => this.#store(room))
    } catch (error) {
      if (error instanceof WeftError) throw error
      throw new WeftError('STORAGE_WRITE_FAILED', 'a record is not on disk yet', { cause: error })
    }
  }

  /** Everything that the room doesn't have: what an earlier attempt could not store, too. */
  #store(room: Room): Promise<void> {
    const update = Y.encodeStateAsUpdate(this.#doc, room.stateVector())
    const contents = readUpdate(update, room.updateLimits)
    return committedWithin(room, room.admit(null, update, contents), this.#clock)
  }
}
