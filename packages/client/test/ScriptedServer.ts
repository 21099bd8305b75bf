import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import * as Y from 'yjs'

/** A frame from the client, as far as these tests look into it. */
export type Frame =
  | { type: 'step1' | 'step2' | 'update'; bytes: Uint8Array }
  | { type: 'awareness'; states: (Record<string, unknown> | null)[] }
  | { type: 'ask'; version: number }
  | { type: 'announcement' }
  | { type: 'message'; clientIDs: number[]; payload: string }
  | { type: 'other'; number: number }

/** What the server does without being told; a test switches off what it wants to do itself. */
export interface Manners {
  /** Sends its sync step 1 when the client's has come. */
  asks: boolean
  /** Answers the client's sync step 1. */
  answers: boolean
  /** Returns type 102. */
  acknowledges: boolean
  /** Says of each ephemeral message that it was passed on. */
  receipts: boolean
  /** Says what may be done to who announces itself again: that somebody is there. */
  isThere: boolean
  /** Passes updates and awareness on to the other connections. */
  relays: boolean
}

/** A server of bytes for one document: real sockets, and every step of its own can be held back. */
export class ScriptedServer {
  readonly ydoc = new Y.Doc()
  readonly manners: Manners = {
    asks: true,
    answers: true,
    acknowledges: true,
    receipts: true,
    isThere: true,
    relays: false,
  }
  readonly connections: ServerConnection[] = []
  readonly #sockets: WebSocketServer
  #news: (() => void)[] = []

  private constructor(sockets: WebSocketServer) {
    this.#sockets = sockets
    sockets.on('connection', (socket, request) => {
      const protocols = request.headers['sec-websocket-protocol'] ?? ''
      this.connections.push(new ServerConnection(this, socket, request.url ?? '', protocols))
      this.changed()
    })
  }

  static async start(port = 0): Promise<ScriptedServer> {
    const sockets = new WebSocketServer({ port, host: '127.0.0.1' })
    await once(sockets, 'listening')
    return new ScriptedServer(sockets)
  }

  get port(): number {
    return (this.#sockets.address() as AddressInfo).port
  }

  url(path = 'team/notes'): string {
    return `ws://127.0.0.1:${this.port}/${path}`
  }

  get text(): string {
    return this.ydoc.getText('t').toString()
  }

  /** The n-th connection from the first, as soon as there is one. */
  connection(index: number): Promise<ServerConnection> {
    return this.when(() => this.connections[index])
  }

  /** What `look` returns, as soon as it returns something. */
  async when<T>(look: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = look()
      if (found !== undefined && found !== false) return found
      await new Promise<void>(resolve => this.#news.push(resolve))
    }
  }

  /** Sends a client's frame to all others. */
  relay(from: ServerConnection, bytes: Uint8Array): void {
    for (const connection of this.connections) if (connection !== from && !connection.isClosed) connection.send(bytes)
  }

  changed(): void {
    const news = this.#news
    this.#news = []
    for (const tell of news) tell()
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate()
    await new Promise(resolve => this.#sockets.close(resolve))
  }
}

export class ServerConnection {
  readonly frames: Frame[] = []
  readonly url: string
  /** The subprotocols that it offered. */
  readonly protocols: string
  isClosed = false
  readonly #server: ScriptedServer
  readonly #socket: WebSocket

  constructor(server: ScriptedServer, socket: WebSocket, url: string, protocols: string) {
    this.#server = server
    this.#socket = socket
    this.url = url
    this.protocols = protocols
    socket.on('message', data => this.#receive(data))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      server.changed()
    })
  }

  /** Versions that the client has asked for. */
  get asks(): number[] {
    return this.frames.flatMap(frame => (frame.type === 'ask' ? [frame.version] : []))
  }

  /** The types of all frames so far, awareness left out. */
  get types(): string[] {
    return this.frames.filter(frame => frame.type !== 'awareness').map(frame => frame.type)
  }

  /** The n-th frame of a type from the first, as soon as it is there. */
  frame<Type extends Frame['type']>(type: Type, index = 0): Promise<Extract<Frame, { type: Type }>> {
    return this.#server.when(
      () => this.frames.filter(frame => frame.type === type)[index] as Extract<Frame, { type: Type }> | undefined,
    )
  }

