import type { Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Logger } from 'pino'
import { MAX_HEADERS } from '../access/requestFault.ts'
import type { Config } from '../config.ts'
import { COMMON_HEADER_LINES } from '../securityHeaders.ts'

/** What a request that never becomes one is answered, by Node's code of what went wrong. */
const STATUS_OF_BROKEN: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** A socket that breaks before a request is complete must not end the process, and gets an answer where it can. */
export function guard(server: Server | TlsServer, logger: Logger): void {
  server.maxHeadersCount = MAX_HEADERS
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Not the error itself: it holds the whole request, with a token perhaps.
    logger.debug({ code: error.code }, 'a broken request')
    if (!socket.writable) {
      socket.destroy()
      return
    }
    const status = STATUS_OF_BROKEN[error.code ?? ''] ?? '400 Bad Request'
    // Whoever doesn't leave then must not keep the descriptor.
    socket.once('finish', () => socket.destroy())
    const head = [`HTTP/1.1 ${status}`, 'Connection: close', 'Content-Length: 0', ...COMMON_HEADER_LINES]
    socket.end(`${head.join('\r\n')}\r\n\r\n`)
  })
  server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true)
    socket.on('error', error => logger.debug({ err: error }, 'a socket broke'))
  })
}

/** Resolves when it listens. @throws Node's error (`EADDRINUSE`, `EACCES`) */
export function listen(
  server: Server | TlsServer,
  { host, port }: Pick<Config, 'host' | 'port'>,
  logger: Logger,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 4096 }, () => {
      server.off('error', reject)
      // A connection that can't be accepted (no descriptors left, say) must not end the process.
      server.on('error', error => logger.error({ err: error }, 'a connection could not be accepted'))
      resolve()
    })
  })
}

/** Where people open what listens: `http://127.0.0.1:9091`. */
export function urlOf(server: Server | TlsServer, config: Pick<Config, 'host' | 'tlsCert'>): string {
  const { port } = server.address() as AddressInfo
  const host = config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host
  return `${config.tlsCert === '' ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
