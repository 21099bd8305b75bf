import type { Response } from 'express'
import type { Bound } from '../Meters.ts'

/**
 * Every error of the HTTP API, once: its status, and what it means. PROTOCOL.md prints this table, a test compares the two.
 */
export const apiErrors = {
  'bad-request': { status: 400, meaning: 'a parameter or header that is not as it must be' },
  'bad-name': { status: 400, meaning: 'the path names no document' },
  unauthorized: { status: 401, meaning: 'a missing, bad or expired token' },
  forbidden: { status: 403, meaning: 'the token gives no right to this' },
  'local-only': { status: 403, meaning: 'without keys for tokens, only this machine is answered' },
  'cross-site': { status: 403, meaning: 'a change without a header that a foreign page could not send' },
  'not-found': { status: 404, meaning: 'nobody ever wrote this document, or there is no such thing' },
  'bad-method': { status: 405, meaning: 'no such method here' },
  'not-acceptable': { status: 406, meaning: 'none of the forms that are asked for' },
  'no-keys': { status: 409, meaning: 'tokens and links need a server that asks for tokens' },
  'too-many': { status: 409, meaning: 'the server holds as many of these as it may' },
  'not-text': { status: 409, meaning: 'the document holds something that is no text' },
  'unknown-content': { status: 409, meaning: 'the document holds what this version would delete' },
  incomplete: { status: 409, meaning: 'the update names operations that the document lacks: send all' },
  deleted: { status: 410, meaning: 'the document was deleted' },
  'link-over': { status: 410, meaning: 'the share link has expired, or was used as often as it may be' },
  stale: { status: 412, meaning: 'the version to compare with is held no more: read the document again' },
  exists: { status: 412, meaning: 'somebody has written this document already (`If-None-Match: *`)' },
  'too-large': {
    status: 413,
    meaning:
      'the content is over 4 MiB, the update over 64 MiB, what is said over 16 KiB, or the document at its size limit',
  },
  'bad-type': { status: 415, meaning: 'a content type that is not what is taken here' },
  'bad-content': { status: 422, meaning: 'the content is not what its type says, or no document can hold it' },
  'too-complex': { status: 422, meaning: 'the content takes too long to work through, or too much memory' },
  'too-fast': { status: 429, meaning: 'too much for one user, link or address: `Retry-After` says how long to wait' },
  damaged: { status: 500, meaning: 'stored records of the document are damaged' },
  internal: { status: 500, meaning: 'our fault' },
  busy: { status: 503, meaning: 'too much waits: `Retry-After` says how long' },
  unavailable: { status: 503, meaning: 'the store can’t be read or written to now; it may have been written' },
} as const satisfies Record<string, { status: number; meaning: string }>

export type ApiCode = keyof typeof apiErrors

/** A request that can't be answered as it wants. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiCode
  /** When to come back, in s; null: not said. */
  readonly retryAfterS: number | null
  /** What is counted; null: it is none of these. */
  readonly bound: Bound | null

  constructor(code: ApiCode, message: string, retryAfterS: number | null = null, bound: Bound | null = null) {
    super(message)
    this.code = code
    this.retryAfterS = retryAfterS
    this.bound = bound
  }

  get status(): number {
    return apiErrors[this.code].status
  }
}

/** @param what in words @param waitMs after which it may come again */
export function tooFast(what: string, waitMs: number, bound: Bound): ApiError {
  const seconds = Math.ceil(waitMs / 1000)
  return new ApiError('too-fast', `${what}: retry after ${seconds} s`, seconds, bound)
}

/** @param allowed methods, with commas between */
export function badMethod(response: Response, allowed: string): ApiError {
  response.set('Allow', allowed)
  return new ApiError('bad-method', `allowed here: ${allowed}`)
}
