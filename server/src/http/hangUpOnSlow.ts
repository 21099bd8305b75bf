import type { Response } from 'express'

/** Who reads nothing of an answer for so long is hung up on, in ms; within twice that, for Node looks as often. */
const STALL_LIMIT_MS = 60_000
/** Who reads a byte now and then is, too: slower than this, a large document would be held for days. */
const LEAST_BYTES_PER_SECOND = 32 << 10

/** Hangs up on whoever doesn't read an answer, which is held until it is read. */
export function hangUpOnSlow(response: Response, bytes: number): void {
  const hangUp = () => response.destroy()
  response.setTimeout(STALL_LIMIT_MS, hangUp)
  const timer = setTimeout(hangUp, STALL_LIMIT_MS + (bytes / LEAST_BYTES_PER_SECOND) * 1000).unref()
  response.once('close', () => clearTimeout(timer))
}
