/** What our pages never need. Names that browsers know: others are complained about in their consoles. */
const DENIED_FEATURES = [
  'accelerometer',
  'camera',
  'display-capture',
  'encrypted-media',
  'geolocation',
  'gyroscope',
  'hid',
  'magnetometer',
  'microphone',
  'midi',
  'payment',
  'picture-in-picture',
  'screen-wake-lock',
  'serial',
  'usb',
  'xr-spatial-tracking',
]

/** What goes with every answer, whatever it is. */
export const COMMON_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': DENIED_FEATURES.map(feature => `${feature}=()`).join(', '),
} as const

/**
 * What may be done by an answer that is no page: nothing. For what people wrote or uploaded, under the address of the server.
 * (`base-uri`, `form-action` and `frame-ancestors` don't follow `default-src`.)
 */
export const INERT_POLICY = [
  "default-src 'none'",
  'sandbox',
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join('; ')

/**
 * What a page of ours may do: its own scripts, styles and fonts, images of this server and of others over TLS, a socket to this
 * server; and no text becomes markup unless it goes through the page's cleaner (`web/src/cleanHTML.ts`).
 * @param host as the browser names it, with its port
 * @param nonce of styles that the page makes by itself: unguessable, new in each answer
 */
export function pagePolicy(host: string, nonce: string): string {
  // What is no name of a host could bring rules of its own; `'self'` covers sockets too, in browsers since 2021.
  const sockets = /^[\w.-]+(:\d+)?$|^\[[\da-f:.]+\](:\d+)?$/i.test(host) ? ` ws://${host} wss://${host}` : ''
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' https: blob:",
    "font-src 'self'",
    `connect-src 'self'${sockets}`,
    "worker-src 'self'",
    "manifest-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "object-src 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
}

/** Lines of a head for answers that are written by hand, on sockets that no request came from. */
export const COMMON_HEADER_LINES: readonly string[] = [
  `Content-Security-Policy: ${INERT_POLICY}`,
  ...Object.entries(COMMON_HEADERS).map(([name, value]) => `${name}: ${value}`),
]
