import * as Y from 'yjs'
import { checkStoredDocument, compareKnowledge } from '../../server/dist/backup/checkStoredDocument.js'
import type { Knowledge } from '../../server/dist/crdt/Knowledge.js'
import type { StoredDocument } from '../../server/dist/log/UpdateLog.js'
import { checkDocument } from '../crdt/checkDocument.ts'

/** Checks knowledge against a document: the same state vector, and no deletion that the document hasn't. */
export function checkKnowledge(knowledge: Knowledge, doc: Y.Doc): void {
  const problem = compareKnowledge(knowledge, doc)
  if (problem !== null) throw new Error(problem)
}

/**
 * Replays a log entry by entry and holds what the server keeps of it to Yjs.
 * @returns the document that the log holds
 */
export function checkLog(stored: StoredDocument, doc = new Y.Doc()): Y.Doc {
  const [problem] = checkStoredDocument(stored, { doc, isThorough: true })
  if (problem !== undefined) throw new Error(problem)
  checkDocument(doc)
  return doc
}
