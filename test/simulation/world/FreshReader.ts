import { type DocumentId, decodeMessage, encodeSyncStep1 } from '@weft/protocol'
import * as Y from 'yjs'
import { createDocument } from '../../crdt/randomEdits.ts'
import type { World } from './World.ts'

/** A client that has nothing, and asks for a document. */
export class FreshReader {
  readonly doc = createDocument(1)
  isSynced = false

  constructor(world: World, documentId: DocumentId) {
    const token = JSON.stringify({ user: 'fresh', role: 'viewer', issuedAt: 0, expiresAt: 10 ** 9 })
    const link = world.connect({ address: 'fresh', path: `/${documentId}`, protocol: '', token }, 1, {
      opened: () => link?.send(encodeSyncStep1(Uint8Array.of(0))),
      received: frame => {
        const message = decodeMessage(frame)
        if (message.type !== 'update' && message.type !== 'syncStep2') return
        Y.applyUpdate(this.doc, message.update)
        if (message.type === 'syncStep2') this.isSynced = true
      },
      lost: () => {},
    })
  }
}
