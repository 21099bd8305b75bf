import { BadDocumentIdError, type DocumentId, documentIdFromPath } from '@weft/protocol'
import * as Y from 'yjs'
import { isUploadName } from '../uploads/uploadFiles.ts'

/** PROTOCOL.md, "Files in documents": what the server answers, and editors write into documents. */
const UPLOAD_PATH = /^\/api\/v1\/documents(\/.+)\/uploads\/([^/]+)$/u

/**
 * The files of its own that a document names, as sources of images or targets of links, in whatever its schema calls them.
 * Those of other documents, which may be gone, are none of them.
 */
export function namedUploads(doc: Y.Doc, documentId: DocumentId): Set<string> {
  const files = new Set<string>()
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (!(struct instanceof Y.Item) || struct.deleted) continue
      for (const text of textsIn(contentOf(struct.content))) {
        const [, path = '', file = ''] = UPLOAD_PATH.exec(text) ?? []
        if (isUploadName(file) && nameIn(path) === documentId) files.add(file)
      }
    }
  }
  return files
}

function contentOf(content: Y.Item['content']): unknown {
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return content.arr
  if (content instanceof Y.ContentFormat) return content.value
  if (content instanceof Y.ContentEmbed) return content.embed
  return null
}

/** All texts in a value of JSON; a walk of its own, for a stranger's may be deep. */
function* textsIn(value: unknown): Generator<string> {
  const left: unknown[] = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (typeof next === 'string') yield next
    else if (typeof next === 'object' && next !== null) for (const inner of Object.values(next)) left.push(inner)
  }
}

function nameIn(path: string): DocumentId | null {
  try {
    return documentIdFromPath(path)
  } catch (error) {
    if (error instanceof BadDocumentIdError) return null
    throw error
  }
}
