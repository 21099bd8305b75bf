import type { WeftDocument } from '@weft/client'

export interface Proofreader {
  readonly doc: WeftDocument
  /** Resolves when it has read the last change; rejects when its corrections are refused. */
  readonly ended: Promise<void>
  /** Saves, and leaves the document. */
  stop(): Promise<void>
}

export function runProofreader(url: string): Promise<Proofreader>
