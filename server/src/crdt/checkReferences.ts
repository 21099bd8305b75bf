import { MalformedUpdate } from './MalformedUpdate.ts'
import type { ClockRange } from './ranges.ts'

/**
 * The structs of one update and what they refer to, as columns: a row per struct, in the order of the bytes.
 * About 50 bytes per struct, held only while one update is checked.
 */
export class References {
  /** Row of the first struct of each block, and the row after the last block. */
  readonly firstRows: number[] = [0]
  readonly #blocks = new Map<number, number>()
  readonly #ranges: ReadonlyMap<number, ClockRange>
  /** Where each struct begins. */
  readonly clocks: Float64Array
  readonly isType: Uint8Array
  /** Per struct its origin, right origin and parent: the block that it is in, or -1 if this update doesn't bring it. */
  readonly blocks: Int32Array
  readonly referredClocks: Float64Array
  /** Whether a reference was there at all, in the update or not; bits 0 to 2. */
  readonly roles: Uint8Array
  #row = -1

  /** @param ranges what each block brings, in the order of the blocks */
  constructor(structCount: number, ranges: ReadonlyMap<number, ClockRange>) {
    this.clocks = new Float64Array(structCount)
    this.isType = new Uint8Array(structCount)
    this.blocks = new Int32Array(structCount * 3).fill(-1)
    this.referredClocks = new Float64Array(structCount * 3)
    this.roles = new Uint8Array(structCount)
    this.#ranges = ranges
    for (const clientID of ranges.keys()) this.#blocks.set(clientID, this.#blocks.size)
  }

  addStruct(clock: number, isType: boolean): void {
    this.#row++
    this.clocks[this.#row] = clock
    this.isType[this.#row] = isType ? 1 : 0
  }

  addReference(role: 0 | 1 | 2, clientID: number, clock: number): void {
    const row = this.#row
    this.roles[row] = (this.roles[row] as number) | (1 << role)
    const range = this.#ranges.get(clientID)
    if (range === undefined || clock < range.start || clock >= range.end) return
    this.blocks[row * 3 + role] = this.#blocks.get(clientID) ?? -1
    this.referredClocks[row * 3 + role] = clock
  }

  endBlock(): void {
    this.firstRows.push(this.#row + 1)
  }
}

/**
 * Goes through the structs as Yjs integrates them (a struct after all that it refers to), and checks that this comes to
 * an end, and how deep types lie within types.
 * @throws {MalformedUpdate} where clients refer to each other in a circle, which Yjs would keep pending for ever, and
 * where more than `maxNesting` types of this update lie within each other
 */
export function checkReferences(references: References, maxNesting: number): void {
  new ReferenceCheck(references, maxNesting).run()
}

class ReferenceCheck {
  readonly #references: References
  readonly #maxNesting: number
  readonly #blockCount: number
  /** The next row of each block. */
  readonly #next: Int32Array
  readonly #isWaiting: Uint8Array
  /** Per struct, how many types of this update it lies in. */
  readonly #depths: Int32Array

  constructor(references: References, maxNesting: number) {
    this.#references = references
    this.#maxNesting = maxNesting
    this.#blockCount = references.firstRows.length - 1
    this.#next = Int32Array.from(references.firstRows)
    this.#isWaiting = new Uint8Array(this.#blockCount)
    this.#depths = new Int32Array(references.clocks.length)
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
        this.#measureDepth(row)
        this.#next[block] = row + 1
        block = waiting.pop() ?? first
        this.#isWaiting[block] = 0
      }
    }
  }

  #endRow(block: number): number {
    return this.#references.firstRows[block + 1] as number
  }

  /** The block of something that this struct refers to and that isn't integrated yet, or -1. */
  #missingBlock(row: number): number {
    for (let role = 0; role < 3; role++) {
      const block = this.#references.blocks[row * 3 + role] as number
      if (block < 0) continue
      const next = this.#next[block] as number
      const reached = next < this.#endRow(block) ? (this.#references.clocks[next] as number) : Number.POSITIVE_INFINITY
      if ((this.#references.referredClocks[row * 3 + role] as number) >= reached) return block
    }
    return -1
  }

  #measureDepth(row: number): void {
    const { roles, isType } = this.#references
    const given = roles[row] as number
    // As Yjs finds a parent: that of the left neighbour, else of the right one, else the one that is named.
    let depth = 0
    if ((given & 1) !== 0) depth = this.#depthOf(row, 0)
    else if ((given & 2) !== 0) depth = this.#depthOf(row, 1)
    else if ((given & 4) !== 0) depth = this.#depthOf(row, 2) + 1
    this.#depths[row] = depth
    if (depth > this.#maxNesting || (isType[row] === 1 && depth === this.#maxNesting)) {
      throw new MalformedUpdate(`it brings types nested more than ${this.#maxNesting} deep`)
    }
  }

  /** Depth of the struct that is referred to; -1 for a parent and 0 for others that this update doesn't bring. */
  #depthOf(row: number, role: 0 | 1 | 2): number {
    const { blocks, referredClocks, clocks, firstRows } = this.#references
    const block = blocks[row * 3 + role] as number
    if (block < 0) return role === 2 ? -1 : 0
    const clock = referredClocks[row * 3 + role] as number
    let low = firstRows[block] as number
    let high = (this.#next[block] as number) - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((clocks[middle] as number) <= clock) low = middle
      else high = middle - 1
    }
    return this.#depths[low] as number
  }
}
