import type { CloseName } from '@weft/protocol'
import type { Outlet } from '../../server/src/room/Outlet.ts'
import type { Session } from '../../server/src/room/Session.ts'
import type { Random } from '../crdt/Random.ts'
import type { SimulatedClock } from './SimulatedClock.ts'
import type { Life } from './SimulatedStore.ts'

export interface LinkHost {
  /** A message has arrived at the client. */
  received(message: Uint8Array): void
  /** The link is gone; `close` says why where the server did it. */
  lost(close: { name: CloseName; text: string } | null): void
}

/** A client's connection: both ends and the wire between them. Messages keep their order and take their time. */
export class SimulatedLink implements Outlet {
  readonly address = 'simulated'
  session: Session | null = null
  readonly #clock: SimulatedClock
  readonly #random: Random
  readonly #life: Life
  readonly #host: LinkHost
  readonly #delayMs: number
  /** Opens the session: what the server's connection does with the first message. */
  readonly #begin: () => Promise<Session | null>
  /** Called with every message that the server writes, at that moment. */
  readonly #written: (message: Uint8Array) => void
  #isUp = true
  #isServerSideUp = true
  readonly #inbox: Uint8Array[] = []
  #isBusy = false
  #isReading = true
  /** Written by the server and not taken by the client's system, which takes everything while the client reads. */
  #held: { frame: Buffer; sharedBy: object | null }[] = []
  #lastArrival: Record<'up' | 'down', number> = { up: 0, down: 0 }

  constructor(
    world: { clock: SimulatedClock; random: Random; life: Life; written: (message: Uint8Array) => void },
    host: LinkHost,
    begin: () => Promise<Session | null>,
  ) {
    this.#clock = world.clock
    this.#random = world.random
    this.#life = world.life
    this.#written = world.written
    this.#host = host
    this.#begin = begin
    this.#delayMs = world.random.pick([1, 20, 100, 300])
  }

  // ── The client's end ──────────────────────────────────────────────────────────────────────────────────────────────

  get isUp(): boolean {
    return this.#isUp
  }

  send(message: Uint8Array): void {
    if (!this.#isUp) return
    const copy = new Uint8Array(message)
    this.#deliver('up', () => {
      if (!this.isOpen) return
      this.#inbox.push(copy)
      this.#work()
    })
  }

  stopReading(): void {
    this.#isReading = false
  }

  goOnReading(): void {
    if (this.#isReading) return
    this.#isReading = true
    const held = this.#held
    this.#held = []
    for (const { frame } of held) this.#transfer(frame)
    this.#clock.after(1, () => {
      if (this.isOpen) this.session?.drained()
    })
  }

  /** The wire breaks: what is on its way is lost, and the server finds out later. */
  cut(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#clock.after(this.#random.below(500), () => this.#endServerSide())
  }

  // ── The server's end ──────────────────────────────────────────────────────────────────────────────────────────────

  get isOpen(): boolean {
    return this.#isServerSideUp && !this.#life.isOver
  }

  get unsentBytes(): number {
    return this.#held.reduce((sum, { frame, sharedBy }) => sum + (sharedBy ? 0 : frame.length), 0)
  }

  write(frames: Buffer, sharedBy: object | null = null): void {
    if (!this.isOpen) return
    for (const message of messagesIn(frames)) this.#written(message)
    if (this.#isReading) this.#transfer(frames)
    else this.#held.push({ frame: frames, sharedBy })
  }

  together<T>(work: () => T): T {
    return work()
  }

  isAlive(): Promise<boolean> {
    return new Promise(resolve => this.#clock.after(this.#isUp ? this.#delayMs * 2 : 2000, () => resolve(this.#isUp)))
  }

  close(name: CloseName, text: string): void {
    if (!this.isOpen) return
    this.#endServerSide()
    this.#deliver('down', () => {
      if (!this.#isUp) return
      this.#isUp = false
      this.#host.lost({ name, text })
    })
  }

  /** The process dies. */
  die(): void {
    this.#isServerSideUp = false
    if (!this.#isUp) return
    this.#isUp = false
    this.#host.lost(null)
  }

  #endServerSide(): void {
    if (!this.isOpen) return
    this.#isServerSideUp = false
    this.#inbox.length = 0
    this.session?.end()
  }

  /** Frames are handled one after the other, as the server's connection does. */
  #work(): void {
    while (!this.#isBusy && this.isOpen) {
      const frame = this.#inbox.shift()
      if (frame === undefined) return
      const done = this.session === null ? this.#first(frame) : this.session.receive(frame)
      if (!(done instanceof Promise)) continue
      this.#isBusy = true
      done.then(() => {
        this.#isBusy = false
        this.#work()
      })
    }
  }

  async #first(frame: Uint8Array): Promise<void> {
    this.session = await this.#begin()
    await this.session?.receive(frame)
  }

  #transfer(frames: Buffer): void {
    for (const message of messagesIn(frames)) {
      this.#deliver('down', () => {
        if (this.#isUp) this.#host.received(message)
      })
    }
  }

  #deliver(way: 'up' | 'down', arrive: () => void): void {
    const at = Math.max(this.#lastArrival[way], this.#clock.now() + this.#random.below(this.#delayMs))
    this.#lastArrival[way] = at
    this.#clock.after(at - this.#clock.now(), arrive)
  }
}

/** The messages in unmasked WebSocket frames (RFC 6455, section 5.2). */
function messagesIn(frames: Buffer): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < frames.length; ) {
    if (frames[at] !== 0x82) throw new Error('not a binary frame')
    let length = frames[at + 1] ?? 0
    at += 2
    if (length === 126) {
      length = frames.readUInt16BE(at)
      at += 2
    } else if (length === 127) {
      length = Number(frames.readBigUInt64BE(at))
      at += 8
    }
    if (at + length > frames.length) throw new Error('a frame is cut short')
    messages.push(new Uint8Array(frames.subarray(at, at + length)))
    at += length
  }
  return messages
}
