import { WeftError } from './errors.ts'

/** Lets so many works run at the same time; the next ones wait for their turn, in order, up to a bound. */
export class Turnstile {
  readonly #width: number
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(width: number, maxWaiting: number) {
    this.#width = width
    this.#maxWaiting = maxWaiting
  }

  /** Whether nothing runs or waits. */
  get isFree(): boolean {
    return this.#running === 0
  }

  /** @throws {WeftError} `WORKER_BUSY`: too many wait already */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#width) this.#running++
    else {
      if (this.#waiting.length >= this.#maxWaiting) {
        throw new WeftError('WORKER_BUSY', `${this.#waiting.length} requests are waiting already`)
      }
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // Its place is handed on: nobody slips in between.
      if (next === undefined) this.#running--
      else next()
    }
  }
}
