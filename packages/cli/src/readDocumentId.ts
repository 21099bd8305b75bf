import { BadDocumentIdError, type DocumentId, parseDocumentId } from '@weft/protocol'
import { UsageError } from './errors.ts'
import { quoteName, unquoteName } from './quoteName.ts'

/**
 * A document's name as it was typed, or as `weft ls` prints it: in quotes and with escapes where it isn't plain.
 * @throws {UsageError}
 */
export function readDocumentId(text: string): DocumentId {
  const name = unquoteName(text, 'the document')
  try {
    return parseDocumentId(name)
  } catch (error) {
    if (!(error instanceof BadDocumentIdError)) throw error
    throw new UsageError(`${quoteName(name)}: ${error.message}`)
  }
}
