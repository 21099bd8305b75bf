import type { DocumentId } from '@weft/protocol'
import { Knowledge } from '../crdt/Knowledge.ts'
import { WeftError } from '../errors.ts'
import type { StoredDocument, UpdateLog } from '../log/UpdateLog.ts'

/** A document, or what can still be read of it. */
export interface ReadDocument {
  readonly stored: StoredDocument
  /** What is damaged, in words: `stored` ends before that. Null: nothing is. */
  readonly damage: string | null
}

/**
 * Reads a document; of a damaged one what comes before the damage.
 * @throws {WeftError} what `UpdateLog.read` throws; `DOCUMENT_DAMAGED`: nothing of it can be read
 */
export async function readForRoom(
  log: Pick<UpdateLog, 'read' | 'readRemains'>,
  documentId: DocumentId,
): Promise<ReadDocument> {
  try {
    return { stored: await log.read(documentId), damage: null }
  } catch (error) {
    if (!(error instanceof WeftError && error.code === 'DOCUMENT_DAMAGED')) throw error
    const remains = await log.readRemains(documentId)
    if (remains === null) throw error
    const { knowledge } = remains
    const keptStateVector = knowledge === null ? null : Knowledge.decode(knowledge).encodeStateVector()
    return { stored: { ...remains, keptStateVector }, damage: error.message }
  }
}
