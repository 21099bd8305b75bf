import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { Saving } from './Saving.ts'

/** How often the disk is looked at, in ms: at 100 MB/s, 512 MiB are full after 5 s. */
export const SPACE_INTERVAL_MS = 5000
/** So much more than the least must be free before edits are taken again: not taken and refused in turns. */
const MARGIN = 1.1

/** What is left on the disk, and its size, in bytes. */
type Measure = () => Promise<{ freeBytes: number; totalBytes: number }>

export interface SpaceSettings {
  readonly minFreeBytes: number
  readonly minFreePercent: number
}

/**
 * Looks at the space that is left for the store, and lets nobody write before there is none: a full disk can't even be tidied.
 * A disk that can't be asked counts as it did before; writes will tell.
 */
export class SpaceWatch {
  readonly #measure: Measure
  readonly #saving: Saving
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: SpaceSettings
  #timer: Timer | null = null
  #isStopped = false

  constructor(measure: Measure, saving: Saving, clock: Clock, logger: Logger, settings: SpaceSettings) {
    this.#measure = measure
    this.#saving = saving
    this.#clock = clock
    this.#logger = logger
    this.#settings = settings
  }

  /** Resolves after the first look; looks again every few seconds. */
  async start(): Promise<void> {
    await this.#look()
    if (this.#isStopped) return
    this.#timer = this.#clock.setTimer(() => void this.start(), SPACE_INTERVAL_MS)
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
  }

  async #look(): Promise<void> {
    try {
      const { freeBytes, totalBytes } = await this.#measure()
      const least = this.#leastBytes(totalBytes)
      const isFull = freeBytes < (this.#saving.isFull ? least * MARGIN : least)
      if (isFull === this.#saving.isFull || this.#isStopped) return
      const facts = { freeBytes, leastBytes: Math.round(least) }
      if (isFull) this.#logger.error(facts, 'too little space is left for the store: documents can only be read now')
      else this.#logger.info(facts, 'there is space for the store again: documents can be written to')
      this.#saving.setFull(isFull)
    } catch (error) {
      this.#logger.warn({ err: error }, 'the space that is left for the store could not be looked up')
    }
  }

  /** What must be free: the larger one of the two bounds. */
  #leastBytes(totalBytes: number): number {
    const { minFreeBytes, minFreePercent } = this.#settings
    return Math.max(minFreeBytes, (totalBytes * minFreePercent) / 100)
  }
}
