import { appendRange, coversRanges, type Ranges } from './ranges.ts'

/** Source of an operation in a sequence: text, array, children. */
export const UNKEYED = -1
/** Source of an operation under a key: an entry of a map, an attribute. */
export const KEYED = -2
/** No operation at all: a gap. */
const NONE = -3

/** Numbers per operation run in `Placement.inherited`, per struct in `wide`, per place in `cuts`. */
export const INHERITED_WIDTH = 5
export const WIDE_WIDTH = 6
export const CUT_WIDTH = 2

/** Where the operations of an update stand, as far as the update tells. Flat lists of numbers: entry after entry. */
export interface Placement {
  /** `Map<clientID, ranges>`: operations under a key. */
  readonly keyed: ReadonlyMap<number, Ranges>
  /** Client id, start, end; client id and clock of an operation outside of the update: they stand where that one does. */
  readonly inherited: readonly number[]
  /**
   * Structs of several characters or values, not deleted, that do or may stand under a key: client id, start, end; client
   * id (-1: surely under a key) and clock of the operation outside where they stand; 1 if the update cuts it in two, else 0.
   */
  readonly wide: readonly number[]
  /** Client id, clock: where the update needs a struct outside of it to end before `clock`. */
  readonly cuts: readonly number[]
}

const NO_RANGES: ReadonlyMap<number, Ranges> = new Map()
const NO_NUMBERS: readonly number[] = []

/**
 * Finds out which operations of an update stand under a key, and what is cut in two there, while its structs pass by.
 *
 * Why it must be known: Yjs keeps the entries of one key as a chain in which all but the last are deleted, and it throws
 * while collecting garbage, and from then on, where they aren't. That happens when an entry of several characters or
 * values is cut in two, by an origin in it or by a deletion of a part. Yjs makes entries of one value, yrs before 0.20
 * makes attributes of several characters; neither cuts one. So cutting is refused, and nothing else.
 *
 * Only an operation without origins says that it stands under a key. All others stand where their origin (or else right
 * origin) stands, which may be outside of the update. So each operation has a *source*: `KEYED`, `UNKEYED`, or the number
 * of an operation outside. Runs of operations with the same source are kept as one.
 */
export class Inheritance {
  #keyed: Map<number, number[]> | null = null
  #inherited: number[] | null = null
  #cuts: number[] | null = null
  /** `Map<clientID, entries>`: start, end, source, whether it is cut (0 or 1), rising. */
  #wide: Map<number, number[]> | null = null
  /** The operations outside that are sources: client id, clock. */
  #outside: number[] | null = null
  /** Runs of this block that came before the present one: start, source. */
  readonly #runs: number[] = []
  #clientID = 0
  #blockStart = 0
  #runStart = 0
  #end = 0
  #source = NONE

  beginBlock(clientID: number): void {
    this.#clientID = clientID
    this.#source = NONE
    this.#runs.length = 0
  }

  /** The source of an operation that inherits from this one, which the update doesn't bring. */
  sourceOutside(clientID: number, clock: number): number {
    this.#outside ??= []
    const last = this.#outside.length - 2
    if (last < 0 || this.#outside[last] !== clientID || this.#outside[last + 1] !== clock) {
      this.#outside.push(clientID, clock)
    }
    return this.#outside.length / 2 - 1
  }

