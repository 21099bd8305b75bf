import type { RequestListener, ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { type Certificate, readCertificate } from './readCertificate.ts'

/** A TLS handshake that isn't done by then is cut off. */
const HANDSHAKE_MS = 10_000

/** An HTTP server behind TLS. */
export function createTlsServer(options: ServerOptions, certificate: Certificate, app: RequestListener): Server {
  const server = createServer({ ...options, ...certificate, handshakeTimeout: HANDSHAKE_MS }, app)
  // An answer inside of a TLS that isn't there would never leave.
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ERR_SSL_HTTP_REQUEST') answerUnencrypted(socket)
    socket.destroy()
  })
  return server
}

/** Reads the certificate anew, for connections from now on. Where it can't be used, the one before stays. */
export function reloadCertificate(server: Server, config: Config, logger: Logger): void {
  try {
    const certificate = readCertificate(config)
    if (certificate === null) return
    server.setSecureContext(certificate)
    if (certificate.warning !== null) logger.warn(certificate.warning)
    logger.info('the certificate was read anew')
  } catch (error) {
    logger.error({ err: error }, 'the certificate can’t be read anew; the one before stays')
  }
}

// Somebody typed `http://`. The socket below the encrypted one is Node's own business: where it is gone, they hear nothing.
function answerUnencrypted(socket: TLSSocket): void {
  const below: unknown = Reflect.get(socket, '_parent')
  if (!(below instanceof Socket) || !below.writable) return
  const body = 'this port speaks https\n'
  const head = [
    'HTTP/1.1 400 Bad Request',
    'Connection: close',
    'Content-Type: text/plain',
    `Content-Length: ${body.length}`,
  ]
  below.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
