import {
  decodeAddressedFrame,
  decodeAwareness,
  decodeHocuspocusFrame,
  decodeMessage,
  type HocuspocusMessage,
  type Message,
  messageType,
} from '@weft/protocol'
import { readUpdate } from '../../server/src/crdt/readUpdate.ts'
import { NO_LIMITS } from '../../server/src/crdt/UpdateLimits.ts'
import { checkAnswer, checkClose, type Said } from './checkAnswer.ts'
import { encodeFields, mutateFields } from './fields.ts'
import { FIRST_HONEST_ID } from './Material.ts'
import { type DialectName, messageFields, messageNames, type Speaker } from './messageFields.ts'
import type { SpokenHost, SpokenSocket } from './SpokenSocket.ts'

export const strangerStates = [
  'before the first frame',
  'token asked for',
  'loading',
  'handshaking',
  'joined',
  'reader',
  'slow',
  'leaving',
  'document deleted',
] as const
export type StrangerState = (typeof strangerStates)[number]

/** A message that was said. */
export interface Spoken {
  readonly name: string
  readonly isMutated: boolean
}

/** Beyond so much that isn't read, the server of these tests writes no more. */
const SLOW_BYTES = 2000

export interface StrangerOptions {
  readonly dialect: DialectName
  /** null: none that is taken, where one is asked for. */
  readonly role: string | null
  readonly clientID: number
  readonly addresses: readonly string[]
  /** Whether it tries to write as an honest client. Without users nothing tells the two apart, and the first one wins. */
  readonly mayForge: boolean
}

/** A client that speaks the grammar of its dialect, and breaks it. What it hears is held to the protocol. */
export class SpeakingStranger {
  readonly dialect: DialectName
  readonly problems: Error[] = []
  /** Whether a document of it was deleted while it was there. */
  isDeleted = false
  readonly #role: string | null
  readonly #speaker: Speaker
  readonly #names: readonly string[]
  readonly #mayForge: boolean
  readonly #addressesSaid = new Set<string>()
  readonly #said: Said = { hasAnnounced: false, addresses: this.#addressesSaid }
  #socket: SpokenSocket | null = null
  /** What the server takes it for, by its first frame. */
  #taken: DialectName | null = null
  #frames = 0
  #isAsked = false
  #hasAnswered = false
  /** The last that it said, for who looks for the cause. */
  readonly last: string[] = []

  constructor(
    { dialect, role, clientID, addresses, mayForge }: StrangerOptions,
    speaker: Omit<Speaker, 'clientID' | 'addresses'>,
  ) {
    this.dialect = dialect
    this.#role = role
    this.#mayForge = mayForge
    this.#speaker = { ...speaker, clientID, addresses }
    this.#names = messageNames(dialect)
  }

