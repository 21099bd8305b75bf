import { createServer } from 'node:net'

/**
 * A port that nobody listens on. Not one of those that the system gives to outgoing connections: while a server is down,
 * a client that tries to reconnect could be given its port, or even meet itself there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
