import * as encoding from 'lib0/encoding'
import { ByteReader } from './ByteReader.ts'
import { CUT_WIDTH, INHERITED_WIDTH, type Placement, WIDE_WIDTH } from './Inheritance.ts'
import { addRanges, coversRanges, cutOff, type Ranges } from './ranges.ts'
import type { UpdateContents } from './readUpdate.ts'
import { encodeStateVector } from './stateVector.ts'

/** First byte of the stored form. */
const FORMAT = 1

/** An entry of a map from a number to a number; to a list. Measured, and rounded up. Lists grow by half: 16 bytes a number. */
export const CLIENT_BYTES = 64
const LIST_BYTES = 128

const CUTS_ENTRY = 'it cuts an entry of a map, or an attribute, in two'

/**
 * What the log of one document contains: its state vector and its delete set. Never a `Y.Doc`.
 *
 * [K1] The state vector is that of a `Y.Doc` made from the log, after every `add`: only closed updates are added.
 * [K2] The delete set is contained in that document's. What the document has more are deletions that no bytes carry:
 *      items of a deleted parent, superseded map keys, redundant formatting marks.
 * [K3] Ranges are sorted and merged, clocks of 0 and clients without deletions have no entry.
 */
export class Knowledge {
  readonly #clocks = new Map<number, number>()
  readonly #deletes = new Map<number, number[]>()
  /** Operations that stand under a key: see `Inheritance`. */
  readonly #keyed = new Map<number, number[]>()
  /** Structs of several operations under a key that weren't deleted when they came: start, end, …, rising, not merged. */
  readonly #wide = new Map<number, number[]>()
  /** Encoded forms, until something changes. */
  #encodedStateVector: Uint8Array | null = null
  #encodedDeleteSet: Uint8Array | null = null

  /**
   * What a log of this one update contains.
   * @throws {RangeError} if it isn't closed by itself
   */
  static fromContents(contents: UpdateContents): Knowledge {
    const knowledge = new Knowledge()
    knowledge.add(contents)
    return knowledge
  }

  /** `Map<clientID, clock>`: the next clock of each client. A view that follows changes. */
  get stateVector(): ReadonlyMap<number, number> {
    return this.#clocks
  }

  /** `Map<clientID, ranges>`. A view that follows changes. */
  get deletes(): ReadonlyMap<number, Ranges> {
    return this.#deletes
  }

  get isEmpty(): boolean {
    return this.#clocks.size === 0
  }

  get clientCount(): number {
    return this.#clocks.size
  }

