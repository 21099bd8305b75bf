import { WeftError } from './errors.ts'

/** Whose work it is. */
export interface Holder {
  readonly id: string
  /** Whether it has no more than a share: half of what runs, and so many that wait. */
  readonly isBound: boolean
}

/** Works of nobody in particular: they wait in one line. */
const ANYBODY: Holder = { id: '', isBound: false }

interface Line {
  running: number
  /** When its last work began, as a number of works; 0: none has. */
  lastTurn: number
  readonly waiting: { readonly begin: () => void; readonly refuse: (error: WeftError) => void }[]
  isBound: boolean
}

/**
 * Lets so many works run at the same time; the next ones wait for their turn, up to a bound. Holders take turns, each with its own
 * works in order: who brings many waits for them alone. Where no place to wait is left, the last work goes of whoever has most there.
 */
export class Turnstile {
  readonly #width: number
  readonly #maxWaiting: number
  readonly #share: number
  /** Of holders that have any work. */
  readonly #lines = new Map<string, Line>()
  #running = 0
  #waiting = 0
  #turns = 0

  /** @param share works of one bound holder that may wait; left out: as many as there are places */
  constructor(width: number, maxWaiting: number, share = maxWaiting) {
    this.#width = width
    this.#maxWaiting = maxWaiting
    this.#share = share
  }

  /** Whether nothing runs or waits. */
  get isFree(): boolean {
    return this.#running === 0
  }

  /** @throws {WeftError} `WORKER_BUSY`: too many wait already; `SHARE_USED`: too many of this holder */
  async pass<T>(work: () => Promise<T>, holder: Holder = ANYBODY): Promise<T> {
    const { id } = holder
    const line = this.#lines.get(id) ?? { running: 0, lastTurn: 0, waiting: [], isBound: holder.isBound }
    line.isBound = holder.isBound
    this.#lines.set(id, line)
    try {
      if (this.#running < this.#width && this.#mayRun(line)) this.#begin(line)
      else await this.#wait(line)
    } catch (error) {
      this.#forget(id, line)
      throw error
    }
    try {
      return await work()
    } finally {
      line.running--
      this.#running--
      this.#forget(id, line)
      // Their places are handed on at once: nobody slips in between.
      this.#beginNext()
    }
  }

  #mayRun({ running, isBound }: Line): boolean {
    return !isBound || running < Math.ceil(this.#width / 2)
  }

  #begin(line: Line): void {
    line.running++
    line.lastTurn = ++this.#turns
    this.#running++
  }

  #wait(line: Line): Promise<void> {
    const { waiting, isBound } = line
    if (isBound && waiting.length >= this.#share) {
      throw new WeftError('SHARE_USED', `${waiting.length} requests of one user are waiting already`)
    }
    if (this.#waiting >= this.#maxWaiting) this.#makeRoom(line)
    this.#waiting++
    return new Promise<void>((resolve, reject) => waiting.push({ begin: resolve, refuse: reject }))
  }

  #makeRoom(line: Line): void {
    let longest = line
    for (const other of this.#lines.values()) if (other.waiting.length > longest.waiting.length) longest = other
    const busy = new WeftError('WORKER_BUSY', `${this.#waiting} requests are waiting already`)
    // What it has is less by more than this one: else two would push each other out.
    if (longest.waiting.length <= line.waiting.length + 1) throw busy
    longest.waiting.pop()?.refuse(busy)
    this.#waiting--
  }

  #beginNext(): void {
    while (this.#running < this.#width) {
      let next: Line | null = null
      for (const line of this.#lines.values()) {
        if (line.waiting.length === 0 || !this.#mayRun(line)) continue
        if (next === null || line.lastTurn < next.lastTurn) next = line
      }
      const first = next?.waiting.shift()
      if (next === null || first === undefined) return
      this.#waiting--
      this.#begin(next)
      first.begin()
    }
  }

  #forget(id: string, { running, waiting }: Line): void {
    if (running === 0 && waiting.length === 0) this.#lines.delete(id)
  }
}
