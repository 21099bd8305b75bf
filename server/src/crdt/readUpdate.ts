import { ByteReader, CLOCK_BOUND } from './ByteReader.ts'
import { checkReferences, IS_KEYED, IS_TYPE, IS_WIDE, type ReferenceRole, References } from './checkReferences.ts'
import { Inheritance, KEYED, type Placement, UNKEYED } from './Inheritance.ts'
import { appendRange, type ClockRange, normaliseRanges, type Ranges } from './ranges.ts'
import { skipAny } from './skipAny.ts'
import { skipJson } from './skipJson.ts'
import type { UpdateLimits } from './UpdateLimits.ts'

export { MalformedUpdate } from './MalformedUpdate.ts'

/**
 * What an update contains, as far as a log needs to know. Plain values, for the way from a worker.
 * Maps go from client ids; a client without an entry has none.
 */
export interface UpdateContents {
  /** `Map<clientID, range>`: the operations that it brings. Where the block has gaps (skips), from its first to its last. */
  readonly structs: ReadonlyMap<number, ClockRange>
  /** `Map<clientID, ranges>`: its delete set, sorted, merged. */
  readonly deletes: ReadonlyMap<number, Ranges>
  /**
   * `Map<clientID, clock>`: what a log must have reached *before* this update, so that nothing of it stays pending:
   * the first clock of each block, the ends of skips, references to operations that it doesn't bring itself, and delete
   * ranges beyond what it brings. Clocks of 0 are left out.
   */
  readonly requires: ReadonlyMap<number, number>
  /** Which operations stand under a key, and what is cut in two there: see `Inheritance`. */
  readonly placement: Placement
  /** Structs read, skips included. */
  readonly structCount: number
  /** Root types that it names, each once. */
  readonly rootNames: readonly string[]
}

/**
 * Reads a Yjs update, v1, without building a document, and checks what SECURITY.md says in its rows U1 to U4.
 *
 * ```
 * update    = varUint(n) block*n deleteSet
 * block     = varUint(count) varUint(clientID) varUint(clock) struct*count
 * struct    = 0 varUint(length)                                           garbage-collected
 *           | 10 varUint(length)                                          skip: a gap
 *           | info [id(origin)] [id(rightOrigin)] [parent] content        info: bits 1-5 content, 6 key, 7 right, 8 left
 * parent    = (1 varString(rootName) | 0 id) [varString(key)]             only without origin and right origin
 * id        = varUint(clientID) varUint(clock)
 * deleteSet = varUint(n) (varUint(clientID) varUint(count) (varUint(clock) varUint(length))*count)*n
 * ```
 * What it lets through, and what `Knowledge` then finds closed, Yjs applies without an exception and without a rest.
 * Some of it is stricter than Yjs' decoder, and each of these has a reason there:
 * - blocks stand in falling order of client ids: `Y.mergeUpdates` relies on it, and a client's second block replaces
 *   the first in `Y.applyUpdate`;
 * - a block and a struct aren't empty, a deletion isn't either: Yjs keeps an empty deletion pending for ever;
 * - spare bits of a skip are 0: Yjs' two decoders take them for different things;
 * - the options of a subdocument are those that Yjs writes: others reach the constructor of `Y.Doc`.
 *
 * @param update bytes of one update; not changed, not kept
 * @throws {MalformedUpdate}
 */
export function readUpdate(update: Uint8Array, limits: UpdateLimits): UpdateContents {
  return new UpdateReader(update, limits).read()
}

const NO_ENTRIES: ReadonlyMap<number, never> = new Map<number, never>()
const NO_NAMES: readonly string[] = []

/** The string, after its length. */
const UNDEFINED = new TextEncoder().encode('\u0009undefined')

const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_KEY = 0x20
const CONTENT_BITS = 0x1f

const GC = 0
const SKIP = 10
/** Bytes of the shortest block: count, client id, clock, and a struct of two bytes. */
const MIN_BLOCK_BYTES = 5
const MIN_STRUCT_BYTES = 2

