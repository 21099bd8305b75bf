import { type ClientOptions, WebSocket } from 'ws'
import { WebsocketProvider as Provider3 } from 'y-websocket'
import { WebsocketProvider as Provider1 } from 'y-websocket-1'
import { WebsocketProvider as Provider2 } from 'y-websocket-2'
import * as Y from 'yjs'
import { within } from './eventually.ts'

/** Major versions of y-websocket: 1.5.4, 2.1.0, 3.1.0. */
export const stockVersions = [1, 2, 3] as const
export type StockVersion = (typeof stockVersions)[number]

const providers = { 1: Provider1, 2: Provider2, 3: Provider3 }

/** An unmodified y-websocket client and what is counted around it. */
export interface StockClient {
  readonly doc: Y.Doc
  readonly provider: Provider3
  /** Every socket that it opened. */
  readonly sockets: readonly WebSocket[]
  /** Reasons of final closes (4400 to 4499). */
  readonly refusals: readonly string[]
  synced(): Promise<void>
  destroy(): void
}

export interface StockClientOptions {
  /** Longest pause between two attempts to connect, in ms; the default is y-websocket's. */
  readonly maxBackoffTime?: number
  /** Of its WebSockets: whom they trust. */
  readonly socketOptions?: ClientOptions
  /** Of the URL's query. */
  readonly params?: Record<string, string>
}

export function stockClient(
  version: StockVersion,
  serverUrl: string,
  room: string,
  { maxBackoffTime = 2500, socketOptions = {}, params = {} }: StockClientOptions = {},
): StockClient {
  const doc = new Y.Doc()
  const sockets: WebSocket[] = []
  const refusals: string[] = []
  class CountedWebSocket extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols, socketOptions)
      sockets.push(this)
      this.on('close', (code, reason) => {
        if (code >= 4400 && code < 4500) refusals.push(reason.toString())
      })
    }
  }
  const provider = new providers[version](serverUrl, room, doc, {
    WebSocketPolyfill: CountedWebSocket as unknown as typeof globalThis.WebSocket,
    // Replicas of one test process must not meet behind the server's back.
    disableBc: true,
    maxBackoffTime,
    params,
  })
  return {
    doc,
    provider,
    sockets,
    refusals,
    synced: () =>
      within(
        `y-websocket ${version} to be synced`,
        new Promise<void>(resolve => {
          if (provider.synced) resolve()
          else
            provider.on('sync', (isSynced: boolean) => {
              if (isSynced) resolve()
            })
        }),
      ),
    destroy: () => {
      provider.awareness.destroy()
      provider.destroy()
    },
  }
}
