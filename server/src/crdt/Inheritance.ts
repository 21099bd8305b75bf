import { appendRange, coversRanges, type Ranges } from './ranges.ts'

/** Source of an operation in a sequence: text, array, children. */
export const UNKEYED = -1
/** Source of an operation under a key: an entry of a map, an attribute. */
export const KEYED = -2
/** No operation at all: a gap. */
const NONE = -3

/** Numbers per entry of `UpdateContents.inherited`. */
export const INHERITED_WIDTH = 6

const NO_RANGES: ReadonlyMap<number, Ranges> = new Map()
const NO_NUMBERS: readonly number[] = []

/**
 * Which operations of an update stand under a key, gathered while its structs pass by.
 *
 * Only an operation without origins says it; all others stand where their origin (or else right origin) stands, which
 * may be outside of the update. So each operation has a *source*: `KEYED`, `UNKEYED`, or the number of an operation
 * outside. Runs of operations with the same source are kept as one.
 *
 * Why it must be known: Yjs keeps the entries of one key as a chain, in which all but the last are deleted, and throws
 * when it collects a chain in which they aren't. A *wide* entry (several characters or values, not deleted) makes such a
 * chain when it is split in two. Yjs itself makes wide entries only out of deleted ones.
 */
export class Inheritance {
  #keyed: Map<number, number[]> | null = null
  /** Client id, start, end, client id and clock of the operation outside, whether something wide is in it (0 or 1). */
  #inherited: number[] | null = null
  /** Wide operations whose source isn't `UNKEYED`: client id, start, end, index in `inherited` or -1 if keyed. */
  #wide: number[] | null = null
  #outsideClients: number[] | null = null
  #outsideClocks: number[] | null = null
  /** Runs of this block that came before the present one, and their sources. */
  #runStarts: number[] = []
  #runSources: number[] = []
  #clientID = 0
  #blockStart = 0
  #runStart = 0
  #end = 0
  #source = NONE

  beginBlock(clientID: number): void {
    this.#clientID = clientID
    this.#source = NONE
    this.#runStarts.length = 0
    this.#runSources.length = 0
  }

  sourceOf(isKeyed: boolean): number {
    return isKeyed ? KEYED : UNKEYED
  }

  /** The source of an operation that inherits from this one, which the update doesn't bring. */
  sourceOutside(clientID: number, clock: number): number {
    this.#outsideClients ??= []
    this.#outsideClocks ??= []
    const last = this.#outsideClients.length - 1
    if (this.#outsideClients[last] === clientID && this.#outsideClocks[last] === clock) return last
    this.#outsideClients.push(clientID)
    this.#outsideClocks.push(clock)
    return last + 1
  }

  /** The source of an operation of this block that inherits from this one, which stands before it or outside. */
  sourceBefore(clientID: number, clock: number): number {
    if (clientID !== this.#clientID || this.#source === NONE || clock < this.#blockStart || clock >= this.#end) {
      return this.sourceOutside(clientID, clock)
    }
    if (clock >= this.#runStart) return this.#source
    let low = 0
    let high = this.#runStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#runStarts[middle] as number) <= clock) low = middle
      else high = middle - 1
    }
    const source = this.#runSources[low] as number
    return source === NONE ? this.sourceOutside(clientID, clock) : source
  }

  /** The next struct of the block, garbage-collected ones as unkeyed; skips are left out. */
  add(start: number, end: number, source: number, isWide: boolean): void {
    if (this.#source === NONE) this.#beginRun(start, source)
    else if (start !== this.#end) {
      this.#endRun()
      this.#runStarts.push(this.#end)
      this.#runSources.push(NONE)
      this.#beginRun(start, source)
    } else if (source !== this.#source) {
      this.#endRun()
      this.#beginRun(start, source)
    }
    this.#end = end
    if (isWide && source !== UNKEYED) this.#addWide(start, end, source)
  }

  endBlock(): void {
    if (this.#source !== NONE) this.#endRun()
  }

  #beginRun(start: number, source: number): void {
    if (this.#source === NONE) this.#blockStart = start
    this.#runStart = start
    this.#source = source
  }

  #endRun(): void {
    const source = this.#source
    this.#runStarts.push(this.#runStart)
    this.#runSources.push(source)
    if (source === KEYED) {
      this.#keyed ??= new Map()
      const ranges = this.#keyed.get(this.#clientID)
      if (ranges === undefined) this.#keyed.set(this.#clientID, [this.#runStart, this.#end])
      else appendRange(ranges, this.#runStart, this.#end)
    } else if (source >= 0) {
      const clientID = this.#outsideClients?.[source] ?? 0
      const clock = this.#outsideClocks?.[source] ?? 0
      this.#inherited ??= []
      this.#inherited.push(this.#clientID, this.#runStart, this.#end, clientID, clock, 0)
    }
  }

  /** The run that it is in isn't ended yet: it will be the next entry of `inherited`. */
  #addWide(start: number, end: number, source: number): void {
    this.#wide ??= []
    this.#wide.push(this.#clientID, start, end, source === KEYED ? -1 : (this.#inherited?.length ?? 0))
  }

  get keyed(): ReadonlyMap<number, Ranges> {
    return this.#keyed ?? NO_RANGES
  }

  get inherited(): readonly number[] {
    return this.#inherited ?? NO_NUMBERS
  }

  /**
   * To be called when the delete set is known: wide entries that it deletes are harmless.
   * Marks the entries of `inherited` that have a wide operation in them.
   * @returns whether something wide stands under a key
   */
  checkWide(deletes: ReadonlyMap<number, Ranges>): boolean {
    if (this.#wide === null) return false
    for (let index = 0; index < this.#wide.length; index += 4) {
      const [clientID, start, end, entry] = this.#wide.slice(index, index + 4) as [number, number, number, number]
      const ranges = deletes.get(clientID)
      if (ranges !== undefined && coversRanges(ranges, [start, end])) continue
      if (entry < 0) return true
      if (this.#inherited !== null) this.#inherited[entry + INHERITED_WIDTH - 1] = 1
    }
    return false
  }
}
