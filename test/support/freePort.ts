import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

const FIRST = 12_000
const COUNT = 9_000

/**
 * A port that nobody listens on, and that no other test is given while this process runs: between two starts of a server,
 * too. Not one of those that the system gives to outgoing connections: while a server is down, a client that tries to
 * reconnect could be given its port, or even meet itself there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if ((await mark(port)) && (await canListen(port))) return port
  }
}

/**
 * Between a look at a port and the server that listens there, another process may look, too. So a UDP port that stands for it is
 * bound: the system gives it to one process only, and takes it back when that ends, however it ends. Not the one of the same number,
 * which a server of HTTP/3 needs.
 */
function mark(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    socket.unref()
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port: port + COUNT, address: '127.0.0.1', exclusive: true }, () => resolve(true))
  })
}

function canListen(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(true)))
  })
}
