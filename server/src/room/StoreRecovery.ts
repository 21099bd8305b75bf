import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'

/** How often it is looked whether the log must be opened again, in ms. */
export const RECOVERY_INTERVAL_MS = 5000

/**
 * Opens the log again after a write failed for which no edit waits: a compaction's, a deletion's. Without it a log would refuse
 * all writes until the next edit comes, which may be never: who looks whether the server is ready sends nobody to it.
 */
export class StoreRecovery {
  readonly #log: Pick<UpdateLog, 'state' | 'reopen'>
  readonly #clock: Clock
  readonly #logger: Logger
  #timer: Timer | null = null
  #isStopped = false

  constructor(log: Pick<UpdateLog, 'state' | 'reopen'>, clock: Clock, logger: Logger) {
    this.#log = log
    this.#clock = clock
    this.#logger = logger
  }

  start(): void {
    this.#timer = this.#clock.setTimer(() => void this.#look(), RECOVERY_INTERVAL_MS)
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
  }

  async #look(): Promise<void> {
    // A committer that has edits does the same meanwhile; the second one finds the log open.
    if (this.#log.state === 'failed') {
      try {
        await this.#log.reopen()
        this.#logger.info('the store takes writes again')
      } catch (error) {
        this.#logger.warn({ err: error }, 'the store could not be opened again yet')
      }
    }
    if (!this.#isStopped) this.start()
  }
}
