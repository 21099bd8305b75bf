/**
 * The messages of a connection, one in each binary frame: `message = varUint(type) • body`.
 * Types 0 to 3: y-protocols 1.0.7 as y-websocket speaks it; 102: y-sweet's acknowledgement; from 110: ours.
 */
export const messageType = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  /** A buffer that the server returns once everything before it is committed. */
  ack: 102,
  /** First, from a client, empty: "send me messages of Weft's own". */
  announce: 110,
} as const

/** `body of sync = varUint(step) • varByteArray` */
export const syncStep = { step1: 0, step2: 1, update: 2 } as const

/** A message as it came in, its type and shape known, its bytes not yet looked into. */
export type Message =
  | { readonly type: 'syncStep1'; readonly stateVector: Uint8Array }
  | { readonly type: 'syncStep2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly payload: Uint8Array }
  | { readonly type: 'queryAwareness' }
  | { readonly type: 'permissionDenied'; readonly reason: string }
  | { readonly type: 'ack'; readonly payload: Uint8Array }
  | { readonly type: 'announce'; readonly payload: Uint8Array }
  /** A type that this version doesn't know; whoever reads it may ignore it. */
  | { readonly type: 'unknown'; readonly messageType: number }
