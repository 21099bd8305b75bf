import type { Clock, Timer } from '../clock.ts'
import { normaliseRanges, type Ranges } from '../crdt/ranges.ts'
import type { StoredLog, Workshop } from '../worker/Workshop.ts'

/** `Map<clientID, ranges>` */
export type Deletes = ReadonlyMap<number, Ranges>

/** A reader whose deletions are judged. */
export interface Tidier {
  /** Marks of formatting that it has deleted, and the log has not. Judged once more with what it deletes next: see `tidiedMarks`. */
  readonly tidied: Deletes
  /** @param tidied with what was there before; null: it was an edit. @param isLast nothing more of it waits */
  judged(tidied: Deletes | null, isLast: boolean): void
}

export interface TidyingServices {
  readonly workshop: Pick<Workshop, 'tidied'>
  readonly clock: Clock
  /** Resolves when all is on disk that is known now. */
  settled(): Promise<void>
  read(): Promise<StoredLog>
  failed(error: unknown): void
}

interface Question {
  readonly deletes: Deletes[]
  rangeCount: number
}

/** Readers of whom one document that is built is asked. A question may take a walk over all of its text. */
const MAX_QUESTIONS = 100
/** Ranges that wait, of one reader and of all readers of the document: 1 MB and 16 MB. */
const MAX_RANGES_OF_ONE = 50_000
const MAX_RANGES = 1_000_000
/** Marks that are kept of one reader. */
const MAX_TIDIED_RANGES = 10_000
/** After a document was built, none is built for so many times as long: readers take a fifth of a thread, at most. */
const REST_FACTOR = 4

/**
 * Finds out which deletions of a document's readers Yjs made by itself, and which are edits: a worker has to build the document.
 * One at a time, for all readers who wait; meanwhile what a reader deletes more is added to its question.
 */
export class TidyingCheck {
  readonly #services: TidyingServices
  readonly #waiting = new Map<Tidier, Question>()
  #waitingRanges = 0
  #isRunning = false
  #restTimer: Timer | null = null

  constructor(services: TidyingServices) {
    this.#services = services
  }

  /** Whether the log may still be read for it. */
  get isBusy(): boolean {
    return this.#isRunning
  }

  /** @returns false where too much waits already: what can't be judged is to be refused */
  ask(tidier: Tidier, deletes: Deletes): boolean {
    const count = rangeCount(deletes)
    const question = this.#waiting.get(tidier) ?? { deletes: [], rangeCount: 0 }
    if (question.rangeCount + count > MAX_RANGES_OF_ONE || this.#waitingRanges + count > MAX_RANGES) return false
    question.deletes.push(deletes)
    question.rangeCount += count
    this.#waiting.set(tidier, question)
    this.#waitingRanges += count
    this.#start()
    return true
  }

  leave(tidier: Tidier): void {
    this.#waitingRanges -= this.#waiting.get(tidier)?.rangeCount ?? 0
    this.#waiting.delete(tidier)
  }

  stop(): void {
    this.#waiting.clear()
    if (this.#restTimer !== null) this.#services.clock.clearTimer(this.#restTimer)
  }

  #start(): void {
    if (this.#isRunning || this.#restTimer !== null || this.#waiting.size === 0) return
    this.#isRunning = true
    this.#run().then(tookMs => {
      this.#isRunning = false
      this.#restTimer = this.#services.clock.setTimer(() => {
        this.#restTimer = null
        this.#start()
      }, tookMs * REST_FACTOR)
    })
  }

  /** @returns for how long a worker was busy, in ms */
  async #run(): Promise<number> {
    const { workshop, clock, settled, read, failed } = this.#services
    const asked = [...this.#waiting].slice(0, MAX_QUESTIONS)
    for (const [tidier] of asked) this.leave(tidier)
    const questions = asked.map(([tidier, { deletes }]) => merge([...deletes, tidier.tidied]))
    let begin = clock.now()
    let answers: readonly (Deletes | null)[] = []
    try {
      // What is deleted may still be on its way to the log.
      await settled()
      answers = await workshop.tidied(questions, () => {
        begin = clock.now()
        return read()
      })
    } catch (error) {
      failed(error)
    }
    for (const [index, [tidier]] of asked.entries()) {
      const answer = answers[index] ?? null
      const isKept = answer !== null && rangeCount(answer) <= MAX_TIDIED_RANGES
      tidier.judged(isKept ? answer : null, !this.#waiting.has(tidier))
    }
    return clock.now() - begin
  }
}

function merge(parts: readonly Deletes[]): Deletes {
  const all = new Map<number, number[]>()
  for (const part of parts) {
    for (const [clientID, ranges] of part) {
      const list = all.get(clientID)
      if (list === undefined) all.set(clientID, [...ranges])
      else for (const clock of ranges) list.push(clock)
    }
  }
  return new Map([...all].map(([clientID, ranges]) => [clientID, normaliseRanges(ranges)]))
}

function rangeCount(deletes: Deletes): number {
  let count = 0
  for (const ranges of deletes.values()) count += ranges.length / 2
  return count
}
