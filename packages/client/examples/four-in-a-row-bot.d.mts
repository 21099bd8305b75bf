import type { WeftDocument } from '@weft/client'

export interface PlayerBot {
  readonly doc: WeftDocument
  /** Saves, and leaves the document. */
  stop(): Promise<void>
}

export function runPlayer(url: string, options?: { seat?: number; thinkMs?: number }): Promise<PlayerBot>
