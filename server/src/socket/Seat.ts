import { type CloseName, closeCode } from '@weft/protocol'
import type { Outlet } from '../room/Outlet.ts'
import type { Session } from '../room/Session.ts'
import type { Connection } from './Connection.ts'
import type { SeatHost } from './Seats.ts'

/** The connection as one session sees it: what it writes goes behind its address. */
export class Seat implements Outlet {
  /** The session's own address: its key on the connection. */
  readonly key: string
  session: Session | null = null
  readonly #connection: Connection
  readonly #host: SeatHost
  readonly #left: () => void
  #hasEnded = false
  #closeCode: number | null = null

  /** @param left called once, when it has ended */
  constructor(connection: Connection, key: string, host: SeatHost, left: () => void) {
    this.#connection = connection
    this.key = key
    this.#host = host
    this.#left = left
  }

  get address(): string {
    return this.#connection.address
  }

  get isLocal(): boolean {
    return this.#connection.isLocal
  }

  get isFlooding(): boolean {
    return this.#connection.isFlooding
  }

  get isOpen(): boolean {
    return !this.#hasEnded && this.#connection.isOpen
  }

  get unsentBytes(): number {
    return this.#connection.unsentBytes
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  write(frames: Buffer, sharedBy: object | null = null): void {
    if (!this.#hasEnded) this.#connection.write(frames, sharedBy, this.key)
  }

  together<T>(work: () => T): T {
    return this.#connection.together(work)
  }

  isAlive(): Promise<boolean> {
    return this.isOpen ? this.#connection.isAlive() : Promise.resolve(false)
  }

  get closeCode(): number | null {
    return this.#closeCode ?? this.#connection.closeCode
  }

  close(name: CloseName, text: string): void {
    if (this.#hasEnded) return
    this.#closeCode ??= closeCode[name].code
    this.#host.closeSeat(this, name, text)
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#left()
    this.session?.end()
  }
}
