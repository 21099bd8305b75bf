import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'
import type { Committer } from './Committer.ts'
import type { Documents } from './Documents.ts'

/** How long the store must have been quiet before space is given back to the file system. */
const RECLAIM_QUIET_MS = 10_000
/** The bin is looked through once a day, and so long after a start. */
const FIRST_BIN_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

export interface HousekeepingServices {
  readonly log: Pick<UpdateLog, 'reclaim'>
  readonly committer: Pick<Committer, 'isQuietFor'>
  readonly documents: Pick<Documents, 'emptyBin'>
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: { readonly binDays: number }
}

/** What has to be done now and then, and nobody asks for: gives space back, and deletes what was long in the bin. */
export class Housekeeping {
  readonly #services: HousekeepingServices
  #reclaimTimer: Timer | null = null
  #binTimer: Timer | null = null

  constructor(services: HousekeepingServices) {
    this.#services = services
  }

  start(): void {
    this.#scheduleReclaim()
    this.#scheduleBin(FIRST_BIN_MS)
  }

  stop(): void {
    const { clock } = this.#services
    for (const timer of [this.#reclaimTimer, this.#binTimer]) if (timer !== null) clock.clearTimer(timer)
  }

  #scheduleReclaim(): void {
    const { log, committer, clock, logger } = this.#services
    this.#reclaimTimer = clock.setTimer(async () => {
      try {
        if (committer.isQuietFor(RECLAIM_QUIET_MS)) await log.reclaim()
      } catch (error) {
        logger.warn({ err: error }, 'space could not be given back to the file system')
      }
      this.#scheduleReclaim()
    }, RECLAIM_QUIET_MS)
  }

  #scheduleBin(delayMs: number): void {
    const { documents, clock, logger, settings } = this.#services
    this.#binTimer = clock.setTimer(async () => {
      try {
        const count = await documents.emptyBin(clock.wallTime() - settings.binDays * DAY_MS)
        if (count > 0) logger.info({ count }, 'documents that were long in the bin are gone for good')
      } catch (error) {
        logger.warn({ err: error }, 'the bin could not be emptied')
      }
      this.#scheduleBin(DAY_MS)
    }, delayMs)
  }
}
