import { RefusedError, UnsavedError } from '@weft/client'
import { BadDocumentIdError } from '@weft/protocol'
import { EditError } from '@weft/schema'
import { CommandError, UsageError } from '../errors.ts'
import { RefusedRequestError } from '../ServerApi.ts'

/** What an agent asked for can't be done: told to it as it is, so it says what to do next. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
}

/** What an agent can do about a refusal, by the code of PROTOCOL.md. */
const hints: Readonly<Record<string, string>> = {
  'not-found': 'list_documents shows what there is; create_document makes a new one',
  deleted: 'it takes nothing any more: use another name',
  forbidden: 'the token (WEFT_TOKEN) does not give this right: ask the person whom you work for',
  unauthorized: 'the person who runs this has to give it another token',
  'local-only': 'the person who runs the server has to give it a secret first (WEFT_AUTH_SECRET)',
  busy: 'try again in a few seconds',
  unavailable: 'try again in a few seconds',
}

/** What an agent is told of an error; null: it is a mistake of this program. */
export function explainToAgent(error: unknown): string | null {
  if (error instanceof RefusedRequestError) {
    const hint = hints[error.code]
    return hint === undefined ? error.message : `${error.message}: ${hint}`
  }
  if (error instanceof UnsavedError) {
    return 'this document can only be read with this token (WEFT_TOKEN): nothing was changed in it'
  }
  if (error instanceof RefusedError) return `${error.message}: nothing of this edit is kept`
  if (error instanceof BadDocumentIdError) return `${error.message}: list_documents shows the names that there are`
  // A `RangeError`: content that no document can hold.
  const kinds = [ToolError, CommandError, UsageError, EditError, RangeError]
  return error instanceof Error && kinds.some(kind => error instanceof kind) ? error.message : null
}
