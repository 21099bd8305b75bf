import type { Clock } from '../clock.ts'

/** It is looked at so often whether anybody still waits, in ms. */
const CHECK_MS = 1000

/**
 * Has the next message of a session that is owed much wait until it is owed less: its connection is read no more meanwhile. Only
 * where all that it is owed depends on the disk and on its reading; never where it does on something that it has yet to say.
 */
export class PaymentWait {
  readonly #clock: Clock
  #release: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Resolves after `end`.
   * @param isWanted asked now and then: false ends it
   * @param maxMs after so long `tookTooLong` is called, and it ends
   */
  begin(isWanted: () => boolean, maxMs: number, tookTooLong: () => void): Promise<void> {
    const endsAt = this.#clock.now() + maxMs
    return new Promise(resolve => {
      this.#release = resolve
      const check = () => {
        if (this.#release !== resolve) return
        if (!isWanted()) this.end()
        else if (this.#clock.now() >= endsAt) {
          tookTooLong()
          this.end()
        } else this.#clock.setTimer(check, CHECK_MS)
      }
      this.#clock.setTimer(check, CHECK_MS)
    })
  }

  end(): void {
    const release = this.#release
    this.#release = null
    release?.()
  }
}
