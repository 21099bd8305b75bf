import { isIP } from 'node:net'

/**
 * The network that an address belongs to, as one subscriber has it: an IPv6 address is one of 2⁶⁴ that its owner may take in turns
 * (RFC 6177), so all of its `/64` count as one; an IPv4 address is its own.
 * @param address as `plainAddress` gives it
 */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail = null] = address.replace(/%.*$/u, '').split('::')
  const first = head === '' ? [] : head.split(':')
  // Of what is left out, zeros are as many as are missing; an IPv4 address at the end stands for two.
  const last = tail === null || tail === '' ? [] : tail.split(':')
  const missing = tail === null ? 0 : 8 - first.length - last.length - (last.at(-1)?.includes('.') ? 1 : 0)
  const groups = [...first, ...Array.from({ length: missing }, () => '0'), ...last].slice(0, 4)
  return `${groups.map(group => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

/** Whether an IP address is this machine itself. */
export function isLoopbackAddress(address: string): boolean {
  return /^(?:127\.|::1$|::ffff:127\.)/u.test(address)
}

/** An IPv4 address that a socket for both kinds tells as IPv6, in its own form: `::ffff:192.0.2.1` → `192.0.2.1`. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/iu, '')
}

/** Whether a host name (without port) can only mean this machine. */
export function isLoopbackHost(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    host === '::1' ||
    /^127\.\d+\.\d+\.\d+$/u.test(host)
  )
}
