import type { WebSocketClass } from './WebSocketLike.ts'

/** The WebSocket of pages: the browser's own. */
export const defaultWebSocket: WebSocketClass = globalThis.WebSocket
