import type { WeftDocument } from '@weft/client'

export interface ChatLine {
  /** The client id that wrote it. */
  readonly by: number
  readonly name: string
  readonly color: string
  readonly text: string
  /** Milliseconds since 1970, by the writer's clock. */
  readonly time: number
}

export interface Chat {
  /** Everything that was said, in the order that is the same for all. */
  readonly lines: readonly ChatLine[]
  /** Names of those who are typing. */
  readonly typing: readonly string[]
  say(text: string): void
  /** Tells the others that this client is typing; call it at each key. */
  type(): void
  stop(): void
}

export function openChat(doc: WeftDocument, changed: () => void): Chat