  async closed(): Promise<void> {
    await this.#server.when(() => this.isClosed)
  }

  ask(): void {
    this.send(sync(0, Y.encodeStateVector(this.#server.ydoc)))
  }

  answer(stateVector?: Uint8Array): void {
    this.send(sync(1, Y.encodeStateAsUpdate(this.#server.ydoc, stateVector)))
  }

  update(update: Uint8Array): void {
    this.send(sync(2, update))
  }

  acknowledge(version: number): void {
    const inner = encoding.createEncoder()
    encoding.writeVarUint(inner, version)
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, 102)
    encoding.writeVarUint8Array(encoder, encoding.toUint8Array(inner))
    this.send(encoding.toUint8Array(encoder))
  }

  receipt(outcome: number): void {
    this.send(Uint8Array.of(111, 1, outcome))
  }

  send(bytes: Uint8Array | string): void {
    this.#socket.send(bytes)
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  /** The link breaks: no close frame. */
  cut(): void {
    this.#socket.terminate()
  }

  #receive(data: RawData): void {
    const { manners, ydoc } = this.#server
    const bytes = new Uint8Array(data as Buffer)
    const frame = decode(bytes)
    this.frames.push(frame)
    if (frame.type === 'step1') {
      if (manners.asks) this.ask()
      if (manners.answers) this.answer(frame.bytes)
    }
    if (frame.type === 'step2' || frame.type === 'update') {
      Y.applyUpdate(ydoc, frame.bytes)
      if (manners.relays) this.#server.relay(this, sync(2, frame.bytes))
    }
    if (frame.type === 'awareness' && manners.relays) this.#server.relay(this, bytes)
    if (frame.type === 'ask' && manners.acknowledges) this.acknowledge(frame.version)
    if (
      frame.type === 'announcement' &&
      manners.isThere &&
      this.types.filter(type => type === 'announcement').length > 1
    ) {
      this.send(Uint8Array.of(112, 10, ...new TextEncoder().encode('read-write')))
    }
    if (frame.type === 'message' && manners.receipts) this.receipt(0)
    this.#server.changed()
  }
}

function sync(type: number, body: Uint8Array): Uint8Array {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, 0)
  encoding.writeVarUint(encoder, type)
  encoding.writeVarUint8Array(encoder, body)
  return encoding.toUint8Array(encoder)
}

function decode(bytes: Uint8Array): Frame {
  const decoder = decoding.createDecoder(bytes)
  const number = decoding.readVarUint(decoder)
  if (number === 0) {
    const type = (['step1', 'step2', 'update'] as const)[decoding.readVarUint(decoder)] ?? 'update'
    return { type, bytes: decoding.readVarUint8Array(decoder) }
  }
  if (number === 1) {
    const body = decoding.createDecoder(decoding.readVarUint8Array(decoder))
    const states = Array.from({ length: decoding.readVarUint(body) }, () => {
      decoding.readVarUint(body)
      decoding.readVarUint(body)
      return JSON.parse(decoding.readVarString(body))
    })
    return { type: 'awareness', states }
  }
  if (number === 102) {
    const body = decoding.createDecoder(decoding.readVarUint8Array(decoder))
    return { type: 'ask', version: decoding.readVarUint(body) }
  }
  if (number !== 110) return { type: 'other', number }
  const body = decoding.createDecoder(decoding.readVarUint8Array(decoder))
  if (!decoding.hasContent(body)) return { type: 'announcement' }
  const clientIDs = Array.from({ length: decoding.readVarUint(body) }, () => decoding.readVarUint(body))
  return { type: 'message', clientIDs, payload: decoding.readVarString(body) }
}
