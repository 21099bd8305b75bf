import { stripVTControlCharacters } from 'node:util'

/** A terminal, as far as it is needed here. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** How often a line is written anew, in ms: more often nobody can read it. */
const PAUSE_MS = 100

/**
 * A line about work that goes on, which the next one replaces. Written to a terminal only, and only where the result goes
 * elsewhere: there, each line of the result tells as much.
 */
export class Progress {
  readonly #terminal: Terminal | null
  readonly #now: () => number
  #writtenAt = Number.NEGATIVE_INFINITY
  #isShown = false

  /** @param now monotonic ms */
  constructor(terminal: Terminal, result: Pick<Terminal, 'isTTY'>, now: () => number) {
    this.#terminal = terminal.isTTY === true && result.isTTY !== true ? terminal : null
    this.#now = now
  }

  show(text: string): void {
    if (this.#terminal === null || this.#now() - this.#writtenAt < PAUSE_MS) return
    this.#writtenAt = this.#now()
    this.#isShown = true
    // Cut: a line that wraps isn't taken back by going to its beginning.
    const plain = stripVTControlCharacters(text).slice(0, (this.#terminal.columns ?? 80) - 1)
    this.#terminal.write(`\r\x1b[K${plain}`)
  }

  /** Takes the line away: before anything else is written, and at the end. */
  clear(): void {
    if (!this.#isShown) return
    this.#isShown = false
    this.#terminal?.write('\r\x1b[K')
  }
}
