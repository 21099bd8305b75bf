import { HocuspocusProvider as Provider2, HocuspocusProviderWebsocket as Socket2 } from '@hocuspocus/provider-2'
import { HocuspocusProvider as Provider3, HocuspocusProviderWebsocket as Socket3 } from '@hocuspocus/provider-3'
import { HocuspocusProvider as Provider4, HocuspocusProviderWebsocket as Socket4 } from '@hocuspocus/provider-4'
import { type ClientOptions, WebSocket } from 'ws'
import * as Y from 'yjs'
import { eventually } from './eventually.ts'

/** Major versions of Hocuspocus' provider: 2.9.0 (the package's oldest that is still used), 3.4.4, 4.8.0. */
export const providerVersions = [2, 3, 4] as const
export type ProviderVersion = (typeof providerVersions)[number]

const kinds = {
  2: { Provider: Provider2, Socket: Socket2 },
  3: { Provider: Provider3, Socket: Socket3 },
  4: { Provider: Provider4, Socket: Socket4 },
} as unknown as Record<ProviderVersion, { Provider: typeof Provider4; Socket: typeof Socket4 }>

/** An unmodified Hocuspocus provider and what is counted around it. */
export interface HocuspocusClient {
  readonly doc: Y.Doc
  readonly provider: Provider4
  synced(): Promise<void>
  destroy(): void
}

/** One socket for any number of documents. */
export interface HocuspocusSocket {
  /** Every WebSocket that it opened. */
  readonly sockets: readonly WebSocket[]
  readonly socket: Socket4
  open(name: string, options?: { token?: string; sessionAwareness?: boolean }): HocuspocusClient
  destroy(): void
}

/** @param socketOptions of its WebSockets */
export function hocuspocusSocket(
  version: ProviderVersion,
  url: string,
  socketOptions: ClientOptions = {},
): HocuspocusSocket {
  const sockets: WebSocket[] = []
  class CountedWebSocket extends WebSocket {
    constructor(address: string, protocols?: string | string[]) {
      super(address, protocols, socketOptions)
      sockets.push(this)
      // A provider that is destroyed while it connects listens no more when `ws` says so.
      this.on('error', () => {})
    }
  }
  const { Provider, Socket } = kinds[version]
  const socket = new Socket({
    url,
    WebSocketPolyfill: CountedWebSocket,
    delay: 50,
    minDelay: 50,
    maxDelay: 500,
    jitter: true,
  })
  const clients: HocuspocusClient[] = []
  return {
    sockets,
    socket,
    open(name, options = {}) {
      const doc = new Y.Doc()
      // Replicas of one test process must not meet behind the server's back: version 2 has a BroadcastChannel.
      const settings = { websocketProvider: socket, name, document: doc, broadcast: false, ...options }
      const provider = new Provider(settings as ConstructorParameters<typeof Provider4>[0])
      provider.attach?.()
      const client: HocuspocusClient = {
        doc,
        provider,
        synced: async () => {
          await eventually(`provider ${version} to be synced`, () => provider.isSynced)
        },
        destroy: () => provider.destroy(),
      }
      clients.push(client)
      return client
    },
    destroy() {
      for (const client of clients) client.destroy()
      socket.destroy()
    },
  }
}
