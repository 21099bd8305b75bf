import type { WeftDocument } from '@weft/client'

export interface TimeBot {
  readonly doc: WeftDocument
  /** Saves, and leaves the document. */
  stop(): Promise<void>
}

export function runTimeBot(
  url: string,
  options?: { now?: () => Date; name?: string; settleMs?: number },
): Promise<TimeBot>
