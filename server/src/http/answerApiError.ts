import type { ErrorRequestHandler } from 'express'
import type { Logger } from 'pino'
import { ContentError } from '../ContentError.ts'
import { MalformedUpdate } from '../crdt/MalformedUpdate.ts'
import { WeftError } from '../errors.ts'
import { ApiError } from './ApiError.ts'

/** When to come back where too much waits, in s. */
const RETRY_AFTER_S = 5
/** The same where it is one user's own requests that wait. */
const SHARE_RETRY_AFTER_S = 1
/** Longest part of a message that content says of itself. */
const MAX_MESSAGE_LENGTH = 500

/** Answers a request of the API that failed: `{ error: { code, message } }` (`ApiError`). */
export function answerApiError(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error)
    // Nobody is there to be told.
    if (response.destroyed) return
    const { status, code, message, retryAfterS, bound } = explain(error)
    response.locals.bound = bound
    if (status === 500) logger.error({ err: error, method: request.method }, 'a request of the API failed')
    if (retryAfterS !== null) response.set('Retry-After', String(retryAfterS))
    else if (status === 503) response.set('Retry-After', String(RETRY_AFTER_S))
    if (status === 401) response.set('WWW-Authenticate', 'Bearer')
    for (const name of ['ETag', 'Weft-Version', 'Weft-Left-Out', 'Content-Type']) response.removeHeader(name)
    response.status(status).json({ error: { code, message } })
  }
}

function explain(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  // What it quotes of the content may be as long as that.
  if (error instanceof ContentError) return new ApiError(error.code, error.message.slice(0, MAX_MESSAGE_LENGTH))
  if (error instanceof MalformedUpdate) return new ApiError('bad-content', `no document can hold this: ${error.reason}`)
  if (error instanceof WeftError) return explainWeftError(error)
  // Express's router decodes what stands in a path.
  if (error instanceof URIError) return new ApiError('bad-request', 'the path has a percent-escape that is no UTF-8')
  return new ApiError('internal', 'this request failed')
}

function explainWeftError({ code, message }: WeftError): ApiError {
  switch (code) {
    case 'DOCUMENT_FULL':
      return new ApiError('too-large', message, null, 'document-size')
    case 'DOCUMENT_DELETED':
      return new ApiError('deleted', 'the document was deleted')
    case 'DOCUMENT_DAMAGED':
    case 'DOCUMENT_INCOMPLETE':
      return new ApiError('damaged', 'stored records of this document are damaged; the server’s log says which')
    case 'HEAD_MOVED':
      return new ApiError('stale', message)
    case 'WORKER_BUSY':
      return new ApiError('busy', message, null, 'waiting-requests')
    case 'OVERLOADED':
      return new ApiError('busy', message, null, 'open-documents')
    case 'SHARE_USED':
      return new ApiError('too-fast', message, SHARE_RETRY_AFTER_S, 'waiting-requests')
    // Not its message: the log's names folders of this machine.
    case 'STORAGE_WRITE_FAILED':
      return new ApiError('unavailable', 'the disk does not take it now; it may have been stored, or be stored later')
    case 'STORAGE_READ_FAILED':
    case 'STORE_CLOSED':
    case 'WORKER_STOPPED':
      return new ApiError('unavailable', 'the document cannot be read now')
    default:
      return new ApiError('internal', 'this request failed')
  }
}
