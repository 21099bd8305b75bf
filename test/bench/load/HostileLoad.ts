import { execFileSync } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { constants, setPriority } from 'node:os'
import { ByteWriter } from './ByteWriter.ts'
import type { Target } from './Client.ts'
import { Random } from './Random.ts'
import { RawSocket } from './RawSocket.ts'
import { encodeTypedUpdate } from './typedUpdate.ts'

/** Those who mean no good, and which documents of honest people they may go into. */
export interface HostilePlan {
  readonly target: Target
  readonly documents: readonly string[]
  /** Connections, shared equally among the kinds. */
  readonly count: number
  /** Only these. Empty: all. */
  readonly kinds: readonly string[]
  readonly seed: number
}

/** What they did, and what was done about it. */
export interface HostileReport {
  /** Connections at the moment. */
  readonly open: number
  readonly connects: number
  readonly framesSent: number
  readonly bytesSent: number
  /** How connections ended, by kind: `malformed: closed with 1007`, and how often. */
  readonly ends: Readonly<Record<string, number>>
}

/** What one of them does. */
interface Behaviour {
  /** Its document: one of honest people, or one of its own kind's. */
  readonly isAmongHonest: boolean
  /** How long after its connection ended it comes back, ms. */
  readonly comesBackAfterMs: number
  readonly isMute?: boolean
  /** The upgrade was accepted. */
  begin?(attacker: Attacker): void
  /** Every `TICK_MS`. */
  tick?(attacker: Attacker): void
}

const TICK_MS = 10
const KiB = 1024
/** A flood goes on while less than this waits to be sent: as fast as the server reads. */
const FLOOD_BYTES = 32 * KiB
const STATE_BYTES = 4000

const writer = new ByteWriter()
const message = (...numbers: number[]) => numbers.reduce((w, number) => w.varUint(number), writer.clear())
const STEP_1 = message(0, 0).varBytes(Uint8Array.of(0)).take()
const EMPTY_STEP_2 = message(0, 1).varBytes(Uint8Array.of(0, 0)).take()
/** Cut short. */
const BROKEN = message(0, 2, 9).take()
/** The head of a binary frame of 8 MiB, with a mask of zeros: bytes follow, one a second. */
const LARGE_HEAD = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0])
const ONE_CHAR = Buffer.from('x')

function join(attacker: Attacker): void {
  attacker.send(STEP_1)
  attacker.send(EMPTY_STEP_2)
}

function flood(attacker: Attacker, next: () => Uint8Array): void {
  for (let sent = 0; sent < 1000 && attacker.unsentBytes < FLOOD_BYTES; sent++) attacker.send(next())
}

const behaviours = {
  /** Valid edits of one character, as fast as they are read. */
  flood: {
    isAmongHonest: false,
    comesBackAfterMs: 100,
    begin: join,
    tick: attacker =>
      flood(attacker, () =>
        message(0, 2)
          .varBytes(encodeTypedUpdate(attacker.clientID, attacker.root, attacker.clock++, ONE_CHAR))
          .take(),
      ),
  },
  /** Breaks a rule with its first message, and comes back at once. */
  malformed: { isAmongHonest: true, comesBackAfterMs: 200, begin: attacker => attacker.send(BROKEN) },
  /** Joins where the flood is, and never reads. */
  slow: {
    isAmongHonest: false,
    comesBackAfterMs: 1000,
    begin(attacker) {
      join(attacker)
      attacker.pause()
    },
  },
  /** Is upgraded, says nothing, and answers no ping. */
  silent: { isAmongHonest: true, comesBackAfterMs: 100, isMute: true },
  /** A new state of nearly 4 KiB, as fast as they are read. */
  awareness: {
    isAmongHonest: true,
    comesBackAfterMs: 100,
    begin: join,
    tick: attacker =>
      flood(attacker, () =>
        message(1)
          .varBytes(
            Buffer.concat([
              message(1, attacker.clientID, ++attacker.clock).take(),
              writer
                .clear()
                .varString(`{"a":"${'x'.repeat(STATE_BYTES)}"}`)
                .take(),
            ]),
          )
          .take(),
      ),
  },
  /** Asks for all of the document, as fast as questions are read. */
  questions: {
    isAmongHonest: true,
    comesBackAfterMs: 100,
    begin: join,
    tick: attacker => flood(attacker, () => STEP_1),
  },
  /** A message of 8 MiB, a byte a second. */
  trickle: {
    isAmongHonest: true,
    comesBackAfterMs: 100,
    begin(attacker) {
      join(attacker)
      attacker.sendRaw(LARGE_HEAD)
    },
    tick(attacker) {
      if (++attacker.clock % (1000 / TICK_MS) === 0) attacker.sendRaw(Uint8Array.of(0))
    },
  },
} as const satisfies Record<string, Behaviour>

type HostileKind = keyof typeof behaviours | 'halfOpen'
const kinds = [...Object.keys(behaviours), 'halfOpen'] as HostileKind[]

