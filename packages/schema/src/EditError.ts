/**
 * - `UNKNOWN_CONTENT`: the document holds what this version can't represent, and the edit would delete it.
 * - `HEADING_NOT_FOUND`: no heading of that text stands at the document's top level.
 * - `TEXT_NOT_FOUND`: the text to replace doesn't occur within one block.
 */
export type EditErrorCode = 'UNKNOWN_CONTENT' | 'HEADING_NOT_FOUND' | 'TEXT_NOT_FOUND'

/** An edit that can't be made on the document as it is; nothing was changed. */
export class EditError extends Error {
  readonly code: EditErrorCode

  constructor(code: EditErrorCode, message: string) {
    super(message)
    this.name = 'EditError'
    this.code = code
  }
}
