import { BadDocumentIdError, type DocumentId, parseDocumentId } from './documentId.ts'

/** Between a document's name and that of a part of it, which is a document of its own. No name has it, and no URL can give it. */
export const PART_SEPARATOR = '\u001f'

/** States of a document from before a mass deletion, kept by the server: only to be read. */
export const keptParts = ['before-1', 'before-2', 'before-3'] as const

/** The parts that a document can have beside its content. */
export const documentParts = ['comments', ...keptParts] as const

export type DocumentPart = (typeof documentParts)[number]

/** Whether a part is a state that the server keeps. */
export function isKept(part: DocumentPart | null): boolean {
  return keptParts.some(kept => kept === part)
}

/** The identity of a part of a document, under which it is stored, and which is its address in the dialects that have addresses. */
export function partOf(documentId: DocumentId, part: DocumentPart): DocumentId {
  return `${documentId}${PART_SEPARATOR}${part}` as DocumentId
}

/** Takes a document's identity apart; `part` is null where it is a document itself. */
export function splitPart(documentId: DocumentId): { document: DocumentId; part: DocumentPart | null } {
  const at = documentId.indexOf(PART_SEPARATOR)
  if (at < 0) return { document: documentId, part: null }
  const part = documentParts.find(known => known === documentId.slice(at + 1))
  return { document: documentId.slice(0, at) as DocumentId, part: part ?? null }
}

/**
 * The document, or the part of it, that an address names: `team/notes`, or `team/notes` U+001F `comments`.
 * @throws {BadDocumentIdError} as `parseDocumentId`, and for a part that there isn't
 */
export function parseDocumentAddress(address: string): DocumentId {
  const at = address.indexOf(PART_SEPARATOR)
  return at < 0 ? parseDocumentId(address) : withPart(parseDocumentId(address.slice(0, at)), address.slice(at + 1))
}

/**
 * A document, or the part of it that a parameter `part` names.
 * @param part null: none
 * @throws {BadDocumentIdError} there is no such part
 */
export function withPart(documentId: DocumentId, part: string | null): DocumentId {
  if (part === null) return documentId
  const known = documentParts.find(candidate => candidate === part)
  if (known === undefined) throw new BadDocumentIdError(`a document's parts are: ${documentParts.join(', ')}`)
  return partOf(documentId, known)
}