class UpdateReader {
  readonly #reader: ByteReader
  readonly #limits: UpdateLimits
  #structs: Map<number, ClockRange> | null = null
  #deletes: Map<number, Ranges> | null = null
  #requires: Map<number, number> | null = null
  #rootNames: string[] | null = null
  #structCount = 0
  /** Structs whose content is a type. */
  #typeCount = 0
  /** `Map<clientID, clock>`: the end of what is referred to of other clients. */
  #referredTo: Map<number, number> | null = null
  /** Where the last root name stood: the same name often follows. */
  #lastNameStart = 0
  #lastNameEnd = 0
  #inheritance = new Inheritance()
  /** The struct that is being read: its client, clock, and what is found out about it. */
  #clientID = 0
  #clock = 0
  #source = 0
  #flags = 0
  /** Filled in a second pass, where one is needed. */
  #references: References | null = null

  constructor(update: Uint8Array, limits: UpdateLimits) {
    this.#reader = new ByteReader(update)
    this.#limits = limits
  }

  read(): UpdateContents {
    const reader = this.#reader
    const blockCount = this.#readBlocks()
    this.#readDeleteSet()
    if (reader.bytesLeft > 0) throw reader.malformed(`${reader.bytesLeft} bytes follow its end`)
    const isIntertwined = this.#requireReferences()
    if ((blockCount > 1 && isIntertwined) || this.#typeCount > this.#limits.maxNesting) this.#checkReferences()
    return {
      structs: this.#structs ?? NO_ENTRIES,
      deletes: this.#deletes ?? NO_ENTRIES,
      requires: this.#requires ?? NO_ENTRIES,
      placement: this.#inheritance.finish(this.#deletes ?? NO_ENTRIES),
      structCount: this.#structCount,
      rootNames: this.#rootNames ?? NO_NAMES,
    }
  }

  #readBlocks(): number {
    const reader = this.#reader
    const blockCount = reader.readCount(MIN_BLOCK_BYTES)
    if (blockCount > this.#limits.maxClients) {
      throw reader.malformed(`${blockCount} clients are over ${this.#limits.maxClients}`)
    }
    let previousClient = Number.POSITIVE_INFINITY
    for (let block = 0; block < blockCount; block++) {
      const count = reader.readCount(MIN_STRUCT_BYTES)
      this.#structCount += count
      if (count < 1) throw reader.malformed('a client without structs')
      if (this.#structCount > this.#limits.maxStructs) {
        throw reader.malformed(`${this.#structCount} structs are over ${this.#limits.maxStructs}`)
      }
      const clientID = reader.readClientID()
      if (clientID >= previousClient) {
        throw reader.malformed(`client ${clientID} after client ${previousClient}: not in falling order`)
      }
      previousClient = clientID
      this.#readBlock(clientID, reader.readClock(), count)
    }
    return blockCount
  }

  #readBlock(clientID: number, firstClock: number, count: number): void {
    const reader = this.#reader
    const references = this.#references
    this.#clientID = clientID
    if (references === null) this.#inheritance.beginBlock(clientID)
    let clock = firstClock
    let start = -1
    let end = firstClock
    let required = firstClock
    for (let index = 0; index < count; index++) {
      this.#clock = clock
      const info = reader.readByte()
      if (info === SKIP) {
        clock += reader.readLength(clock)
        required = clock
        continue
      }
      if (start < 0) start = clock
      references?.beginStruct(clock)
      this.#source = UNKEYED
      this.#flags = 0
      if (info === GC) clock += reader.readLength(clock)
      else clock += this.#readItem(info)
      end = clock
      references?.endStruct(end, this.#flags)
      if (references === null) this.#inheritance.add(this.#clock, end, this.#source, (this.#flags & IS_WIDE) !== 0)
    }
    if (clock >= CLOCK_BOUND) throw reader.malformed(`the operations of client ${clientID} end at 2^40 or above`)
    if (references !== null) {
      if (start >= 0) references.endBlock()
      return
    }
    this.#inheritance.endBlock()
    if (start >= 0) {
      this.#structs ??= new Map()
      this.#structs.set(clientID, { start, end })
    }
    if (required > 0) this.#require(clientID, required)
  }

