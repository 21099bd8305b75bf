import type { Client } from './Client.ts'

/** Bytes and WebSocket frames of all clients, as they go over the wire (TCP's own headers not counted). */
export interface Traffic {
  readonly bytesDown: number
  readonly framesDown: number
  readonly bytesUp: number
  readonly framesUp: number
}

const NONE: Traffic = { bytesDown: 0, framesDown: 0, bytesUp: 0, framesUp: 0 }

/** @param since what to subtract */
export function trafficOf(clients: readonly (Client | null)[], since: Traffic = NONE): Traffic {
  let [bytesDown, framesDown, bytesUp, framesUp] = [0, 0, 0, 0]
  for (const client of clients) {
    if (client === null) continue
    bytesDown += client.socket.bytesIn
    framesDown += client.socket.framesIn
    bytesUp += client.socket.bytesOut
    framesUp += client.socket.framesOut
  }
  return {
    bytesDown: bytesDown - since.bytesDown,
    framesDown: framesDown - since.framesDown,
    bytesUp: bytesUp - since.bytesUp,
    framesUp: framesUp - since.framesUp,
  }
}
