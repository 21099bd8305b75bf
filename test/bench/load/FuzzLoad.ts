import * as Y from 'yjs'
import { Random } from '../../crdt/Random.ts'
import { Replica } from '../../crdt/Replica.ts'
import { FIRST_HONEST_ID } from '../../fuzz/Material.ts'
import { StrangeFrames } from '../../fuzz/StrangeFrames.ts'
import { clientFrame, opcode } from '../../support/webSocketFrame.ts'
import { ByteReader } from './ByteReader.ts'
import { ByteWriter } from './ByteWriter.ts'
import type { Target } from './Client.ts'
import { RawSocket } from './RawSocket.ts'

const AT_ONCE = 8
const HONEST_EDITS = 200
const PROOF = Buffer.from('still there?')
const writer = new ByteWriter()
const update = (bytes: Uint8Array) => writer.clear().varUint(0).varUint(2).varBytes(bytes).take()

export interface FuzzReport {
  readonly frames: number
  readonly connections: number
  /** How connections ended, and how often: `open` where they did nothing for which they had to. */
  readonly ends: Readonly<Record<string, number>>
}

/** Strangers whose messages break the rules: those of the tests, one connection after the other, eight at once. */
export class FuzzLoad {
  readonly #replica = new Replica(FIRST_HONEST_ID)

  /** Somebody honest writes what the strangers' messages are about, and follows what becomes of it. */
  async write(target: Target, document: string, seed: number): Promise<void> {
    const { doc } = this.#replica
    const socket = new RawSocket(target.port, `/${document}`, {
      message: payload => {
        const reader = new ByteReader(payload)
        if (reader.varUint() !== 0 || reader.varUint() === 0) return
        this.#replica.apply(new Uint8Array(reader.varBytes()))
      },
      ended: () => {},
    })
    await socket.opened
    doc.on('update', (bytes: Uint8Array, origin: unknown) => {
      if (origin !== 'remote') socket.send(update(bytes))
    })
    socket.send(writer.clear().varUint(0).varUint(0).varBytes(Y.encodeStateVector(doc)).take())
    const random = new Random(seed)
    for (let count = 0; count < HONEST_EDITS; count++) this.#replica.edit(random)
  }

  /** @param frames that are sent at least */
  async run(target: Target, document: string, frames: number, seed: number): Promise<FuzzReport> {
    const random = new Random(seed)
    const ends = new Map<string, number>()
    let [sent, connections] = [0, 0]
    const play = async () => {
      while (sent < frames) {
        const plan = { documents: [document], tokens: ['', ''], known: () => this.#replica.doc }
        const said = new StrangeFrames(new Random(random.below(2 ** 31)), plan)
        sent += said.frames.length
        connections++
        const end = await speak(target, said)
        ends.set(end, (ends.get(end) ?? 0) + 1)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, play))
    return { frames: sent, connections, ends: Object.fromEntries([...ends].sort()) }
  }
}

/** @returns how it ended, once all was heard */
function speak({ port }: Target, { target, subprotocol, frames, isCutOff }: StrangeFrames): Promise<string> {
  return new Promise(resolve => {
    const end = (how: string) => {
      socket.destroy()
      resolve(how)
    }
    const ended = (reason: string) => end(/^closed with \d+/u.exec(reason)?.[0] ?? 'gone')
    const socket = new RawSocket(
      port,
      target,
      { message: () => {}, pong: () => end('open'), ended },
      subprotocol === null ? {} : { subprotocol },
    )
    socket.opened.then(
      () => {
        socket.sendRaw(Buffer.concat([...frames, ...(isCutOff ? [] : [clientFrame(opcode.ping, PROOF)])]))
        if (isCutOff) setImmediate(() => end('cut off'))
      },
      // `ended` was told why.
      () => {},
    )
  })
}
