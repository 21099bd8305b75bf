/** How long an answer about readiness holds, in ms. */
const HOLDS_MS = 1000
/** A disk that hasn't answered by then isn't ready. */
const PATIENCE_MS = 2000

/**
 * Whether edits can be stored. Each answer costs a write: whoever asks more often gets the same one. A disk that stalls is asked
 * once, however often somebody wants to know: each question would hold a thread of those that documents are read with.
 */
export class Readiness {
  readonly #isReady: () => Promise<boolean>
  #asked: Promise<boolean> | null = null

  constructor(isReady: () => Promise<boolean>) {
    this.#isReady = isReady
  }

  async ask(): Promise<boolean> {
    this.#asked ??= this.#ask()
    let timer: NodeJS.Timeout | undefined
    const impatient = new Promise<boolean>(resolve => {
      timer = setTimeout(() => resolve(false), PATIENCE_MS)
    })
    return Promise.race([this.#asked, impatient]).finally(() => clearTimeout(timer))
  }

  #ask(): Promise<boolean> {
    const forget = () => {
      setTimeout(() => {
        this.#asked = null
      }, HOLDS_MS).unref()
    }
    const answer = this.#isReady().finally(forget)
    answer.catch(() => {})
    return answer
  }
}
