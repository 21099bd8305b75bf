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
    super(`${documentId} is refused: ${closeReason === '' ? 'no reason given' : closeReason} (${code})`)
    this.code = code
    this.word = word
    this.reason = text
  }
}

/** Edits that are not committed on the server at the moment somebody stopped waiting for it. */
export class UnsavedError extends Error {
  override readonly name = 'UnsavedError'
  readonly unsavedCount: number

  constructor(message: string, unsavedCount: number, options?: ErrorOptions) {
    super(message, options)
    this.unsavedCount = unsavedCount
  }
}
