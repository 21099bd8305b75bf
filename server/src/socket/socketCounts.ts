import type { Duplex } from 'node:stream'

/** Bytes that came so far, those of an unfinished message too. */
export function bytesRead(socket: Duplex): number {
  const count: unknown = Reflect.get(socket, 'bytesRead')
  return typeof count === 'number' ? count : 0
}

/**
 * Bytes that the operating system has not taken yet. A large write counts as a whole in `writableLength` until all of it
 * is gone; libuv's own count (which Node's socket timeout uses for the same purpose) falls as it goes.
 */
export function systemQueueBytes(socket: Duplex): number {
  return handleCount(socket, 'writeQueueSize', socket.writableLength)
}

/** What libuv counts of a socket; under TLS, too. */
export function handleCount(socket: Duplex, name: 'writeQueueSize' | 'bytesWritten', otherwise: number): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return otherwise
  const count: unknown = Reflect.get(handle, name)
  return typeof count === 'number' ? count : otherwise
}