  /** Ranges of the delete set, of all clients. */
  get rangeCount(): number {
    let count = 0
    for (const ranges of this.#deletes.values()) count += ranges.length / 2
    return count
  }

  /** Operations that aren't known to be deleted. */
  get liveCount(): number {
    let count = 0
    for (const clock of this.#clocks.values()) count += clock
    for (const ranges of this.#deletes.values()) {
      for (let i = 0; i < ranges.length; i += 2) count -= (ranges[i + 1] as number) - (ranges[i] as number)
    }
    return count
  }

  /** What it takes in memory, about. */
  get memoryBytes(): number {
    let numbers = 0
    let lists = 0
    for (const map of [this.#deletes, this.#keyed, this.#wide]) {
      lists += map.size
      for (const ranges of map.values()) numbers += ranges.length
    }
    const encoded = (this.#encodedStateVector?.length ?? 0) + (this.#encodedDeleteSet?.length ?? 0)
    return this.#clocks.size * CLIENT_BYTES + lists * LIST_BYTES + numbers * 16 + encoded
  }

  /** Whether adding this would change anything: operations beyond the state vector, or deletions that aren't known. */
  brings(contents: UpdateContents): boolean {
    for (const [clientID, range] of contents.structs) {
      if (range.end > this.#clockOf(clientID)) return true
    }
    for (const [clientID, ranges] of contents.deletes) {
      if (!coversRanges(this.#deletes.get(clientID) ?? [], ranges)) return true
    }
    return false
  }

  /** The clients of which it brings operations beyond the state vector: whose ids its sender claims to be (SECURITY.md, U6). */
  extendedClients(contents: UpdateContents): number[] {
    const clientIDs: number[] = []
    for (const [clientID, range] of contents.structs) {
      if (range.end > this.#clockOf(clientID)) clientIDs.push(clientID)
    }
    return clientIDs
  }

  /**
   * What must be in the log before this can be.
   * @returns `Map<clientID, clock>`, the clocks that must be reached; null if none is missing: the update is causally closed
   */
  missing(contents: UpdateContents): Map<number, number> | null {
    let missing: Map<number, number> | null = null
    for (const [clientID, clock] of contents.requires) {
      if (this.#clockOf(clientID) >= clock) continue
      missing ??= new Map()
      missing.set(clientID, clock)
    }
    return missing
  }

  /**
   * Whether it repeats operations that are known: then they are cut off before the rest is stored (`trimUpdate`).
   */
  overlaps(contents: UpdateContents): boolean {
    for (const [clientID, range] of contents.structs) {
      if (range.start < this.#clockOf(clientID)) return true
    }
    return false
  }

  /**
   * Why an update can't be added though nothing is missing: it cuts an entry of a map in two (see `Inheritance`).
   * @returns the reason; null for every update that an honest client makes
   */
  objection(contents: UpdateContents): string | null {
    const { wide, cuts } = contents.placement
    for (let index = 0; index < wide.length; index += WIDE_WIDTH) {
      const isCut = wide[index + 5] === 1
      if (isCut && this.#isUnderKey(wide, index + 3)) return CUTS_ENTRY
    }
    if (this.#wide.size === 0) return null
    for (let index = 0; index < cuts.length; index += CUT_WIDTH) {
      if (this.#cutsWide(cuts[index] as number, cuts[index + 1] as number)) return CUTS_ENTRY
    }
    for (const [clientID, ranges] of contents.deletes) {
      if (ranges.some(clock => this.#cutsWide(clientID, clock, ranges))) return CUTS_ENTRY
    }
    return null
  }

  /** @param at where a client id (-1: under a key for sure) and a clock stand in the list */
  #isUnderKey(list: readonly number[], at: number): boolean {
    const clientID = list[at] as number
    const clock = list[at + 1] as number
    if (clientID < 0) return true
    const ranges = this.#keyed.get(clientID)
    return ranges !== undefined && coversRanges(ranges, [clock, clock + 1])
  }

  /** @param deleted ranges that are deleted too, if this is added */
  #cutsWide(clientID: number, clock: number, deleted: Ranges = []): boolean {
    const wide = this.#wide.get(clientID)
    if (wide === undefined) return false
    let low = 0
    let high = wide.length / 2 - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((wide[middle * 2] as number) < clock) low = middle
      else high = middle - 1
    }
    const start = wide[low * 2] as number
    const end = wide[low * 2 + 1] as number
    if (clock <= start || clock >= end) return false
    // Deleted as a whole, it may be cut.
    return !coversRanges(this.#deletes.get(clientID) ?? [], [start, end]) && !coversRanges(deleted, [start, end])
  }

  /** Before the clocks rise: what is known already stands where it stood when it came first. */
  #addPlacement({ keyed, inherited, wide }: Placement): void {
    for (const [clientID, ranges] of keyed) this.#addKeyed(clientID, ranges)
    for (let index = 0; index < inherited.length; index += INHERITED_WIDTH) {
      if (!this.#isUnderKey(inherited, index + 3)) continue
      this.#addKeyed(inherited[index] as number, inherited.slice(index + 1, index + 3))
    }
    for (let index = 0; index < wide.length; index += WIDE_WIDTH) {
      const clientID = wide[index] as number
      const range = wide.slice(index + 1, index + 3)
      if ((range[0] as number) < this.#clockOf(clientID) || !this.#isUnderKey(wide, index + 3)) continue
      const known = this.#wide.get(clientID)
      if (known === undefined) this.#wide.set(clientID, range)
      else known.push(...range)
    }
  }

  #addKeyed(clientID: number, ranges: Ranges): void {
    const clock = this.#clockOf(clientID)
    const isNew = (ranges[0] as number) >= clock
    addTo(this.#keyed, clientID, isNew ? ranges : cutOff(ranges, clock))
  }

  #clockOf(clientID: number): number {
    return this.#clocks.get(clientID) ?? 0
  }

  /**
   * Adds what a closed update contains.
   * @throws {RangeError} if it isn't closed (`missing`); nothing is changed then
   */
  add(contents: UpdateContents): void {
    const missing = this.missing(contents)
    if (missing !== null) throw new RangeError(`an update that lacks operations of ${missing.size} clients was added`)
    this.#addPlacement(contents.placement)
    for (const [clientID, range] of contents.structs) {
      if (range.end <= this.#clockOf(clientID)) continue
      this.#clocks.set(clientID, range.end)
      this.#encodedStateVector = null
    }
    this.addDeletes(contents.deletes)
  }

  /** Adds deletions (`Map<clientID, ranges>`, sorted and merged) of operations that are known. */
  addDeletes(deletes: ReadonlyMap<number, Ranges>): void {
    for (const [clientID, ranges] of deletes) {
      addTo(this.#deletes, clientID, ranges)
      this.#encodedDeleteSet = null
    }
  }

  /** The state vector as Yjs encodes it. The same bytes until something is added: not to be changed. */
  encodeStateVector(): Uint8Array {
    this.#encodedStateVector ??= encodeStateVector(this.#clocks)
    return this.#encodedStateVector
  }

  /** The delete set as an update (v1) without structs. The same bytes until something is added: not to be changed. */
  encodeDeleteSet(): Uint8Array {
    this.#encodedDeleteSet ??= this.#writeDeleteSet()
    return this.#encodedDeleteSet
  }

  #writeDeleteSet(): Uint8Array {
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarUint(encoder, this.#deletes.size)
    for (const clientID of sortedFalling(this.#deletes.keys())) {
      const ranges = this.#deletes.get(clientID) ?? []
      encoding.writeVarUint(encoder, clientID)
      encoding.writeVarUint(encoder, ranges.length / 2)
      for (let index = 0; index < ranges.length; index += 2) {
        const start = ranges[index] as number
        encoding.writeVarUint(encoder, start)
        encoding.writeVarUint(encoder, (ranges[index + 1] as number) - start)
      }
    }
    return encoding.toUint8Array(encoder)
  }

  /**
   * The form in which it is stored beside the snapshot.
   * ```
   * knowledge = 1 varUint(n) (varUint(clientID) varUint(clock))*n
   *             ranges(deleted) ranges(under a key) ranges(wide under a key, each for itself)
   * ranges = varUint(n) (varUint(clientID) varUint(count) (varUint(gap) varUint(length))*count)*n
   * ```
   * `gap` is the distance from the end of the range before; client ids fall.
   */
  encode(): Uint8Array {
    const encoder = encoding.createEncoder()
    encoding.writeUint8(encoder, FORMAT)
    encoding.writeUint8Array(encoder, this.encodeStateVector())
    writeRanges(encoder, this.#deletes)
    writeRanges(encoder, this.#keyed)
    writeRanges(encoder, this.#liveWide())
    return encoding.toUint8Array(encoder)
  }

  #liveWide(): Map<number, number[]> {
    const live = new Map<number, number[]>()
    for (const [clientID, wide] of this.#wide) {
      const deleted = this.#deletes.get(clientID) ?? []
      const rest: number[] = []
      for (let index = 0; index < wide.length; index += 2) {
        const range = wide.slice(index, index + 2)
        if (!coversRanges(deleted, range)) rest.push(...range)
      }
      if (rest.length > 0) live.set(clientID, rest)
    }
    return live
  }

  /**
   * @param bytes from `encode`
   * @throws {MalformedUpdate} if they aren't, or if they are of a later format
   */
  static decode(bytes: Uint8Array): Knowledge {
    const reader = new ByteReader(bytes)
    const format = reader.readByte()
    if (format !== FORMAT) throw reader.malformed(`knowledge of format ${format}`)
    const knowledge = new Knowledge()
    let previousClient = Number.POSITIVE_INFINITY
    for (let left = reader.readCount(2); left > 0; left--) {
      const clientID = reader.readClientID()
      if (clientID >= previousClient) throw reader.malformed('clients of knowledge are not in falling order')
      previousClient = clientID
      knowledge.#clocks.set(clientID, reader.readLength(0))
    }
    readRanges(reader, knowledge.#clocks, knowledge.#deletes, false)
    readRanges(reader, knowledge.#clocks, knowledge.#keyed, false)
    readRanges(reader, knowledge.#clocks, knowledge.#wide, true)
    if (reader.bytesLeft > 0) throw reader.malformed(`${reader.bytesLeft} bytes follow the end of knowledge`)
    return knowledge
  }

  /** An independent copy. */
  clone(): Knowledge {
    const copy = new Knowledge()
    for (const [clientID, clock] of this.#clocks) copy.#clocks.set(clientID, clock)
    for (const [clientID, ranges] of this.#deletes) copy.#deletes.set(clientID, ranges.slice())
    for (const [clientID, ranges] of this.#keyed) copy.#keyed.set(clientID, ranges.slice())
    for (const [clientID, ranges] of this.#wide) copy.#wide.set(clientID, ranges.slice())
    copy.#encodedStateVector = this.#encodedStateVector
    copy.#encodedDeleteSet = this.#encodedDeleteSet
    return copy
  }
}

function addTo(map: Map<number, number[]>, clientID: number, ranges: Ranges): void {
  if (ranges.length === 0) return
  const known = map.get(clientID)
  map.set(clientID, known === undefined ? [...ranges] : addRanges(known, ranges))
}

function sortedFalling(clientIDs: Iterable<number>): number[] {
  return [...clientIDs].sort((a, b) => b - a)
}

function writeRanges(encoder: encoding.Encoder, map: ReadonlyMap<number, Ranges>): void {
  encoding.writeVarUint(encoder, map.size)
  for (const clientID of sortedFalling(map.keys())) {
    const ranges = map.get(clientID) ?? []
    encoding.writeVarUint(encoder, clientID)
    encoding.writeVarUint(encoder, ranges.length / 2)
    let end = 0
    for (const clock of ranges) {
      encoding.writeVarUint(encoder, clock - end)
      end = clock
    }
  }
}

function readRanges(
  reader: ByteReader,
  clocks: ReadonlyMap<number, number>,
  into: Map<number, number[]>,
  mayTouch: boolean,
): void {
  let previousClient = Number.POSITIVE_INFINITY
  for (let left = reader.readCount(4); left > 0; left--) {
    const clientID = reader.readClientID()
    if (clientID >= previousClient) throw reader.malformed('clients of knowledge are not in falling order')
    previousClient = clientID
    const count = reader.readCount(2)
    if (count < 1) throw reader.malformed('a client without ranges in knowledge')
    const ranges: number[] = []
    let end = 0
    for (let index = 0; index < count; index++) {
      const gap = reader.readClock()
      if (gap < 1 && index > 0 && !mayTouch) throw reader.malformed('touching ranges in knowledge')
      const start = end + gap
      end = start + reader.readLength(start)
      ranges.push(start, end)
    }
    if (end > (clocks.get(clientID) ?? 0)) throw reader.malformed('a range beyond the clock in knowledge')
    // A copy has no room to grow: most documents are opened and never changed.
    into.set(clientID, ranges.slice())
  }
}
