import { WebSocket as NodeWebSocket } from 'ws'
import type { WebSocketClass } from './WebSocketLike.ts'

/** Time that a server has to answer the upgrade, in ms. Without it a host that swallows packets is waited for for minutes. */
const HANDSHAKE_TIMEOUT_MS = 10_000

/** The WebSocket of programs: Node 20 has none of its own. */
class WsWebSocket extends NodeWebSocket {
  constructor(url: string, protocols?: string | string[]) {
    // Small binary messages: deflating them costs memory per connection and gains nothing.
    super(url, protocols, { perMessageDeflate: false, handshakeTimeout: HANDSHAKE_TIMEOUT_MS })
  }
}

export const defaultWebSocket: WebSocketClass = WsWebSocket
