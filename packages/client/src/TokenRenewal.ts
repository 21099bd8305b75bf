import { askToken } from './TokenSource.ts'
import { tokenExpiry } from './tokenExpiry.ts'

/** So long before a token ends the next one is asked for, in ms; of short ones, a fifth of what is left. */
const AHEAD_MS = 60_000
/** Shortest pause between two questions, in ms. */
const LEAST_WAIT_MS = 1_000
/** Timers hold no more than 2^31 ms. */
const MAX_WAIT_MS = 86_400_000

/**
 * Asks for the next token before one ends, so that the connection lives on. Where that fails, or the token doesn't say when it
 * ends, or this device's clock is wrong, the server ends the session, and the next one begins with a new token.
 */
export class TokenRenewal {
  readonly #ask: () => string | Promise<string>
  readonly #send: (token: string) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Counts connections: what was asked for one is not sent over the next. */
  #turn = 0

  /** @param send gives the server the new token */
  constructor(ask: () => string | Promise<string>, send: (token: string) => void) {
    this.#ask = ask
    this.#send = send
  }

  /** A connection was opened with this token. */
  opened(token: string): void {
    this.closed()
    this.#schedule(token)
  }

  closed(): void {
    this.#turn++
    clearTimeout(this.#timer)
  }

  #schedule(token: string): void {
    const expiry = tokenExpiry(token)
    const left = expiry === undefined ? 0 : expiry - Date.now()
    if (left <= LEAST_WAIT_MS) return
    const wait = Math.max(LEAST_WAIT_MS, left - Math.min(AHEAD_MS, left / 5))
    const turn = this.#turn
    this.#timer = setTimeout(
      () => {
        if (wait > MAX_WAIT_MS) this.#schedule(token)
        else void this.#renew(token, turn)
      },
      Math.min(wait, MAX_WAIT_MS),
    )
  }

  async #renew(before: string, turn: number): Promise<void> {
    let token = before
    try {
      token = await askToken(this.#ask)
    } catch {
      // Asked again, as long as there is time.
    }
    if (turn !== this.#turn) return
    if (token !== before) this.#send(token)
    this.#schedule(token)
  }
}
