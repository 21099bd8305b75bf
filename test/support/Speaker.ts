import {
  decodeAwareness,
  decodeMessage,
  encodeAddress,
  encodeAwareness,
  encodeAwarenessEntries,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
  encodeToken as encodeWeftToken,
  MULTIPLEX_SUBPROTOCOL,
} from '@weft/protocol'
import * as decoding from 'lib0/decoding'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { eventually, within } from './eventually.ts'
import { NO_UPDATE, NOTHING } from './RawClient.ts'
import { encodeToken } from './RawProvider.ts'
import type { ServerProcess } from './ServerProcess.ts'

export const dialects = ['y-websocket', 'multiplex', 'hocuspocus'] as const
export type SpokenDialect = (typeof dialects)[number]

/** A client of any dialect, in the words that all of them have: for what must be the same in each. */
export class Speaker {
  readonly dialect: SpokenDialect
  readonly updates: Uint8Array[] = []
  /** States of awareness, the last one by client id. */
  readonly states = new Map<number, unknown>()
  /** Strings that aren't edits. */
  readonly messages: string[] = []
  /** What it may do, as it was told: `read-only` or `read-write`. */
  readonly accesses: string[] = []
  /** Edits that were refused. */
  refusals = 0
  /** Sync steps 1 and 2 that came. */
  readonly steps = [0, 0]
  /** Why its session ended: `word: text`; null: it goes on. */
  ended: string | null = null
  readonly #socket: WebSocket
  readonly #address: Uint8Array

  private constructor(dialect: SpokenDialect, socket: WebSocket, address: Uint8Array) {
    this.dialect = dialect
    this.#socket = socket
    this.#address = address
    socket.on('message', (data: Buffer) => this.#receive(new Uint8Array(data)))
    socket.on('close', (_code, reason) => {
      this.ended ??= reason.toString()
    })
  }

  /**
   * Connects with a token, and joins, unless it is refused.
   * @param document its name; its address in the dialects that have one
   * @param update what it brings along
   */
  static async join(
    server: ServerProcess,
    dialect: SpokenDialect,
    document: string,
    token: string | null,
    { update = NO_UPDATE, path = '' }: { update?: Uint8Array; path?: string } = {},
  ): Promise<Speaker> {
    const isPlain = dialect === 'y-websocket'
    const url = isPlain ? `${server.socketUrl}/${path || encodeURI(document)}` : server.socketUrl
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` }
    const protocols = dialect === 'multiplex' ? [MULTIPLEX_SUBPROTOCOL] : []
    const socket = new WebSocket(url, protocols, isPlain ? { headers } : {})
    onTestFinished(() => socket.terminate())
    await within('a connection', new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)))
    const speaker = new Speaker(dialect, socket, isPlain ? new Uint8Array() : encodeAddress(document))
    if (!isPlain) speaker.giveToken(token ?? '')
    speaker.say(encodeSyncStep1(NOTHING))
    // Asks to be told what it may do; Hocuspocus' providers are told by themselves.
    if (dialect !== 'hocuspocus') speaker.say(Uint8Array.of(110, 0))
    speaker.say(encodeSyncStep2(update))
    await eventually(`a beginning in ${document}`, () => speaker.steps[1] === 1 || speaker.ended !== null)
    return speaker
  }

  say(message: Uint8Array): void {
    this.#socket.send(Buffer.concat([this.#address, message]))
  }

  giveToken(token: string): void {
    this.say(this.dialect === 'hocuspocus' ? encodeToken(token) : encodeWeftToken(token))
  }

  edit(update: Uint8Array): void {
    this.say(encodeUpdate(update))
  }

  showState(clientID: number, clock: number, state: unknown): void {
    const json = new TextEncoder().encode(JSON.stringify(state))
    this.say(encodeAwareness(encodeAwarenessEntries([{ clientID, clock, json }])))
  }

  cut(): void {
    this.#socket.terminate()
  }

  #receive(frame: Uint8Array): void {
    const message = frame.subarray(this.#address.length)
    if (this.dialect !== 'y-websocket' && Buffer.compare(frame.subarray(0, this.#address.length), this.#address) !== 0)
      return
    if (this.dialect === 'hocuspocus' && this.#receiveOfHocuspocus(message)) return
    const decoded = decodeMessage(message)
    switch (decoded.type) {
      case 'syncStep1':
        this.steps[0] = (this.steps[0] ?? 0) + 1
        return
      case 'syncStep2':
        this.updates.push(decoded.update)
        this.steps[1] = (this.steps[1] ?? 0) + 1
        return
      case 'update':
        this.updates.push(decoded.update)
        return
      case 'awareness':
        for (const { clientID, json } of decodeAwareness(decoded.payload))
          this.states.set(clientID, JSON.parse(new TextDecoder().decode(json)))
        return
      case 'access':
        this.accesses.push(decoded.access)
        return
      case 'ephemeral':
        this.messages.push(decoded.payload)
        return
      case 'permissionDenied':
        this.refusals++
        return
      case 'closed':
        this.ended ??= decoded.reason
    }
  }

  /** @returns whether it was a message that only this dialect has */
  #receiveOfHocuspocus(message: Uint8Array): boolean {
    const [type = -1, kind = -1] = message
    if (type < 2) return false
    const text = () => decoding.readVarString(decoding.createDecoder(message.subarray(type === 2 ? 2 : 1)))
    if (type === 2 && kind === 2) this.accesses.push(text() === 'readonly' ? 'read-only' : 'read-write')
    else if (type === 2 || type === 7) this.ended ??= text()
    else if (type === 8 && kind === 0) this.refusals++
    return true
  }
}
