import { connect, type WeftDocument } from '@weft/client'
import type { DocumentId } from '@weft/protocol'
import type { ServerAddress } from '../serverAddress.ts'

/** Opens a document for `weft sync`; the others see who it is. The one place that knows how it is connected. */
export function openSynced(
  server: ServerAddress,
  documentId: DocumentId,
  name: string,
  signal: AbortSignal,
): Promise<WeftDocument> {
  return connect(server.url, {
    documentId,
    user: { name: `${name} (sync)`, color: '#64748b' },
    signal,
    ...(server.token !== undefined && { token: server.token }),
  })
}
