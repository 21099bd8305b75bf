import { parseCloseReason } from '@weft/protocol'

/**
 * The server refuses this document for good (close code 4400-4499): trying again does not help.
 * `code` and `word` say why (PROTOCOL.md), `reason` says it in words.
 */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly code: number
  readonly word: string
  readonly reason: string

  /** @param closeReason the reason of the close frame, `word: text`. */
  constructor(documentId: string, code: number, closeReason: string) {
    const { word, text } = parseCloseReason(closeReason)
    super(`${documentId} is refused: ${closeReason || 'no reason given'} (${code})`)
    this.code = code
    this.word = word
    this.reason = text
  }
}

/** Edits that are not saved, on the server or (where that was asked for) locally, at the moment somebody stopped waiting. */
export class UnsavedError extends Error {
  override readonly name = 'UnsavedError'
  readonly unsavedCount: number

  constructor(message: string, unsavedCount: number, options?: ErrorOptions) {
    super(message, options)
    this.unsavedCount = unsavedCount
  }
}

const messageErrors = {
  OFFLINE: 'there is no connection, or it ended before the server had confirmed the message',
  TOO_FAST: 'more messages than may be sent: here 100 wait already, or the document has too many',
  FORBIDDEN: 'only who may write may send messages',
} as const

/** A message that nobody gets (`OFFLINE`: or that somebody may have got). It is not sent again. */
export class MessageError extends Error {
  override readonly name = 'MessageError'
  readonly code: keyof typeof messageErrors

  constructor(documentId: string, code: keyof typeof messageErrors) {
    super(`a message to ${documentId} was not sent: ${messageErrors[code]}`)
    this.code = code
  }
}

/**
 * - `full`: no room: the disk is full, or the browser's quota used up;
 * - `locked`: another process, or another document of this one, has it open (LevelDB);
 * - `damaged`: what is stored can't be read, or not all of it. Nothing more is written to it;
 * - `unavailable`: anything else: no IndexedDB in this browser, a folder that can't be written to, no answer.
 */
export type StoreErrorCode = 'full' | 'locked' | 'damaged' | 'unavailable'

/** A local store that can't be used, now or (`damaged`) at all. The document lives on without it. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** @internal What was thrown, as an error: programs throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