  /** @returns its length in clocks */
  #readItem(info: number): number {
    if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) === 0) {
      const reader = this.#reader
      const parentKind = reader.readVarUint()
      if (parentKind === 1) this.#readRootName()
      else if (parentKind === 0) this.#readReference(2)
      else throw reader.malformed(`unknown kind of parent ${parentKind}`)
      if ((info & HAS_KEY) !== 0) {
        reader.skipString()
        this.#flags = IS_KEYED
        this.#source = KEYED
      }
    } else {
      // Where both are, the origin tells where it stands.
      if ((info & HAS_ORIGIN) !== 0) this.#readReference(0)
      const source = this.#source
      if ((info & HAS_RIGHT_ORIGIN) !== 0) this.#readReference(1)
      if ((info & HAS_ORIGIN) !== 0) this.#source = source
    }
    return this.#readContent(info & CONTENT_BITS)
  }

  /** @param role 0 origin, 1 right origin, 2 parent */
  #readReference(role: ReferenceRole): void {
    const reader = this.#reader
    const clientID = reader.readClientID()
    const clock = reader.readClock()
    if (this.#references !== null) this.#references.addReference(role, clientID, clock)
    else if (role !== 2) {
      this.#source = this.#inheritance.sourceBefore(clientID, clock)
      // An origin must be the end of a struct, a right origin the beginning of one.
      this.#inheritance.cutBefore(clientID, role === 0 ? clock + 1 : clock)
    }
    if (clientID === this.#clientID) {
      if (clock >= this.#clock) {
        throw reader.malformed(`operation ${this.#clock} refers to ${clock} of the same client, which isn't before it`)
      }
    } else this.#refersTo(clientID, clock)
  }

  #refersTo(clientID: number, clock: number): void {
    this.#referredTo ??= new Map()
    const end = this.#referredTo.get(clientID)
    if (end === undefined || end <= clock) this.#referredTo.set(clientID, clock + 1)
  }

  #readRootName(): void {
    const reader = this.#reader
    const lengthStart = reader.position
    reader.skipString()
    const end = reader.position
    // Compared with its length before it, in place: one root's items often follow each other.
    if (reader.isRepeated(this.#lastNameStart, this.#lastNameEnd, lengthStart, end)) return
    this.#lastNameStart = lengthStart
    this.#lastNameEnd = end
    reader.position = lengthStart
    const name = reader.readString()
    this.#rootNames ??= []
    if (this.#rootNames.includes(name)) return
    const { allowedRootNames, maxRootNames } = this.#limits
    if (allowedRootNames !== null && !allowedRootNames.has(name)) {
      throw reader.malformed(`a root name of ${name.length} characters is not an allowed one`)
    }
    if (this.#rootNames.length >= maxRootNames) throw reader.malformed(`more than ${maxRootNames} root names`)
    this.#rootNames.push(name)
  }

  /** @returns its length in clocks */
  #readContent(kind: number): number {
    const reader = this.#reader
    switch (kind) {
      case 1: // deleted
        return reader.readLength(this.#clock)
      case 2: {
        const length = this.#readContentLength()
        for (let index = 0; index < length; index++) this.#readJson(true)
        if (length > 1) this.#flags |= IS_WIDE
        return length
      }
      case 3: // binary
        reader.skip(reader.readVarUint())
        return 1
      case 4: {
        const length = reader.skipString()
        if (length < 1) throw reader.malformed('a length of 0')
        if (length > 1) this.#flags |= IS_WIDE
        return length
      }
      case 5: // embed
        this.#readJson(false)
        return 1
      case 6: // format: key and value
        reader.skipString()
        this.#readJson(false)
        return 1
      case 7:
        this.#readType()
        return 1
      case 8: {
        const length = this.#readContentLength()
        for (let index = 0; index < length; index++) skipAny(reader, this.#limits.maxJsonDepth)
        if (length > 1) this.#flags |= IS_WIDE
        return length
      }
      case 9: // subdocument: id and options
        reader.skipString()
        this.#readSubdocumentOptions()
        return 1
      default:
        throw reader.malformed(`unknown kind of content ${kind}`)
    }
  }

  #readContentLength(): number {
    const reader = this.#reader
    const length = reader.readCount(1)
    if (length < 1) throw reader.malformed('a length of 0')
    return length
  }

  #readJson(mayBeUndefined: boolean): void {
    const reader = this.#reader
    // Yjs writes `undefined` in an array as this word, which isn't JSON.
    const isUndefined = mayBeUndefined && reader.nextIs(UNDEFINED)
    const start = reader.skipStringFrom()
    if (isUndefined) return
    const end = reader.position
    reader.position = start
    skipJson(reader, end, this.#limits.maxJsonDepth)
  }

  #readType(): void {
    const reader = this.#reader
    const kind = reader.readVarUint()
    if (kind > 6) throw reader.malformed(`unknown kind of type ${kind}`)
    // An XML element's name and an XML hook's.
    if (kind === 3 || kind === 5) reader.skipString()
    this.#flags |= IS_TYPE
    this.#typeCount++
  }

  #readSubdocumentOptions(): void {
    const reader = this.#reader
    if (reader.readByte() !== 118) throw reader.malformed('the options of a subdocument are not an object')
    const count = reader.readCount(2)
    for (let index = 0; index < count; index++) {
      const key = reader.readString()
      if (key === 'meta') skipAny(reader, this.#limits.maxJsonDepth - 1)
      else if (key === 'gc' || key === 'autoLoad') {
        const tag = reader.readByte()
        if (tag !== 120 && tag !== 121) throw reader.malformed('an option of a subdocument is not a boolean')
      } else throw reader.malformed('an unknown option of a subdocument')
    }
  }

  #require(clientID: number, clock: number): void {
    this.#requires ??= new Map()
    const before = this.#requires.get(clientID)
    if (before === undefined || before < clock) this.#requires.set(clientID, clock)
  }

  #readDeleteSet(): void {
    const reader = this.#reader
    const clientCount = reader.readCount(2)
    if (clientCount > this.#limits.maxClients) {
      throw reader.malformed(`${clientCount} clients are over ${this.#limits.maxClients}`)
    }
    for (let index = 0; index < clientCount; index++) {
      const clientID = reader.readClientID()
      const count = reader.readCount(2)
      if (count < 1) continue
      const ranges = this.#readDeletedRanges(count)
      this.#deletes ??= new Map()
      if (this.#deletes.has(clientID)) throw reader.malformed(`two delete sets of client ${clientID}`)
      this.#deletes.set(clientID, ranges)
      const end = ranges[ranges.length - 1] as number
      const brought = this.#structs?.get(clientID)
      if (brought === undefined || brought.end < end) this.#require(clientID, end)
    }
  }

  #readDeletedRanges(count: number): Ranges {
    const reader = this.#reader
    const ranges: number[] = []
    let isSorted = true
    let previousStart = -1
    for (let index = 0; index < count; index++) {
      const start = reader.readClock()
      const end = start + reader.readLength(start)
      if (start < previousStart) isSorted = false
      previousStart = start
      if (isSorted) appendRange(ranges, start, end)
      else ranges.push(start, end)
    }
    return isSorted ? ranges : normaliseRanges(ranges)
  }

  /**
   * Requires what is referred to of other clients and not brought.
   * @returns whether operations of different clients in this update may refer to each other
   */
  #requireReferences(): boolean {
    if (this.#referredTo === null) return false
    let isIntertwined = false
    for (const [clientID, end] of this.#referredTo) {
      const brought = this.#structs?.get(clientID)
      if (brought === undefined || brought.end < end) this.#require(clientID, end)
      if (brought !== undefined && brought.start < end) isIntertwined = true
    }
    return isIntertwined
  }

  /** Reads the structs once more, for what can't be seen while they pass by: order between clients, and nesting. */
  #checkReferences(): void {
    this.#references = new References(this.#structCount, this.#structs ?? NO_ENTRIES)
    this.#reader.position = 0
    this.#structCount = 0
    this.#readBlocks()
    this.#inheritance = new Inheritance()
    checkReferences(this.#references, this.#limits.maxNesting, this.#inheritance)
  }
}
