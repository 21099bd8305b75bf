declare const brand: unique symbol

/** A document's identity: 1 to 255 bytes of UTF-8 that passed `parseDocumentId`. */
export type DocumentId = string & { readonly [brand]: 'DocumentId' }

/** Bytes of UTF-8 that a document's name may have at most: LevelDB doesn't care, people and file systems do. */
export const MAX_DOCUMENT_ID_BYTES = 255

/** A document's name that breaks a rule; `message` says which one, without repeating the name. */
export class BadDocumentIdError extends Error {
  override readonly name = 'BadDocumentIdError'
}

// Controls (Cc), separators of lines and paragraphs, and the characters that reorder text on a screen (Bidi_Control):
// with them two names look alike. U+001F also separates a document's parts, so no URL can name a part.
const FORBIDDEN = /[\p{Cc}\u2028\u2029\p{Bidi_Control}\\]/u

/**
 * Checks a document's name as a person or a program wrote it (not percent-encoded).
 * @throws {BadDocumentIdError} when it is empty, longer than 255 bytes of UTF-8, not in normal form NFC, has a control,
 * bidi or lone surrogate character or a backslash, or an empty, `.` or `..` segment between slashes.
 */
export function parseDocumentId(name: string): DocumentId {
  if (name === '') throw new BadDocumentIdError('a document name has at least one character')
  const byteLength = new TextEncoder().encode(name).length
  if (byteLength > MAX_DOCUMENT_ID_BYTES) {
    throw new BadDocumentIdError(`the document name has ${byteLength} bytes, over ${MAX_DOCUMENT_ID_BYTES}`)
  }
  if (/\p{Surrogate}/u.test(name)) throw new BadDocumentIdError('the document name has a lone surrogate')
  if (FORBIDDEN.test(name))
    throw new BadDocumentIdError('the document name has a control or bidi character or a backslash')
  if (name.normalize('NFC') !== name) throw new BadDocumentIdError('the document name is not in normal form NFC')
  for (const segment of name.split('/')) {
    if (segment === '') throw new BadDocumentIdError('the document name has an empty segment (a slash too many)')
    if (segment === '.' || segment === '..') throw new BadDocumentIdError('the document name has a . or .. segment')
  }
  return name as DocumentId
}

/**
 * The document that a URL's path names: `/team/notes` → `team/notes`. Percent-escapes are decoded once.
 * @param path the path as it stands in the request, with its leading slash and without the query
 * @throws {BadDocumentIdError} as `parseDocumentId`, and when a percent-escape doesn't decode to UTF-8
 */
export function documentIdFromPath(path: string): DocumentId {
  let name: string
  try {
    name = decodeURIComponent(path.startsWith('/') ? path.slice(1) : path)
  } catch {
    throw new BadDocumentIdError('the document name has a percent-escape that is not UTF-8')
  }
  return parseDocumentId(name)
}

/** The path of a document in a URL, without a leading slash: every segment percent-encoded, slashes kept. */
export function documentPath(documentId: DocumentId): string {
  return documentId.split('/').map(encodeURIComponent).join('/')
}
