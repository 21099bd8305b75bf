import type * as Y from 'yjs'
import type { Random } from '../crdt/Random.ts'
import { clientFrame, closePayload, type FrameOptions, opcode } from '../support/webSocketFrame.ts'
import { encodeFields, mutateBytes, mutateFields } from './fields.ts'
import { FIRST_HONEST_ID, Material } from './Material.ts'
import { type DialectName, messageFields, messageNames, type Speaker } from './messageFields.ts'

/** Frames that one connection sends at most, after its first ones. */
const MAX_FRAMES = 24
const dialects: readonly DialectName[] = ['y-websocket', 'hocuspocus', 'multiplex']

export interface FramesPlan {
  /** One of these is said to be meant. */
  readonly documents: readonly string[]
  /** The first two are none. */
  readonly tokens: readonly string[]
  /** What the strangers know of the document. */
  readonly known: () => Y.Doc
}

/** What one connection says in frames of which some break the rules, in one dialect: of WebSocket, of the protocol, of updates. */
export class StrangeFrames {
  readonly dialect: DialectName
  readonly frames: Buffer[] = []
  /** Of its upgrade request. */
  readonly target: string
  /** In the middle of a frame, maybe: the server would wait for the rest. */
  #isCutOff = false
  /** Whether a close frame was among what it sent, or may have been. */
  #mayEcho = false

  constructor(random: Random, { documents, tokens, known }: FramesPlan) {
    this.dialect = random.pick(dialects)
    const documentId = random.pick(documents)
    const token = random.pick([...tokens.slice(0, 2), ...tokens.slice(2), ...tokens.slice(2)])
    this.target = `/${documentId}${token === '' ? '' : `?token=${token}`}`
    const speaker: Speaker = {
      random,
      material: new Material(known, random),
      clientID: 5000 + random.below(1000),
      others: [FIRST_HONEST_ID],
      tokens,
      addresses: [documentId, documentId, `${documentId}\0tab`, '../a', ''],
    }
    for (const name of this.dialect === 'y-websocket' ? ['step1'] : ['token', 'step1']) {
      this.frames.push(clientFrame(opcode.binary, encodeFields(messageFields(this.dialect, name, speaker, false))))
    }
    for (let count = random.below(MAX_FRAMES); count > 0; count--) this.frames.push(...this.#frame(speaker))
    if (random.chance(0.1)) {
      this.#isCutOff = true
      const last = this.frames.pop() ?? Buffer.alloc(0)
      this.frames.push(last.subarray(0, random.below(last.length)))
    }
  }

  get isCutOff(): boolean {
    return this.#isCutOff
  }

  get mayEcho(): boolean {
    return this.#mayEcho
  }

  get subprotocol(): string | null {
    return this.dialect === 'multiplex' ? 'weft.multiplex' : null
  }

  describe(): string {
    return this.frames
      .slice(-3)
      .map(frame => frame.subarray(0, 200).toString('hex'))
      .join(' ')
  }

  #frame(speaker: Speaker): Buffer[] {
    const { random } = speaker
    switch (random.below(150)) {
      case 0:
        return [clientFrame(opcode.text, Buffer.from(random.pick(['text', '', '{}'])))]
      case 1:
        this.#mayEcho = true
        return [clientFrame(random.below(16), this.#message(speaker))]
      case 2: {
        const broken = this.#brokenHead(random)
        this.#isCutOff ||= broken.length !== undefined
        return [clientFrame(opcode.binary, this.#message(speaker), broken)]
      }
      case 3:
        return this.#fragments(this.#message(speaker), random)
      case 4:
        return [clientFrame(random.pick([opcode.ping, opcode.pong]), Buffer.alloc(random.pick([0, 5, 125, 126])))]
      case 5: {
        const code = random.pick([1000, 1001, 1005, 1006, 1012, 3000, 4400, 4999, 5000, 0])
        this.#mayEcho = true
        const reason = random.pick([Buffer.alloc(0), Buffer.from('bye'), Uint8Array.of(0xff), Buffer.alloc(123, 97)])
        return [clientFrame(opcode.close, random.chance(0.2) ? Uint8Array.of(3) : closePayload(code, reason))]
      }
      case 6:
        this.#mayEcho = true
        this.#isCutOff = true
        return [Buffer.from(mutateBytes(clientFrame(opcode.binary, this.#message(speaker)), random))]
      default:
        return [clientFrame(opcode.binary, this.#message(speaker))]
    }
  }

  #message(speaker: Speaker): Uint8Array {
    const { random } = speaker
    const isMutated = random.chance(0.3)
    const fields = messageFields(this.dialect, random.pick(messageNames(this.dialect)), speaker, isMutated)
    return isMutated ? mutateFields(fields, random) : encodeFields(fields)
  }

  #brokenHead(random: Random): FrameOptions {
    return random.pick<FrameOptions>([
      { mask: null },
      { rsv: 1 + random.below(7) },
      { length: random.below(200), lengthBits: 16 },
      { length: 2n ** 63n - 1n, lengthBits: 64 },
      { length: 64 << 20, lengthBits: 64 },
      { fin: false },
    ])
  }

  #fragments(message: Uint8Array, random: Random): Buffer[] {
    const parts: Buffer[] = []
    for (let at = 0; at < message.length || parts.length === 0; ) {
      const end = Math.min(message.length, at + 1 + random.below(20))
      const fin = end === message.length && random.chance(0.9)
      parts.push(clientFrame(at === 0 ? opcode.binary : opcode.continuation, message.subarray(at, end), { fin }))
      if (random.chance(0.1)) parts.push(clientFrame(opcode.ping, Buffer.from('between')))
      at = Math.max(end, 1)
    }
    return parts
  }
}
