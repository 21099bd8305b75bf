import { encodeAddress } from '@weft/protocol'
import * as decoding from 'lib0/decoding'
import { onTestFinished } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { eventually, within } from './eventually.ts'
import type { ServerProcess } from './ServerProcess.ts'

/** A Hocuspocus provider made of bytes: what comes, in order, as `type` or `status 1`. */
export class RawProvider {
  readonly heard: string[] = []
  /** What auth and close messages said: reasons of denials, and scopes. */
  readonly texts: string[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #socket: WebSocket
  readonly #address: string

  private constructor(socket: WebSocket, address: string) {
    this.#socket = socket
    this.#address = address
    socket.on('message', (data: Buffer) => this.#receive(new Uint8Array(data)))
    this.closed = new Promise(resolve =>
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    )
  }

  /** As `open`, and cut off after the test. */
  static async connect(...args: Parameters<typeof RawProvider.open>): Promise<RawProvider> {
    const provider = await RawProvider.open(...args)
    onTestFinished(() => provider.cut())
    return provider
  }

  /** @param path of the URL, which doesn't matter but for its query */
  static async open(
    server: ServerProcess,
    address: string,
    path = '',
    options: ClientOptions = {},
    protocols: string[] = [],
  ): Promise<RawProvider> {
    const socket = new WebSocket(`${server.socketUrl}${path}`, protocols, options)
    await within('a connection', new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)))
    return new RawProvider(socket, address)
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  send(message: Uint8Array, address = this.#address): void {
    this.#socket.send(Buffer.concat([encodeAddress(address), message]))
  }

  cut(): void {
    this.#socket.terminate()
  }

  raw(bytes: Uint8Array): void {
    this.#socket.send(bytes)
  }

  count(what: string): number {
    return this.heard.filter(heard => heard === what).length
  }

  async hears(what: string, times = 1): Promise<void> {
    await eventually(`${what} × ${times} in ${this.heard.join(', ')}`, () => this.count(what) >= times)
  }

  #receive(frame: Uint8Array): void {
    const prefix = encodeAddress(this.#address)
    if (Buffer.compare(frame.subarray(0, prefix.length), prefix) !== 0) {
      this.heard.push(`elsewhere ${[...frame]}`)
      return
    }
    const message = frame.subarray(prefix.length)
    const [type = -1, second = -1] = message
    if (type === 2) this.texts.push(decoding.readVarString(decoding.createDecoder(message.subarray(2))))
    this.heard.push(nameOf(type, second))
  }
}

function nameOf(type: number, second: number): string {
  if (type === 0) return ['step 1', 'step 2', 'update'][second] ?? 'sync ?'
  if (type === 2) return ['?', 'denied', 'authenticated'][second] ?? 'auth ?'
  return { 1: 'awareness', 5: 'stateless', 7: 'closed', 8: `status ${second}` }[type] ?? `type ${type}`
}

/** Auth as provider 4 sends it: a token, and its version. */
export function encodeToken(token: string): Uint8Array {
  const text = Buffer.from(token)
  const length: number[] = []
  for (let rest = text.length; ; rest >>= 7) {
    length.push(rest < 128 ? rest : (rest & 127) | 128)
    if (rest < 128) break
  }
  return Buffer.concat([Uint8Array.of(2, 0, ...length), text, Uint8Array.of(5), Buffer.from('4.8.0')])
}
