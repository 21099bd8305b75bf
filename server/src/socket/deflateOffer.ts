import { extension } from 'ws'

declare module 'ws' {
  /** Exported by `ws` 8.23; its types don't know it yet. */
  const extension: {
    /** @returns for each extension its offers, for each of their parameters its values; `true`: it has none */
    parse(header: string): Record<string, Record<string, (string | true)[]>[] | undefined>
  }
}

type Offer = Record<string, (string | true)[]>

/**
 * The first offer of `permessage-deflate` that can be accepted, without what is a hint only; null: none, it is declined
 * (RFC 7692, section 7.1: a server declines what it doesn't know; `ws` would refuse the whole handshake).
 * @param header `Sec-WebSocket-Extensions`
 * @throws {SyntaxError} it is malformed (RFC 6455, section 9.1)
 */
export function acceptableOffer(header: string): string | null {
  for (const offer of extension.parse(header)['permessage-deflate'] ?? []) {
    if (!isValid(offer)) continue
    // Frames are compressed once for all connections, with the largest window: whoever asks for a smaller one is declined.
    const window = offer.server_max_window_bits?.[0]
    if (window === undefined) return 'permessage-deflate'
    if (window === '15') return 'permessage-deflate; server_max_window_bits=15'
  }
  return null
}

/** Whether an offer has no unknown, repeated or invalid parameter (RFC 7692, sections 7.1.1 and 7.1.2). */
function isValid(offer: Offer): boolean {
  return Object.entries(offer).every(([name, [value, ...more]]) => {
    if (more.length > 0) return false
    switch (name) {
      case 'server_no_context_takeover':
      case 'client_no_context_takeover':
        return value === true
      case 'client_max_window_bits':
        return value === true || isWindow(value)
      case 'server_max_window_bits':
        return isWindow(value)
      default:
        return false
    }
  })
}

/** A power of two from 2^8 to 2^15, without a leading zero. */
function isWindow(value: string | true | undefined): boolean {
  return typeof value === 'string' && /^(?:[89]|1[0-5])$/u.test(value)
}
