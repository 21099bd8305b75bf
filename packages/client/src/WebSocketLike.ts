/** What a WebSocket tells when it has closed: the part of `CloseEvent` that is read here. */
export interface CloseInfo {
  code: number
  reason: string
}

/** The part of a WebSocket that is used here; a browser's and `ws`'s both have it. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  send(data: Uint8Array<ArrayBuffer>): void
  close(): void
  /** Asks whether the other side is there: only where somebody watches for that (`LiveSocket`). */
  probe?(): void
  /** An answer that may be large is awaited, or (false) has come: it is heard of only when all of it is here. */
  expect?(isAwaited: boolean): void
  /** Only in Node (`ws`): ends the socket without waiting for the server. */
  terminate?(): void
}

export type WebSocketClass = new (url: string, protocols?: string | string[]) => WebSocketLike
