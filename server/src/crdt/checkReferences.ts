import { type Inheritance, KEYED, UNKEYED } from './Inheritance.ts'
import { MalformedUpdate } from './MalformedUpdate.ts'
import type { ClockRange } from './ranges.ts'

/** What a struct is, as bits. */
export const IS_TYPE = 1
export const IS_KEYED = 2
export const IS_WIDE = 4

const ORIGIN = 0
const RIGHT_ORIGIN = 1
const PARENT = 2
/** Which operation a reference is: the part that it has. */
export type ReferenceRole = typeof ORIGIN | typeof RIGHT_ORIGIN | typeof PARENT

/**
 * The structs of one update and what they refer to, as columns: a row per struct but for skips, in the order of the bytes.
 * About 80 bytes per struct, held only while one update is checked.
 */
export class References {
  readonly clientIDs: readonly number[]
  /** Row of the first struct of each block, and the row after the last block. */
  readonly firstRows: number[] = [0]
  readonly starts: Float64Array
  readonly ends: Float64Array
  readonly flags: Uint8Array
  /** Per struct origin, right origin and parent: client id, or -1 where there is none, and clock. */
  readonly referredClients: Float64Array
  readonly referredClocks: Float64Array
  /** The block that it is in, or -1 if this update doesn't bring it. */
  readonly referredBlocks: Int32Array
  readonly #blocks = new Map<number, number>()
  readonly #ranges: ReadonlyMap<number, ClockRange>
  #row = -1

  /** @param ranges what each block brings, in the order of the blocks */
  constructor(structCount: number, ranges: ReadonlyMap<number, ClockRange>) {
    this.clientIDs = [...ranges.keys()]
    this.starts = new Float64Array(structCount)
    this.ends = new Float64Array(structCount)
    this.flags = new Uint8Array(structCount)
    this.referredClients = new Float64Array(structCount * 3).fill(-1)
    this.referredClocks = new Float64Array(structCount * 3)
    this.referredBlocks = new Int32Array(structCount * 3).fill(-1)
    this.#ranges = ranges
    for (const clientID of this.clientIDs) this.#blocks.set(clientID, this.#blocks.size)
  }

