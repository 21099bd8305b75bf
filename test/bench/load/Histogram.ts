/** Buckets for each doubling: a value is told to within 2 %. */
const PER_OCTAVE = 32
const SMALLEST_MS = 0.01
const BUCKETS = PER_OCTAVE * 24

/** How many values fell where: bounded memory for any number of latencies, and two can be added. */
export class Histogram {
  readonly counts: Float64Array<ArrayBuffer>
  #max = 0

  constructor(counts = new Float64Array(BUCKETS), max = 0) {
    this.counts = counts
    this.#max = max
  }

  get total(): number {
    let total = 0
    for (const count of this.counts) total += count
    return total
  }

  get max(): number {
    return this.#max
  }

  add(ms: number): void {
    const bucket = ms <= SMALLEST_MS ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(ms / SMALLEST_MS) * PER_OCTAVE))
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    if (ms > this.#max) this.#max = ms
  }

  merge(other: Histogram): this {
    for (let i = 0; i < BUCKETS; i++) this.counts[i] = (this.counts[i] ?? 0) + (other.counts[i] ?? 0)
    this.#max = Math.max(this.#max, other.max)
    return this
  }

  /** @param part 0 … 1 @returns ms; NaN where nothing was added */
  quantile(part: number): number {
    const total = this.total
    if (total === 0) return Number.NaN
    let rest = total * part
    for (let i = 0; i < BUCKETS; i++) {
      rest -= this.counts[i] ?? 0
      if (rest <= 0) return Math.min(this.#max, SMALLEST_MS * 2 ** ((i + 0.5) / PER_OCTAVE))
    }
    return this.#max
  }

  /** To be sent to another process. */
  toJSON(): HistogramData {
    return { counts: this.counts, max: this.#max }
  }

  static from({ counts, max }: HistogramData): Histogram {
    return new Histogram(counts, max)
  }
}

export interface HistogramData {
  readonly counts: Float64Array<ArrayBuffer>
  readonly max: number
}
