import { CommandError } from './errors.ts'
import { quoteName } from './quoteName.ts'

/** An edit that the document can't take (`EditError`) is told as one line. */
export function asCommandError(documentId: string, error: unknown): unknown {
  const isOfDocument = error instanceof Error && (error.name === 'EditError' || error instanceof RangeError)
  return isOfDocument ? new CommandError(`${quoteName(documentId)}: ${error.message}`) : error
}