  beginStruct(start: number): void {
    this.#row++
    this.starts[this.#row] = start
  }

  addReference(role: ReferenceRole, clientID: number, clock: number): void {
    const cell = this.#row * 3 + role
    this.referredClients[cell] = clientID
    this.referredClocks[cell] = clock
    const range = this.#ranges.get(clientID)
    if (range === undefined || clock < range.start || clock >= range.end) return
    this.referredBlocks[cell] = this.#blocks.get(clientID) ?? -1
  }

  endStruct(end: number, flags: number): void {
    this.ends[this.#row] = end
    this.flags[this.#row] = flags
  }

  endBlock(): void {
    this.firstRows.push(this.#row + 1)
  }
}

/**
 * Goes through the structs as Yjs integrates them (a struct after all that it refers to), and checks that this comes to
 * an end, and how deep types lie within types.
 * @param inheritance is told of every struct, once the one that it inherits from is known
 * @throws {MalformedUpdate} where clients refer to each other in a circle, which Yjs would keep pending for ever, and
 * where more than `maxNesting` types of this update lie within each other
 */
export function checkReferences(references: References, maxNesting: number, inheritance: Inheritance): void {
  new ReferenceCheck(references, maxNesting, inheritance).run()
}

class ReferenceCheck {
  readonly #references: References
  readonly #maxNesting: number
  readonly #inheritance: Inheritance
  readonly #blockCount: number
  /** The next row of each block. */
  readonly #next: Int32Array
  readonly #isWaiting: Uint8Array
  /** Per struct, how many types of this update it lies in. */
  readonly #depths: Int32Array
  /** Per struct, what `Inheritance` calls its source. */
  readonly #sources: Int32Array

  constructor(references: References, maxNesting: number, inheritance: Inheritance) {
    this.#references = references
    this.#maxNesting = maxNesting
    this.#inheritance = inheritance
    this.#blockCount = references.firstRows.length - 1
    this.#next = Int32Array.from(references.firstRows)
    this.#isWaiting = new Uint8Array(this.#blockCount)
    this.#depths = new Int32Array(references.starts.length)
    this.#sources = new Int32Array(references.starts.length)
  }

  run(): void {
    const waiting: number[] = []
    for (let first = 0; first < this.#blockCount; first++) {
      let block = first
      // Whatever waits, waits in the end for `first`: a block that is waited for has structs left.
      while ((this.#next[first] as number) < this.#endRow(first)) {
        const row = this.#next[block] as number
        const missing = this.#missingBlock(row)
        if (missing >= 0) {
          this.#isWaiting[block] = 1
          if (this.#isWaiting[missing] === 1) throw new MalformedUpdate('its clients refer to each other in a circle')
          waiting.push(block)
          block = missing
          continue
        }
        this.#place(row)
        this.#next[block] = row + 1
        block = waiting.pop() ?? first
        this.#isWaiting[block] = 0
      }
    }
    this.#report()
  }

  #endRow(block: number): number {
    return this.#references.firstRows[block + 1] as number
  }

  /** The block of something that this struct refers to and that isn't integrated yet, or -1. */
  #missingBlock(row: number): number {
    const { referredBlocks, referredClocks, starts } = this.#references
    for (let cell = row * 3; cell < row * 3 + 3; cell++) {
      const block = referredBlocks[cell] as number
      if (block < 0) continue
      const next = this.#next[block] as number
      if (next < this.#endRow(block) && (referredClocks[cell] as number) >= (starts[next] as number)) return block
    }
    return -1
  }

  /** Finds depth and source of a struct as Yjs finds its parent: from its origin, else right origin, else as named. */
  #place(row: number): void {
    const { referredClients, referredClocks, flags } = this.#references
    const flag = flags[row] as number
    const cell = row * 3 + ((referredClients[row * 3] as number) >= 0 ? ORIGIN : RIGHT_ORIGIN)
    const clientID = referredClients[cell] as number
    if (clientID >= 0) {
      const relative = this.#rowOf(cell)
      this.#depths[row] = relative < 0 ? 0 : (this.#depths[relative] as number)
      this.#sources[row] =
        relative < 0
          ? this.#inheritance.sourceOutside(clientID, referredClocks[cell] as number)
          : (this.#sources[relative] as number)
    } else {
      const parent = this.#rowOf(row * 3 + PARENT)
      this.#depths[row] = parent < 0 ? 0 : (this.#depths[parent] as number) + 1
      this.#sources[row] = (flag & IS_KEYED) !== 0 ? KEYED : UNKEYED
    }
    const levels = (this.#depths[row] as number) + ((flag & IS_TYPE) !== 0 ? 1 : 0)
    if (levels > this.#maxNesting) throw new MalformedUpdate(`its types are nested more than ${this.#maxNesting} deep`)
  }

  /** The row of what is referred to, or -1 if this update doesn't bring it. */
  #rowOf(cell: number): number {
    const { referredBlocks, referredClocks, starts, ends, firstRows } = this.#references
    const block = referredBlocks[cell] as number
    if (block < 0) return -1
    const clock = referredClocks[cell] as number
    let low = firstRows[block] as number
    let high = (this.#next[block] as number) - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] as number) <= clock) low = middle
      else high = middle - 1
    }
    // Between two structs lies a skip: not brought.
    return clock < (ends[low] as number) ? low : -1
  }

  #report(): void {
    const { clientIDs, starts, ends, flags } = this.#references
    for (let block = 0; block < this.#blockCount; block++) {
      this.#inheritance.beginBlock(clientIDs[block] as number)
      for (let row = this.#references.firstRows[block] as number; row < this.#endRow(block); row++) {
        const isWide = ((flags[row] as number) & IS_WIDE) !== 0
        this.#inheritance.add(starts[row] as number, ends[row] as number, this.#sources[row] ?? UNKEYED, isWide)
      }
      this.#inheritance.endBlock()
    }
    for (let row = 0; row < this.#endRow(this.#blockCount - 1); row++) {
      this.#cut(row * 3 + ORIGIN, 1)
      this.#cut(row * 3 + RIGHT_ORIGIN, 0)
    }
  }

  /** An origin must be the end of a struct, a right origin the beginning of one. */
  #cut(cell: number, offset: 0 | 1): void {
    const { referredClients, referredClocks } = this.#references
    const clientID = referredClients[cell] as number
    if (clientID < 0) return
    const clock = (referredClocks[cell] as number) + offset
    if (this.#rowOf(cell) >= 0) this.#inheritance.cutInside(clientID, clock)
    else this.#inheritance.cutOutside(clientID, clock)
  }
}
