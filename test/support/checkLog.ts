import * as Y from 'yjs'
import { Knowledge } from '../../server/dist/crdt/Knowledge.js'
import { readUpdate } from '../../server/dist/crdt/readUpdate.js'
import { DEFAULT_UPDATE_LIMITS } from '../../server/dist/crdt/UpdateLimits.js'
import type { StoredDocument } from '../../server/dist/log/UpdateLog.js'
import { checkDocument } from '../crdt/checkDocument.ts'

/** Checks knowledge against a document: the same state vector, and no deletion that the document hasn't. */
export function checkKnowledge(knowledge: Knowledge, doc: Y.Doc): void {
  const known = Buffer.from(knowledge.encodeStateVector())
  if (!known.equals(Y.encodeStateVector(doc))) throw new Error('knowledge has another state vector than the document')
  const { clients } = Y.createDeleteSetFromStructStore(doc.store)
  for (const [clientID, ranges] of knowledge.deletes) {
    for (let i = 0; i < ranges.length; i += 2) {
      const [start = 0, end = 0] = [ranges[i], ranges[i + 1]]
      if (clients.get(clientID)?.some(({ clock, len }) => clock <= start && end <= clock + len) !== true) {
        throw new Error(`knowledge has ${start} to ${end} of client ${clientID} deleted, and the document has not`)
      }
    }
  }
}

/**
 * Replays a log entry by entry and holds what the server keeps of it to Yjs.
 * @returns the document that the log holds
 */
export function checkLog(stored: StoredDocument, doc = new Y.Doc()): Y.Doc {
  const knowledge = stored.knowledge === null ? new Knowledge() : Knowledge.decode(stored.knowledge)
  if (stored.snapshot !== null) Y.applyUpdate(doc, stored.snapshot)
  checkKnowledge(knowledge, doc)
  let seq = stored.keptAfter
  for (const entry of stored.entries) {
    if (entry.seq !== ++seq) throw new Error(`entry ${entry.seq} in place of ${seq}`)
    const contents = readUpdate(entry.update, DEFAULT_UPDATE_LIMITS)
    if (entry.seq <= stored.snapshotSeq) {
      if (knowledge.missing(contents) !== null) throw new Error(`the snapshot lacks what entry ${entry.seq} needs`)
      continue
    }
    // A deletion may be news to the room and not to a snapshot that was made meanwhile, in which a whole parent is deleted.
    if (contents.structs.size > 0 && !knowledge.brings(contents))
      throw new Error(`entry ${entry.seq} brings nothing new`)
    if (knowledge.overlaps(contents)) throw new Error(`entry ${entry.seq} repeats what is in the log`)
    knowledge.add(contents)
    Y.applyUpdate(doc, entry.update)
    checkKnowledge(knowledge, doc)
  }
  if (seq !== stored.head) throw new Error(`the log ends at ${seq}, its head is ${stored.head}`)
  checkDocument(doc)
  return doc
}