  /** Whether the present block has this operation already. */
  #isBefore(clientID: number, clock: number): boolean {
    return clientID === this.#clientID && this.#source !== NONE && clock >= this.#blockStart && clock < this.#end
  }

  /** The source of an operation of this block that inherits from this one, which stands before it or outside. */
  sourceBefore(clientID: number, clock: number): number {
    if (!this.#isBefore(clientID, clock)) return this.sourceOutside(clientID, clock)
    if (clock >= this.#runStart) return this.#source
    const runs = this.#runs
    let low = 0
    let high = runs.length / 2 - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((runs[middle * 2] as number) <= clock) low = middle
      else high = middle - 1
    }
    const source = runs[low * 2 + 1] as number
    return source === NONE ? this.sourceOutside(clientID, clock) : source
  }

  /** Something refers to a struct of this client so that it must end before `clock`: it stands before it or outside. */
  cutBefore(clientID: number, clock: number): void {
    if (this.#isBefore(clientID, clock)) this.cutInside(clientID, clock)
    else this.cutOutside(clientID, clock)
  }

  cutOutside(clientID: number, clock: number): void {
    this.#cuts ??= []
    this.#cuts.push(clientID, clock)
  }

  cutInside(clientID: number, clock: number): void {
    const wide = this.#wide?.get(clientID)
    if (wide === undefined) return
    let low = 0
    let high = wide.length / 4 - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((wide[middle * 4] as number) < clock) low = middle
      else high = middle - 1
    }
    if ((wide[low * 4] as number) < clock && clock < (wide[low * 4 + 1] as number)) wide[low * 4 + 3] = 1
  }

  /** The next struct of the block, garbage-collected ones as unkeyed; skips are left out. */
  add(start: number, end: number, source: number, isWide: boolean): void {
    if (this.#source === NONE) {
      this.#blockStart = start
      this.#runStart = start
      this.#source = source
    } else if (start !== this.#end || source !== this.#source) {
      this.#endRun()
      if (start !== this.#end) this.#runs.push(this.#end, NONE)
      this.#runStart = start
      this.#source = source
    }
    this.#end = end
    if (isWide && source !== UNKEYED) this.#addWide(start, end, source)
  }

  #addWide(start: number, end: number, source: number): void {
    this.#wide ??= new Map()
    const wide = this.#wide.get(this.#clientID)
    if (wide === undefined) this.#wide.set(this.#clientID, [start, end, source, 0])
    else wide.push(start, end, source, 0)
  }

  endBlock(): void {
    if (this.#source !== NONE) this.#endRun()
  }

  #endRun(): void {
    const source = this.#source
    this.#runs.push(this.#runStart, source)
    if (source === KEYED) {
      this.#keyed ??= new Map()
      const ranges = this.#keyed.get(this.#clientID)
      if (ranges === undefined) this.#keyed.set(this.#clientID, [this.#runStart, this.#end])
      else appendRange(ranges, this.#runStart, this.#end)
    } else if (source >= 0) {
      this.#inherited ??= []
      this.#inherited.push(
        this.#clientID,
        this.#runStart,
        this.#end,
        this.#outsideClient(source),
        this.#outsideClock(source),
      )
    }
  }

  #outsideClient(source: number): number {
    return this.#outside?.[source * 2] ?? -1
  }

  #outsideClock(source: number): number {
    return this.#outside?.[source * 2 + 1] ?? 0
  }

  /** When all blocks have passed by. @param deletes the update's delete set */
  finish(deletes: ReadonlyMap<number, Ranges>): Placement {
    return {
      keyed: this.#keyed ?? NO_RANGES,
      inherited: this.#inherited ?? NO_NUMBERS,
      wide: this.#wide === null ? NO_NUMBERS : this.#finishWide(this.#wide, deletes),
      cuts: this.#cuts ?? NO_NUMBERS,
    }
  }

  #finishWide(wide: ReadonlyMap<number, readonly number[]>, deletes: ReadonlyMap<number, Ranges>): number[] {
    const finished: number[] = []
    for (const [clientID, entries] of wide) {
      const deleted = deletes.get(clientID) ?? []
      for (const clock of deleted) this.cutInside(clientID, clock)
      for (let index = 0; index < entries.length; index += 4) {
        const start = entries[index] as number
        const end = entries[index + 1] as number
        const source = entries[index + 2] as number
        // Deleted as a whole, it may be cut: all parts are deleted. Yjs joins deleted entries, and others refer into them.
        if (coversRanges(deleted, [start, end])) continue
        const isCut = entries[index + 3] as number
        finished.push(clientID, start, end, this.#outsideClient(source), this.#outsideClock(source), isCut)
      }
    }
    return finished
  }
}