/** They stand for other machines: what they do takes no core away from the server, nor from those who measure it. */
function standBack(): void {
  setPriority(constants.priority.PRIORITY_LOW)
  if (process.platform !== 'linux') return
  // The lowest priority still runs to the end of its slice; this one gives way at once, and leaves a core that counts as free.
  try {
    execFileSync('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)], { stdio: 'ignore' })
  } catch {
    process.stderr.write('chrt (util-linux) is missing: the hostile process takes more of the cores than it should\n')
  }
}

/** One of them, over all its connections. */
class Attacker {
  readonly clientID: number
  readonly root: string
  clock = 0
  isOpen = false
  socket: RawSocket | null = null
  readonly behaviour: Behaviour

  constructor(behaviour: Behaviour, clientID: number) {
    this.behaviour = behaviour
    this.clientID = clientID
    this.root = `hostile ${clientID}`
  }

  get unsentBytes(): number {
    return this.socket?.unsentBytes ?? 0
  }

  send(bytes: Uint8Array): void {
    this.socket?.send(bytes)
  }

  /** Bytes that are no whole frame. */
  sendRaw(bytes: Uint8Array): void {
    this.socket?.sendRaw(bytes)
  }

  pause(): void {
    this.socket?.pause()
  }
}

/** Connections that flood, stall, break rules and come back, all at once, until they are told to end. */
export class HostileLoad {
  #random = new Random(0)
  #plan: HostilePlan | null = null
  #attackers: Attacker[] = []
  readonly #halfOpen = new Set<Socket>()
  #timer: NodeJS.Timeout | null = null
  #isOver = false
  #connects = 0
  /** Of connections that have ended. */
  #frames = 0
  #bytes = 0
  readonly #ends = new Map<string, number>()

  /** Begins; the connections are made while it goes on. */
  begin(plan: HostilePlan): void {
    standBack()
    this.#plan = plan
    this.#random = new Random(plan.seed)
    const unknown = plan.kinds.filter(kind => !kinds.some(known => known === kind))
    if (unknown.length > 0) throw new Error(`'${unknown}' is none of ${kinds.join(', ')}`)
    const chosen = plan.kinds.length === 0 ? kinds : kinds.filter(kind => plan.kinds.includes(kind))
    for (let i = 0; i < plan.count; i++) {
      const kind = chosen[i % chosen.length] ?? 'flood'
      if (kind === 'halfOpen') this.#openHalf()
      else {
        const attacker = new Attacker(behaviours[kind], this.#random.clientID())
        this.#attackers.push(attacker)
        this.#open(kind, attacker, i)
      }
    }
    this.#timer = setInterval(() => {
      for (const attacker of this.#attackers) if (attacker.isOpen) attacker.behaviour.tick?.(attacker)
    }, TICK_MS)
  }

  report(): HostileReport {
    const open = this.#attackers.filter(({ isOpen }) => isOpen)
    return {
      open: open.length + this.#halfOpen.size,
      connects: this.#connects,
      framesSent: open.reduce((sum, { socket }) => sum + (socket?.framesOut ?? 0), this.#frames),
      bytesSent: open.reduce((sum, { socket }) => sum + (socket?.bytesOut ?? 0), this.#bytes),
      ends: Object.fromEntries([...this.#ends].sort()),
    }
  }

  end(): void {
    this.#isOver = true
    if (this.#timer !== null) clearInterval(this.#timer)
    for (const attacker of this.#attackers) attacker.socket?.destroy()
    for (const socket of this.#halfOpen) socket.destroy()
  }

  #open(kind: keyof typeof behaviours, attacker: Attacker, place: number): void {
    const { target, documents } = this.#requirePlan()
    const { isAmongHonest, isMute = false } = attacker.behaviour
    // Several are in each document of the flood: those who write it, and those who don't read it.
    const document = isAmongHonest ? documents[place % documents.length] : `hostile-${place % 16}`
    this.#connects++
    const socket = new RawSocket(
      target.port,
      `/${document}`,
      {
        message: () => {},
        ended: reason => {
          attacker.isOpen = false
          this.#frames += socket.framesOut
          this.#bytes += socket.bytesOut
          this.#count(kind, reason)
          this.#later(attacker.behaviour.comesBackAfterMs, () => this.#open(kind, attacker, place))
        },
      },
      { isMute },
    )
    attacker.socket = socket
    // A client that comes back begins again: what it wrote before is known, and is nothing new.
    if (kind !== 'awareness' && kind !== 'flood') attacker.clock = 0
    socket.opened.then(
      () => {
        attacker.isOpen = true
        attacker.behaviour.begin?.(attacker)
      },
      // `ended` was told why.
      () => {},
    )
  }

  /** Half a handshake, and no more. */
  #openHalf(): void {
    const { target } = this.#requirePlan()
    this.#connects++
    const socket = connect({ host: '127.0.0.1', port: target.port })
    this.#halfOpen.add(socket)
    socket.on('connect', () => socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\nUpgrade: webso`))
    socket.on('error', () => {})
    socket.resume()
    socket.on('close', () => {
      this.#halfOpen.delete(socket)
      this.#count('halfOpen', 'ended')
      this.#later(100, () => this.#openHalf())
    })
  }

  #count(kind: HostileKind, reason: string): void {
    if (this.#isOver) return
    const end = `${kind}: ${/closed with \d+|the upgrade was refused: .*/u.exec(reason)?.[0] ?? reason}`
    this.#ends.set(end, (this.#ends.get(end) ?? 0) + 1)
  }

  #later(ms: number, go: () => void): void {
    setTimeout(() => this.#isOver || go(), ms)
  }

  #requirePlan(): HostilePlan {
    if (this.#plan === null) throw new Error('nobody has begun yet')
    return this.#plan
  }
}
