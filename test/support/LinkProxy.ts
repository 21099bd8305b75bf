import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

export type Direction = 'toServer' | 'toClient'

/** One way of a link: bytes arrive in order, late, or not at all. */
interface Way {
  delayMs: number
  isStalled: boolean
  /** Bytes until the cut; null: none is planned. */
  cutAfter: number | null
  bytes: number
}

/** A link between clients and a server that can be slow, stand still, break at any byte, or be dead without telling. */
export class LinkProxy {
  readonly #server: Server
  readonly #ways: Record<Direction, Way> = { toServer: newWay(), toClient: newWay() }
  readonly #pairs = new Set<Pair>()
  #connections = 0
  #isRefusing = false

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(targetPort: number): Promise<LinkProxy> {
    const server = createServer({ pauseOnConnect: false })
    const proxy = new LinkProxy(server)
    server.on('connection', socket => proxy.#accept(socket, targetPort))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  /** Connections so far. */
  get connectionCount(): number {
    return this.#connections
  }

  /** Bytes so far, in one direction, over all connections. */
  bytes(direction: Direction): number {
    return this.#ways[direction].bytes
  }

  /** Everything takes so long, in ms, each way. */
  delay(toServer: number, toClient: number): void {
    this.#ways.toServer.delayMs = toServer
    this.#ways.toClient.delayMs = toClient
  }

  /** Nothing arrives any more in this direction; what is sent waits. */
  stall(direction: Direction): void {
    this.#ways[direction].isStalled = true
  }

  /** What waits arrives, and what follows. */
  release(direction: Direction): void {
    this.#ways[direction].isStalled = false
    for (const pair of this.#pairs) pair.flush(direction)
  }

  /** After so many more bytes in this direction, wherever in a frame that is, both sides lose the connection. */
  cutAfter(direction: Direction, bytes: number): void {
    this.#ways[direction].cutAfter = bytes
  }

  /** All connections are lost, for both sides. */
  cut(): void {
    for (const pair of this.#pairs) pair.destroy()
  }

  /** The server loses all connections, and no client is told. */
  halfOpen(): void {
    for (const pair of this.#pairs) pair.abandon()
  }

  /** New connections are refused, or accepted again. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  async stop(): Promise<void> {
    for (const pair of this.#pairs) pair.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #accept(client: Socket, targetPort: number): void {
    if (this.#isRefusing) {
      client.on('error', () => {})
      client.destroy()
      return
    }
    this.#connections++
    const pair = new Pair(client, connect(targetPort, '127.0.0.1'), this.#ways, () => this.#pairs.delete(pair))
    this.#pairs.add(pair)
  }
}

function newWay(): Way {
  return { delayMs: 0, isStalled: false, cutAfter: null, bytes: 0 }
}

class Pair {
  readonly #sockets: Record<Direction, Socket>
  readonly #ways: Readonly<Record<Direction, Way>>
  readonly #queues: Record<Direction, { at: number; bytes: Buffer | null }[]> = { toServer: [], toClient: [] }
  readonly #ended: () => void
  #isAbandoned = false

  constructor(client: Socket, server: Socket, ways: Readonly<Record<Direction, Way>>, ended: () => void) {
    this.#sockets = { toServer: server, toClient: client }
    this.#ways = ways
    this.#ended = ended
    client.setNoDelay(true)
    server.setNoDelay(true)
    for (const [socket, direction] of [
      [client, 'toServer'],
      [server, 'toClient'],
    ] as const) {
      socket.on('data', bytes => this.#push(direction, bytes))
      socket.on('end', () => this.#push(direction, null))
      socket.on('error', () => this.destroy())
      socket.on('close', () => {
        if (!this.#isAbandoned) this.#push(direction, null)
      })
    }
  }

  /** @param bytes null: the end */
  #push(direction: Direction, bytes: Buffer | null): void {
    const way = this.#ways[direction]
    this.#queues[direction].push({ at: performance.now() + way.delayMs, bytes })
    if (way.delayMs === 0) this.flush(direction)
    else setTimeout(() => this.flush(direction), way.delayMs)
  }

  /** Hands on what is due. */
  flush(direction: Direction): void {
    const way = this.#ways[direction]
    const queue = this.#queues[direction]
    // A timer may fire a fraction of a millisecond early.
    const now = performance.now() + 1
    while (!way.isStalled && !this.#isAbandoned) {
      const next = queue[0]
      if (next === undefined || next.at > now) return
      queue.shift()
      if (next.bytes === null) {
        this.#sockets[direction].end()
        continue
      }
      let { bytes } = next
      const isLast = way.cutAfter !== null && bytes.length >= way.cutAfter
      if (way.cutAfter !== null) {
        bytes = bytes.subarray(0, way.cutAfter)
        way.cutAfter -= bytes.length
      }
      way.bytes += bytes.length
      this.#sockets[direction].write(bytes)
      if (isLast) {
        way.cutAfter = null
        // What came up to here still arrives.
        for (const socket of Object.values(this.#sockets)) socket.destroySoon()
        this.#ended()
        return
      }
    }
  }

  abandon(): void {
    this.#isAbandoned = true
    this.#sockets.toServer.destroy()
  }

  destroy(): void {
    for (const socket of Object.values(this.#sockets)) socket.destroy()
    this.#ended()
  }
}
