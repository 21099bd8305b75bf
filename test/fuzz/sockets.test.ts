import { closeCode, parseCloseReason } from '@weft/protocol'
import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { Random } from '../crdt/Random.ts'
import { Replica } from '../crdt/Replica.ts'
import { fuzzTimeoutMs, rounds } from '../rounds.ts'
import { RawClient, updateOf } from '../support/RawClient.ts'
import { sharedServer } from '../support/testServer.ts'
import { asksForTokens, tokenFor } from '../support/tokens.ts'
import { WireSocket } from '../support/WireSocket.ts'
import { opcode } from '../support/webSocketFrame.ts'
import { FIRST_HONEST_ID } from './Material.ts'
import { StrangeFrames } from './StrangeFrames.ts'

const given = process.env.WEFT_TEST_SEED
const SEED = given === undefined ? 20_261_130 : Number(given)
const AT_ONCE = 8
const PROOF = Buffer.from('still there?')

const documents = ['fuzzed/one', 'fuzzed/two']
/** What `ws` says by itself, without a reason. */
const BARE_CODES = new Set([1002, 1007, 1008, 1009])

const server = sharedServer(asksForTokens)

it(
  `[threat C1] [threat K3] changed frames of all kinds end no more than their connection (${rounds.fuzzedFrames}, seed ${SEED})`,
  async () => {
    const random = new Random(SEED)
    const honest = await HonestClient.join(documents[0] ?? '')
    const tokens = ['', 'none', await tokenFor('viewer', { sub: 'eve' }), await tokenFor('editor', { sub: 'eve' })]
    const codes = new Map<string, number>()
    let frames = 0
    const one = async (seed: number) => {
      const own = new Random(seed)
      const said = new StrangeFrames(own, { documents, tokens, known: () => honest.doc })
      frames += said.frames.length
      const close = await new WireStranger(said).run().catch(error => {
        throw new Error(`seed ${seed}, ${said.dialect}, sent ${said.describe()}: ${error.message}`)
      })
      codes.set(close, (codes.get(close) ?? 0) + 1)
    }
    while (frames < rounds.fuzzedFrames) {
      await Promise.all(Array.from({ length: AT_ONCE }, () => one(random.below(2 ** 31))))
      if (random.chance(0.2)) await honest.edit(random)
    }
    await honest.edit(random)
    expect(await honest.isWhole()).toBe(true)
    // The third within a minute: on a crowded machine chance brings none.
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(`${server().socketUrl}/fuzzed/three?token=${tokens[3]}`)
      client.send(Uint8Array.of(0, 3))
      const { code, reason } = await client.closed
      codes.set(`${code} ${parseCloseReason(reason).word}`, 1)
    }
    // Some stay, and the others are ended in many ways.
    for (const end of ['open', 'cut off', '1002', '1003 text', '4400 repeatedly-malformed', '4401 unauthorized'])
      expect([end, codes.has(end)]).toEqual([end, true])
    expect(server().output).not.toMatch(/uncaught|unhandled|"level":(50|60)/i)
  },
  fuzzTimeoutMs,
)

/** Writes in a document, and must keep all of it, whoever else is there. */
class HonestClient {
  readonly #documentId: string
  readonly #client: RawClient
  readonly #replica = new Replica(FIRST_HONEST_ID)
  #acks = 0

  private constructor(documentId: string, client: RawClient) {
    this.#documentId = documentId
    this.#client = client
    client.onMessage(message => {
      const update = updateOf(message)
      if (update !== null) this.#replica.apply(update)
    })
    this.#replica.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'remote') client.update(update)
    })
  }

  static async join(documentId: string): Promise<HonestClient> {
    const client = await RawClient.connect(await urlOf(documentId))
    const honest = new HonestClient(documentId, client)
    client.ask()
    await client.next('syncStep1')
    client.answer()
    await client.next('syncStep2')
    await honest.edit(new Random(SEED))
    return honest
  }

  get doc(): Y.Doc {
    return this.#replica.doc
  }

  /** Writes, and waits until that is on disk. */
  async edit(random: Random): Promise<void> {
    for (let count = 0; count < 3; count++) this.#replica.edit(random)
    this.#client.askAck(++this.#acks)
    await this.#client.nextAck(this.#acks)
  }

  /** Whether somebody who comes now gets all that it has. */
  async isWhole(): Promise<boolean> {
    const joined = await RawClient.connect(await urlOf(this.#documentId))
    joined.ask()
    await joined.next('syncStep2')
    const doc = new Y.Doc()
    for (const update of joined.received.map(updateOf)) if (update !== null) Y.applyUpdate(doc, update)
    joined.cut()
    const known = Y.decodeStateVector(Y.encodeStateVector(doc))
    return [...Y.decodeStateVector(Y.encodeStateVector(this.doc))].every(([id, clock]) => (known.get(id) ?? 0) >= clock)
  }
}

async function urlOf(documentId: string): Promise<string> {
  return `${server().socketUrl}/${documentId}?token=${await tokenFor('editor', { sub: 'honest' })}`
}

/** One connection that speaks in frames, and breaks them. */
class WireStranger {
  readonly said: StrangeFrames

  constructor(said: StrangeFrames) {
    this.said = said
  }

  /** @returns how it ended: `open`, `cut off`, or the close code and the first word of its reason */
  async run(): Promise<string> {
    const { subprotocol, target, frames, isCutOff } = this.said
    const headers = subprotocol === null ? undefined : { 'Sec-WebSocket-Protocol': subprotocol }
    const wire = await WireSocket.upgrade(server(), target, headers)
    wire.write(...frames)
    if (isCutOff) {
      // Without a goodbye.
      await new Promise<void>(resolve => wire.socket.end(resolve))
      wire.socket.destroy()
      return 'cut off'
    }
    wire.send(opcode.ping, PROOF)
    try {
      return await this.#end(wire)
    } finally {
      wire.socket.destroy()
    }
  }

  async #end(wire: WireSocket): Promise<string> {
    for (;;) {
      const frame = await wire.nextFrame().catch((error: Error) => {
        if (error.message.startsWith('the stream ended')) return null
        throw error
      })
      if (frame === null) return 'gone'
      if (frame.isMasked || frame.rsv !== 0 || !frame.fin) throw new Error('the server sends a frame that is none')
      if (frame.opcode === opcode.pong && frame.payload.equals(PROOF)) return 'open'
      if (frame.opcode === opcode.close) return this.#readClose(frame.payload)
      if (![opcode.binary, opcode.ping, opcode.pong].includes(frame.opcode as 2)) {
        throw new Error(`the server sends a frame of type ${frame.opcode}`)
      }
    }
  }

  #readClose(payload: Buffer): string {
    if (payload.length === 0) return 'none'
    const code = payload.readUInt16BE(0)
    const reason = payload.toString('utf8', 2)
    // `ws` returns the code and the reason of a client's close frame.
    if (this.said.mayEcho || (reason === '' && BARE_CODES.has(code))) return String(code)
    const { word, text } = parseCloseReason(reason)
    const isKnown = Object.values(closeCode).some(known => known.code === code && known.word === word)
    if (!isKnown || text === '' || code === 1011) throw new Error(`the server closes with ${code} ${reason}`)
    return `${code} ${word}`
  }
}
