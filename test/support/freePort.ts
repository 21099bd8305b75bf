import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

/**
 * A port that nobody listens on, and that no other test is given while this process runs: between two starts of a server,
 * too. Not one of those that the system gives to outgoing connections: while a server is down, a client that tries to
 * reconnect could be given its port, or even meet itself there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    if ((await claim(port)) && (await canListen(port))) return port
  }
}

/**
 * Between a look at a port and the server that listens there, another process may look, too. The UDP port of the same
 * number is bound as a mark: the system gives it to one process only, and takes it back when that ends, however it ends.
 */
function claim(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const mark = createSocket('udp4')
    mark.unref()
    mark.once('error', () => {
      mark.close()
      resolve(false)
    })
    mark.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true))
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