  async connect(connect: (host: SpokenHost) => Promise<SpokenSocket>): Promise<void> {
    this.#socket = await connect({
      received: frame => this.#attempt(`an answer ${hex(frame)}`, () => this.#receive(frame)),
      closed: close => {
        if (close !== null) this.#attempt('a close', () => checkClose(close))
      },
    })
  }

  get addresses(): readonly string[] {
    return this.#speaker.addresses
  }

  get isHeard(): boolean {
    return this.#socket?.isHeard === true
  }

  get isOpen(): boolean {
    return this.#socket?.isOpen === true
  }

  get state(): StrangerState {
    if (!this.isOpen) return 'leaving'
    if (this.isDeleted) return 'document deleted'
    if (this.#frames === 0) return 'before the first frame'
    if (this.#role === null) return 'token asked for'
    if (this.#socket?.isReading === false && this.#socket.unreadBytes > SLOW_BYTES) return 'slow'
    if (!this.#isAsked) return 'loading'
    if (this.#role === 'viewer' || this.#role === 'commenter') return 'reader'
    return this.#hasAnswered ? 'joined' : 'handshaking'
  }

  /** Joins as a client should, up to the question. */
  begin(): void {
    if (this.dialect !== 'y-websocket') this.#sayMessage('token', false)
    this.#sayMessage('step1', false)
  }

  /** Answers the server's question: the handshake is over. */
  answer(): void {
    this.#sayMessage('step2', false)
  }

  /** Stops to read, and asks for more than it could take. */
  askWithoutReading(): void {
    this.#socket?.stopReading()
    this.begin()
    for (let count = 0; count < 8; count++) this.#sayMessage('step1', false)
  }

  /** Says one thing. @returns which message, null where it said none */
  speak(): Spoken | null {
    const { random } = this.#speaker
    const choice = random.below(200)
    if (choice === 0) this.#socket?.say(Buffer.from('text'), false)
    else if (choice === 1) this.#socket?.sayControl(random.pick(['ping', 'pong']), Buffer.alloc(random.below(126)))
    else if (choice === 2) {
      const bytes = Uint8Array.from({ length: random.below(40) }, () => random.below(256))
      this.#taken ??= takenFor(this.dialect, bytes)
      this.#socket?.say(bytes)
    } else if (choice < 6) this.#socket?.stopReading()
    else if (choice < 9) this.#socket?.goOnReading()
    else {
      const name = random.pick(this.#names)
      const isMutated = random.chance(0.8)
      return this.#sayMessage(name, isMutated) ? { name, isMutated } : null
    }
    return null
  }

  leave(): void {
    this.#socket?.leave(this.#speaker.random.pick([1000, 1001, 1006, 4000]))
  }

  #sayMessage(name: string, isMutated: boolean): boolean {
    const { random } = this.#speaker
    const fields = messageFields(this.dialect, name, this.#speaker, isMutated)
    const frame = isMutated ? mutateFields(fields, random) : encodeFields(fields)
    this.#taken ??= takenFor(this.dialect, frame)
    const isForged = this.#note(frame, this.#taken)
    if (isForged && !this.#mayForge) return false
    this.#frames++
    if (name === 'step2' && this.#isAsked) this.#hasAnswered = true
    this.last.push(`${isMutated ? 'mutated ' : ''}${name} ${hex(frame)}`)
    if (this.last.length > 12) this.last.shift()
    this.#socket?.say(frame)
    return true
  }

  /**
   * Notes what it is about to say.
   * @returns whether it would write as an honest client
   */
  #note(frame: Uint8Array, dialect: DialectName): boolean {
    try {
      const message = this.#readAs(dialect, frame)
      if (message?.type === 'announce' || message?.type === 'ephemeral') this.#said.hasAnnounced = true
      if (message?.type !== 'update' && message?.type !== 'syncStep2') return false
      const known = this.#speaker.material.stateVector()
      const { structs } = readUpdate(message.update, NO_LIMITS)
      return [...structs].some(([clientID, { end }]) => isHonest(clientID) && end > (known.get(clientID) ?? 0))
    } catch {
      return false
    }
  }

  #readAs(dialect: DialectName, frame: Uint8Array): Message | HocuspocusMessage | null {
    if (dialect === 'y-websocket') return decodeMessage(frame)
    const { address, message } = dialect === 'multiplex' ? decodeAddressedFrame(frame) : decodeHocuspocusFrame(frame)
    if (address === null) return null
    this.#addressesSaid.add(address)
    return message
  }

  #receive(frame: Uint8Array): void {
    const { message } = checkAnswer(this.#taken ?? this.dialect, frame, this.#said)
    if (message?.type === 'syncStep1') this.#isAsked = true
  }

  #attempt(what: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      this.problems.push(new Error(`${what}: ${(error as Error).message}`, { cause: error }))
    }
  }
}

/** As PROTOCOL.md says: by its first frame, unless it has asked for the multiplexed dialect. */
function takenFor(dialect: DialectName, frame: Uint8Array): DialectName {
  if (dialect === 'multiplex') return dialect
  if (frame.length === 0 || frame[0] === messageType.sync) return 'y-websocket'
  try {
    const message = decodeMessage(frame)
    const isAwareness = message.type === 'awareness' && decodeAwareness(message.payload).length > 0
    return isAwareness ? 'y-websocket' : 'hocuspocus'
  } catch {
    return 'hocuspocus'
  }
}

function isHonest(clientID: number): boolean {
  return clientID >= FIRST_HONEST_ID && clientID < 2 * FIRST_HONEST_ID
}

function hex(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('hex')
  return text.length > 400 ? `${text.slice(0, 400)}… (${bytes.length} bytes)` : text
}
