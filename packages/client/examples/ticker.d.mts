import type { WeftDocument } from '@weft/client'

export interface Ticker {
  readonly doc: WeftDocument
  /** Prices that it has written. */
  readonly writes: number
  /** Saves, and leaves the document. */
  stop(): Promise<void>
}

export function runTicker(
  url: string,
  options?: { intervalMs?: number; renewEvery?: number; random?: () => number },
): Promise<Ticker>
