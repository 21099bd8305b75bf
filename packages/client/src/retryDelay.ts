import { closeCode, retryAfterSeconds } from '@weft/protocol'
import type { CloseInfo } from './WebSocketLike.ts'

/** First and longest pause between attempts, in ms. */
export interface Pauses {
  readonly firstMs: number
  readonly longestMs: number
}

/** Without a word from the server: those of `y-websocket`. */
const RECONNECT: Pauses = { firstMs: 200, longestMs: 2_500 }

/** Span over which clients come back to a server that restarts (1012) or is overloaded (1013), in ms. */
const SPREAD_MS = 5_000

/** Longest wait that a server can ask for, in ms. */
const MAX_ASKED_MS = 600_000

/**
 * How long to wait after an attempt that failed, in ms: twice as long each time, of that a random half to whole.
 * @param failures in a row: 1, 2, 3 …
 * @param random in [0, 1), like `Math.random`.
 */
export function backOff({ firstMs, longestMs }: Pauses, failures: number, random: () => number): number {
  return Math.min(firstMs * 2 ** (failures - 1), longestMs) * (0.5 + random() / 2)
}

/**
 * How long to wait before the next connection, in ms, after a close that is not final.
 * - 1012: the server restarts; its clients come back spread over 5 s.
 * - 1013: after the seconds that the reason names (`overload: retry after 4 s`), up to a fifth more, so that those who
 *   were sent away together do not return together.
 * - anything else: 200 ms, 400 ms … 2.5 s, of each a random half to whole.
 * @param close what the server said; `null` when the link was dropped on this side.
 * @param failures attempts since the last one that synced, before this one.
 * @param random in [0, 1), like `Math.random`.
 */
export function retryDelay(close: CloseInfo | null, failures: number, random: () => number): number {
  if (close?.code === closeCode.restart.code) return random() * SPREAD_MS
  if (close?.code === closeCode.overload.code) {
    const seconds = retryAfterSeconds(close.reason)
    if (seconds === null) return random() * SPREAD_MS
    return Math.min(seconds * 1_000, MAX_ASKED_MS) * (1 + random() / 5)
  }
  return backOff(RECONNECT, failures + 1, random)
}
