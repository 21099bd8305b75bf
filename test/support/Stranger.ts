// A client as a stranger would write it who has read PROTOCOL.md and nothing else: it shares no code with packages/.
import { type RawData, WebSocket } from 'ws'
import * as Y from 'yjs'

const SYNC = 0
const AWARENESS = 1
const DENIED = 2
const ACK = 102
const EPHEMERAL = 110

// ── varUint, buffer ────────────────────────────────────────────────────────────────────────────────────────────────────

function varUint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}

function buffer(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from(varUint(bytes.length)), bytes])
}

class Reader {
  #at = 0
  readonly #bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  varUint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new Error('the message ends too early')
      value += (byte % 128) * factor
      if (byte < 128) return value
    }
  }

  buffer(): Uint8Array {
    const length = this.varUint()
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

// ── the client ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A document on a server: edits go both ways, it comes back by itself, and knows what is safe. */
export class Stranger {
  readonly doc = new Y.Doc()
  /** JSON of the others who are here, by client id. */
  readonly others = new Map<number, string>()
  /** Messages that came, and from which client id. */
  readonly heard: { from: number | null; payload: string }[] = []
  /** The close code after which it doesn't come back. */
  final: number | null = null
  isSynced = false
  readonly #url: string
  #socket: WebSocket | null = null
  #clock = 0
  #state = 'null'
  /** Edits so far, and those of which the server has said that they are on disk. */
  #made = 0
  #saved = 0
  #waiters: { upTo: number; resolve: () => void }[] = []
  #hasAnswered = false
  #pause = 50
  #isOver = false

  /** @param url server and document: `ws://host:9091/team/notes` */
  constructor(url: string) {
    this.#url = url
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === this) return
      this.#made++
      this.#send(SYNC, [2], update)
      this.#askAck()
    })
    this.#connect()
  }

  /** Resolves when all edits up to now are on the server's disk. */
  saved(): Promise<void> {
    const upTo = this.#made
    return new Promise(resolve => {
      if (this.#saved >= upTo) resolve()
      else this.#waiters.push({ upTo, resolve })
    })
  }

  /** Shows a state to the others. */
  show(state: object): void {
    this.#state = JSON.stringify(state)
    this.#clock++
    this.#sendAwareness()
  }

  /** Sends a string to everybody else who is here. */
  say(payload: string): void {
    this.#send(EPHEMERAL, [], Buffer.concat([Uint8Array.of(0), buffer(Buffer.from(payload))]))
  }

  leave(): void {
    this.#isOver = true
    this.#socket?.close(1000)
  }

  #connect(): void {
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    this.#hasAnswered = false
    socket.on('open', () => {
      this.#send(SYNC, [0], Y.encodeStateVector(this.doc))
      if (this.#clock > 0) this.#sendAwareness()
      this.#send(EPHEMERAL, [], new Uint8Array())
    })
    socket.on('message', data => this.#receive(new Reader(new Uint8Array(data as RawData & ArrayBuffer))))
    socket.on('error', () => {})
    socket.on('close', code => {
      this.isSynced = false
      if (code >= 4400 && code < 4500) this.final = code
      if (this.#isOver || this.final !== null) return
      setTimeout(() => this.#connect(), this.#pause)
      this.#pause = Math.min(this.#pause * 2, 1000)
    })
  }

  #send(type: number, head: number[], body: Uint8Array): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return
    this.#socket.send(Buffer.concat([Uint8Array.from([...varUint(type), ...head]), buffer(body)]))
  }

  // Before the first sync step 2 of a connection it would come back late: what was made offline is in there.
  #askAck(): void {
    if (this.#hasAnswered) this.#send(ACK, [], Uint8Array.from(varUint(this.#made)))
  }

  #sendAwareness(): void {
    const entry = Buffer.concat([
      Uint8Array.from([1, ...varUint(this.doc.clientID), ...varUint(this.#clock)]),
      buffer(Buffer.from(this.#state)),
    ])
    this.#send(AWARENESS, [], entry)
  }

  #receive(message: Reader): void {
    const type = message.varUint()
    if (type === SYNC) this.#receiveSync(message.varUint(), message.buffer())
    else if (type === AWARENESS) this.#receiveAwareness(new Reader(message.buffer()))
    else if (type === ACK) this.#receiveAck(new Reader(message.buffer()).varUint())
    else if (type === EPHEMERAL) this.#hear(new Reader(message.buffer()))
    else if (type === DENIED) console.error('denied')
  }

  #receiveSync(step: number, body: Uint8Array): void {
    if (step === 0) {
      this.#send(SYNC, [1], Y.encodeStateAsUpdate(this.doc, body))
      this.#hasAnswered = true
      this.#askAck()
      return
    }
    Y.applyUpdate(this.doc, body, this)
    if (step === 1) {
      this.isSynced = true
      this.#pause = 50
    }
  }

  #receiveAwareness(payload: Reader): void {
    for (let count = payload.varUint(); count > 0; count--) {
      const clientID = payload.varUint()
      const clock = payload.varUint()
      const json = Buffer.from(payload.buffer()).toString()
      if (clientID === this.doc.clientID) {
        // Somebody thinks that we have left.
        if (json === 'null' && this.#state !== 'null') {
          this.#clock = clock + 1
          this.#sendAwareness()
        }
      } else if (json === 'null') this.others.delete(clientID)
      else this.others.set(clientID, json)
    }
  }

  #hear(body: Reader): void {
    const from = body.varUint() === 0 ? null : body.varUint()
    this.heard.push({ from, payload: Buffer.from(body.buffer()).toString() })
  }

  #receiveAck(upTo: number): void {
    this.#saved = Math.max(this.#saved, upTo)
    for (const { resolve } of this.#waiters.filter(waiter => waiter.upTo <= this.#saved)) resolve()
    this.#waiters = this.#waiters.filter(waiter => waiter.upTo > this.#saved)
  }
}
