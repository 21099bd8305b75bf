import type { KeyObject } from 'node:crypto'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { type KeySource, KeysUnavailableError } from './KeySource.ts'
import { PUBLIC_ALGORITHMS, PublicKeys } from './PublicKeys.ts'

/** Keys are asked for again after so long, beside what goes on: a key that is published no more ends within it. */
const FRESH_MS = 10 * 60_000
/** Between two attempts, also failed ones: tokens with made-up key ids make nobody fetch more often. */
const COOL_DOWN_MS = 30_000
/** For one attempt. */
const TIMEOUT_MS = 5000
/** Largest answer. */
const MAX_BYTES = 256 << 10
/** Tokens that wait for one attempt; those beyond are told to come back. */
const MAX_WAITING = 200

/** Asks an address for a JWKS. @throws when it isn't answered with one in time */
export type FetchKeys = (url: string) => Promise<string>

/**
 * Public keys from an address (JWKS). They are held: an address that fails leaves those before, and never lets anybody in.
 *
 * [J1] One attempt at a time, for all who wait; the next one `COOL_DOWN_MS` after it began, however it went.
 * [J2] Only a token that no held key can have signed waits, for one attempt at most.
 */
export class KeysUrl implements KeySource {
  readonly algorithms = PUBLIC_ALGORITHMS
  readonly #url: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #fetch: FetchKeys
  #keys: PublicKeys = PublicKeys.NONE
  #attempt: Promise<boolean> | null = null
  #triedAt = Number.NEGATIVE_INFINITY
  #hasFailed = false
  #waiting = 0

  /** Asks for the keys at once, and doesn't wait for them. */
  constructor(url: string, clock: Clock, logger: Logger, fetchKeys: FetchKeys = fetchJwks) {
    this.#url = url
    this.#clock = clock
    this.#logger = logger
    this.#fetch = fetchKeys
    this.#try()
  }

  candidates(algorithm: string, kid: string | null): readonly KeyObject[] {
    if (this.#clock.now() - this.#triedAt >= FRESH_MS) this.#try()
    return this.#keys.candidates(algorithm, kid)
  }

  knows(kid: string): boolean {
    return this.#keys.knows(kid)
  }

  async renew(): Promise<boolean> {
    if (this.#attempt === null && this.#clock.now() - this.#triedAt < COOL_DOWN_MS) return this.#answer(false)
    if (this.#waiting >= MAX_WAITING) throw unavailable()
    this.#waiting++
    try {
      return this.#answer(await this.#try())
    } finally {
      this.#waiting--
    }
  }

  // Which key it is that the token names can't be known while the address fails.
  #answer(hasCome: boolean): boolean {
    if (this.#hasFailed) throw unavailable()
    return hasCome
  }

  #try(): Promise<boolean> {
    this.#attempt ??= this.#run().finally(() => {
      this.#attempt = null
    })
    return this.#attempt
  }

  async #run(): Promise<boolean> {
    this.#triedAt = this.#clock.now()
    try {
      this.#keys = PublicKeys.parse(await this.#fetch(this.#url))
      this.#hasFailed = false
      return true
    } catch (error) {
      this.#hasFailed = true
      const reason = error instanceof Error ? error.message : String(error)
      this.#logger.error({ held: this.#keys.count, reason }, 'WEFT_AUTH_JWKS_URL gives no keys; those before stay')
      return false
    }
  }
}

function unavailable(): KeysUnavailableError {
  return new KeysUnavailableError(`the keys for tokens can't be had now: retry after ${COOL_DOWN_MS / 1000} s`)
}

/** Over HTTP: no redirect is followed, nothing but 200 counts, and no more is read than keys need. */
async function fetchJwks(url: string): Promise<string> {
  const response = await fetch(url, {
    redirect: 'error',
    headers: { Accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel()
    throw new Error(`the answer's status is ${response.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) throw new Error(`the answer is over ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
