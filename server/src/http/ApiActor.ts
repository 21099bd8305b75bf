import type { IncomingMessage } from 'node:http'
import type { TrustedProxies } from '../access/TrustedProxies.ts'

const requestIds = new WeakMap<IncomingMessage, string>()

/** Gives a request the number under which the logs speak of it: `X-Request-Id` of the answer. */
export function nameRequest(request: IncomingMessage, id: string): void {
  requestIds.set(request, id)
}

/** Who asks, for the audit log. */
export function actorOf(request: IncomingMessage, proxies: TrustedProxies, user: string | null) {
  return { request: requestIds.get(request) ?? null, address: proxies.addressOf(request), user }
}
