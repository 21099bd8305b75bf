import type { WebSocket } from 'ws'

/**
 * From now on a connection's messages come one in each turn of the event loop, however many one read has brought: of the smallest
 * 7,000, which take 20 ms. It's the option `allowSynchronousEvents: false` of `ws`, which has it for whole servers only: everybody
 * else's messages would wait for a turn, too.
 */
export function spreadMessages(webSocket: WebSocket): void {
  const receiver: unknown = Reflect.get(webSocket, '_receiver')
  if (typeof receiver === 'object' && receiver !== null) Reflect.set(receiver, '_allowSynchronousEvents', false)
}
