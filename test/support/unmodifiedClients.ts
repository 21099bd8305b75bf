import { onTestFinished } from 'vitest'
import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import { hocuspocusSocket, type ProviderVersion } from './hocuspocusClient.ts'
import type { ServerProcess } from './ServerProcess.ts'
import { type StockVersion, stockClient } from './stockClient.ts'

/** A client as its authors published it, whatever its family. */
export interface UnmodifiedClient {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  /** Whether it believes to have everything. */
  readonly isSynced: boolean
  /** Whether it believes that the server doesn't have everything; null where it has no notion of that. */
  readonly hasUnsynced: boolean | null
  /** Whether it was told that it may only read; null where it can't be told. */
  readonly isReadOnly: boolean | null
  /** Reasons for which the server refused it. */
  readonly refusals: readonly string[]
  synced(): Promise<void>
  destroy(): void
}

/** A version of a client, and how it opens a document. It is closed after the test. */
export interface ClientKind {
  readonly name: string
  readonly family: 'y-websocket' | 'hocuspocus'
  /** Hocuspocus' provider 2: it goes on counting what was under way when a connection broke, also when that was stored. */
  readonly neverForgets: boolean
  open(server: ServerProcess, documentId: string, token?: string): UnmodifiedClient
}

function yWebsocket(version: StockVersion, name: string): ClientKind {
  return {
    name,
    family: 'y-websocket',
    neverForgets: false,
    open(server, documentId, token) {
      const path = documentId.split('/').map(encodeURIComponent).join('/')
      const params: Record<string, string> = token === undefined ? {} : { token }
      const client = stockClient(version, server.socketUrl, path, { maxBackoffTime: 500, params })
      onTestFinished(() => client.destroy())
      return {
        doc: client.doc,
        awareness: client.provider.awareness,
        get isSynced() {
          return client.provider.synced
        },
        hasUnsynced: null,
        isReadOnly: null,
        refusals: client.refusals,
        synced: client.synced,
        destroy: client.destroy,
      }
    },
  }
}

function hocuspocus(version: ProviderVersion, name: string): ClientKind {
  return {
    name,
    family: 'hocuspocus',
    neverForgets: version === 2,
    open(server, documentId, token) {
      const socket = hocuspocusSocket(version, server.socketUrl)
      onTestFinished(() => socket.destroy())
      const { doc, provider, synced } = socket.open(documentId, token === undefined ? {} : { token })
      const { awareness } = provider
      if (awareness === null) throw new Error('a provider without awareness')
      const refusals: string[] = []
      provider.on('authenticationFailed', ({ reason }: { reason: string }) => refusals.push(reason))
      return {
        doc,
        awareness,
        get isSynced() {
          return provider.isSynced
        },
        get hasUnsynced() {
          return provider.hasUnsyncedChanges
        },
        get isReadOnly() {
          return provider.authorizedScope === 'readonly'
        },
        refusals,
        synced,
        destroy: () => socket.destroy(),
      }
    },
  }
}

/** The versions that people run. */
export const clientKinds: readonly ClientKind[] = [
  yWebsocket(1, 'y-websocket 1.5'),
  yWebsocket(2, 'y-websocket 2.1'),
  yWebsocket(3, 'y-websocket 3.1'),
  hocuspocus(2, 'Hocuspocus provider 2.9'),
  hocuspocus(3, 'Hocuspocus provider 3.4'),
  hocuspocus(4, 'Hocuspocus provider 4.8'),
]

/** The newest of the other family. */
export function counterpartOf(kind: ClientKind): ClientKind {
  const other = clientKinds.findLast(({ family }) => family !== kind.family)
  if (other === undefined) throw new Error('one family only')
  return other
}
