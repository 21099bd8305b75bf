import type { Logger } from 'pino'
import type { Clock, Timer } from '../clock.ts'
import { WeftError } from '../errors.ts'
import type { UpdateLog } from '../log/UpdateLog.ts'

/** Between two documents, at least, in ms. */
const MIN_PAUSE_MS = 5
/** And so many times as long as reading the last one took: a twentieth of the disk's time, whatever their size. */
const PAUSE_FACTOR = 19
/** The first one begins so much of the period after a start: an hour of a week, so that a server that starts again and again does it, too. */
const FIRST_FRACTION = 1 / 168

/**
 * Reads every stored document now and then, and checks every record of it: what nobody opens would else be found damaged when the
 * last backup without that damage is long gone. What it finds is told in the log and counted; the document is read-only from then on.
 */
export class Scrub {
  /** Documents that were read. */
  documentCount = 0
  readonly #log: Pick<UpdateLog, 'list' | 'read'>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #periodMs: number
  #timer: Timer | null = null
  #wake: (() => void) | null = null
  #isStopped = false

  /** @param periodMs from the end of one to the beginning of the next; 0: never */
  constructor(log: Pick<UpdateLog, 'list' | 'read'>, clock: Clock, logger: Logger, periodMs: number) {
    this.#log = log
    this.#clock = clock
    this.#logger = logger
    this.#periodMs = periodMs
  }

  start(): void {
    if (this.#periodMs > 0) this.#schedule(this.#periodMs * FIRST_FRACTION)
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer)
    this.#wake?.()
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = null
      this.#run().finally(() => {
        if (!this.#isStopped) this.#schedule(this.#periodMs)
      })
    }, delayMs)
  }

  async #run(): Promise<void> {
    let documents = 0
    let damaged = 0
    try {
      for await (const { documentId } of this.#log.list({ deleted: true })) {
        if (this.#isStopped) return
        const begin = this.#clock.now()
        try {
          await this.#log.read(documentId)
        } catch (error) {
          if (!(error instanceof WeftError && error.code === 'DOCUMENT_DAMAGED')) throw error
          damaged++
          this.#logger.error({ err: error, document: documentId }, 'a stored document is damaged')
        }
        documents++
        this.documentCount++
        await this.#pause(Math.max(MIN_PAUSE_MS, (this.#clock.now() - begin) * PAUSE_FACTOR))
      }
      this.#logger.info({ documents, damaged }, 'all stored documents were read and checked')
    } catch (error) {
      if (!this.#isStopped) this.#logger.warn({ err: error, documents }, 'checking all stored documents broke off')
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
      this.#timer = this.#clock.setTimer(() => {
        this.#timer = null
        resolve()
      }, ms)
    })
  }
}
